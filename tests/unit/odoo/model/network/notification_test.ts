import { assert, assertEquals, assertMatch } from "@std/assert";
import type { OdooRestoreJob } from "../../../../../src/odoo/crd/mod.ts";
import type { Stored } from "../../../../../src/kit/types.ts";
import { jobNotification, phaseNotification } from "../../../../../src/odoo/model/network/notification.ts";
import { timestamp } from "../../../../../src/kit/timestamp.ts";
import { anInitJob, anInstance, INIT_JOB_UID, INSTANCE_UID, NOW } from "../../../../support/builders.ts";

const TARGET = { url: "https://hooks.example.com/T/secret-path", token: "s3cret" };
const END = {
  startTime: "2026-11-21 04:00:00",
  completionTime: "2026-11-21 04:05:00",
  jobName: "first-5c1d2e3f",
} as const;

Deno.test("jobNotification() tells whose end it is and how it came about when a job has failed", () => {
  const cr = anInitJob({ spec: { webhook: TARGET } });
  const end = { ...END, phase: "Failed", message: "Cannot install sale: it is not there" };
  const notification = jobNotification(cr, end, { reason: "ModuleMissing" });
  assertEquals(notification?.target, TARGET);
  assertEquals(notification?.id, `${INIT_JOB_UID}/Failed`);
  assertEquals(JSON.parse(notification?.body ?? ""), {
    id: `${INIT_JOB_UID}/Failed`,
    kind: "OdooInitJob",
    name: "first",
    namespace: "blue",
    uid: INIT_JOB_UID,
    instance: "shop",
    phase: "Failed",
    reason: "ModuleMissing",
    message: "Cannot install sale: it is not there",
    ...END,
  });
});

Deno.test("jobNotification() tells the summary, and no field that has no value, when a job of any kind has completed", () => {
  const cr: Stored<OdooRestoreJob> = {
    apiVersion: "bemade.org/v1alpha1",
    kind: "OdooRestoreJob",
    metadata: { name: "back", namespace: "blue", uid: "uid-1", resourceVersion: "1" },
    spec: { odooInstanceRef: { name: "shop" }, source: { type: "s3" }, webhook: TARGET },
  };
  const notification = jobNotification(cr, {
    phase: "Completed",
    message: null,
    jobName: null,
    summary: { tables: 7 },
  });
  assertEquals(JSON.parse(notification?.body ?? ""), {
    id: "uid-1/Completed",
    kind: "OdooRestoreJob",
    name: "back",
    namespace: "blue",
    uid: "uid-1",
    instance: "shop",
    phase: "Completed",
    summary: { tables: 7 },
  });
});

Deno.test("jobNotification() tells nobody when there is no webhook, no URL or no end", () => {
  const end = { ...END, phase: "Completed" };
  assertEquals(jobNotification(anInitJob(), end), undefined);
  assertEquals(jobNotification(anInitJob({ spec: { webhook: { url: "" } } }), end), undefined);
  for (const phase of ["Pending", "Running", null]) {
    assertEquals(jobNotification(anInitJob({ spec: { webhook: TARGET } }), { ...end, phase }), undefined);
  }
});

Deno.test("jobNotification() cuts the message when it is longer than anybody reads", () => {
  const end = { phase: "Failed", message: "x".repeat(100_000) };
  assert((jobNotification(anInitJob({ spec: { webhook: TARGET } }), end)?.body.length ?? 0) < 5_000);
});

Deno.test("phaseNotification() tells the fields of upstream, and whose they are, when the phase has changed", () => {
  const instance = anInstance({ spec: { webhook: { url: TARGET.url }, ingress: { hosts: ["shop.example.com"] } } });
  const change = { phase: "Running", previousPhase: "Starting", time: timestamp(NOW) };
  const notification = phaseNotification(instance, change);
  assertEquals(notification?.target, { url: TARGET.url });
  assertEquals(JSON.parse(notification?.body ?? ""), {
    id: `${INSTANCE_UID}/Running/2026-11-21T04:00:00`,
    kind: "OdooInstance",
    name: "shop",
    namespace: "blue",
    uid: INSTANCE_UID,
    phase: "Running",
    previousPhase: "Starting",
    url: "https://shop.example.com",
    timestamp: "2026-11-21 04:00:00",
  });
  assertMatch(notification?.id ?? "", /^[\x21-\x7e]+$/);
});

Deno.test("phaseNotification() has upstream's empty value without a host, and tells nobody when nobody is named", () => {
  const ingress = { hosts: [] };
  const change = { phase: "Running", previousPhase: "Starting", time: timestamp(NOW) };
  const notification = phaseNotification(anInstance({ spec: { webhook: { url: TARGET.url }, ingress } }), change);
  assertEquals(JSON.parse(notification?.body ?? "").url, null);
  assertEquals(phaseNotification(anInstance(), change), undefined);
});
