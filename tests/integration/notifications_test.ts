/**
 * Webhooks through the operator, over real sockets: what the receiver of a request and that of an instance get, what the
 * request says of it, and that a receiver that does not answer holds up nothing. notify_test.ts has the sending itself.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHmac } from "node:crypto";
import { conditionOf, Secret, type Stored } from "../../src/kit/mod.ts";
import { NOTIFIED } from "../../src/odoo/model/network/notification.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { eventually } from "../support/eventually.ts";
import { NAME, OperationStage, type StageRequest, type Trial } from "../support/operation_stage.ts";
import { NO_CONTENT, type Receiver, startReceiver } from "../support/receiver.ts";
import { type Rig, startRig } from "../support/rig.ts";

/** The first address of the network is the API server's, which is refused. */
const HOST = "127.0.0.2";
const TOKEN = "canary-webhook-token";
const ARGS = ["--allowed-webhook-hosts=127.0.0.0/8"];

let rig: Rig;
let stage: OperationStage;
let outcome: Outcome | undefined;

Deno.test.beforeAll(async () => {
  const outcomeOf = () => outcome;
  rig = await startRig({ jobs: { delayMs: 50, outcomeOf }, operator: { args: ARGS } });
  stage = new OperationStage(rig, await rig.namespace());
  await stage.build();
  await rig.client.create<Secret>(Secret, {
    metadata: { name: "hook", namespace: stage.namespace },
    stringData: { token: `${TOKEN}\n` },
  });
});
Deno.test.afterAll(() => rig?.stop());

function urlOf({ port }: Receiver): string {
  return `http://${HOST}:${port}/hook`;
}

/** Head and body of what a receiver got, the body read. */
function received({ requests }: Receiver): { readonly head: string; readonly body: Record<string, unknown> }[] {
  return requests.map((text) => {
    const [head = "", body = ""] = text.split("\r\n\r\n");
    return { head, body: JSON.parse(body) };
  });
}

/** The request, once it says how its webhook was told. */
function told(trial: Trial): Promise<Stored<StageRequest>> {
  return stage.request(trial, {
    what: "says how its webhook was told",
    isSo: ({ conditions }) => conditionOf(conditions, NOTIFIED) !== undefined,
  });
}

function notified({ status }: Stored<StageRequest>) {
  const condition = conditionOf(status?.conditions, NOTIFIED);
  return [condition?.status, condition?.reason];
}

Deno.test("the webhook of a request is told of its end once, signed with the Secret's token", async () => {
  await using receiver = startReceiver({ hostname: HOST });
  const trial = await stage.ask("backup", {
    webhook: { url: urlOf(receiver), secretTokenSecretRef: { name: "hook", key: "token" } },
  });
  assertEquals(await stage.ended(trial), "Completed");
  const cr = await told(trial);
  assertEquals(notified(cr), ["True", "Delivered"]);
  const { jobName, startTime, completionTime, message, summary } = cr.status ?? {};
  const [{ head = "", body = {} } = {}, ...more] = received(receiver);
  assertEquals([body, more], [{
    id: `${cr.metadata.uid}/Completed`,
    kind: "OdooBackupJob",
    name: trial.id,
    namespace: stage.namespace,
    uid: cr.metadata.uid,
    instance: NAME,
    phase: "Completed",
    message,
    jobName,
    startTime,
    completionTime,
    summary,
  }, []]);
  const digest = createHmac("sha256", TOKEN).update(receiver.requests[0]?.split("\r\n\r\n")[1] ?? "").digest("hex");
  assertStringIncludes(head, `\r\nX-Signature-256: sha256=${digest}`);
  assertStringIncludes(head, `\r\nIdempotency-Key: ${cr.metadata.uid}/Completed`);
  assertEquals(JSON.stringify(cr.status).includes(TOKEN), false);
});

Deno.test("the webhook of a request is told why it failed, unsigned when there is no token", async () => {
  await using receiver = startReceiver({ hostname: HOST });
  const message = { ok: false, reason: "BucketMissing", error: "There is no bucket backups: create it" };
  outcome = { exitCode: 1, message: JSON.stringify(message) };
  const trial = await stage.ask("backup", { webhook: { url: urlOf(receiver) } });
  assertEquals(await stage.ended(trial), "Failed");
  outcome = undefined;
  assertEquals(notified(await told(trial)), ["True", "Delivered"]);
  const [{ head = "", body = {} } = {}] = received(receiver);
  assertEquals([body.phase, body.reason, body.message], ["Failed", message.reason, message.error]);
  assert(!/^(X-Signature-256|Authorization):/im.test(head), head);
});

Deno.test("a request whose webhook may not be knocked at says so, and is complete all the same", async () => {
  const trial = await stage.ask("backup", { webhook: { url: "http://127.0.0.1:1/" } }); // the API server's address
  assertEquals(await stage.ended(trial), "Completed");
  assertEquals(notified(await told(trial)), ["False", "AddressRefused"]);
});

Deno.test("the webhook of an instance is told of each change of its phase, in order", async () => {
  await using receiver = startReceiver({ hostname: HOST });
  await setWebhook(urlOf(receiver));
  await stage.ended(await stage.ask("backup"));
  await eventually("both changes are told", () => receiver.requests.length === 2);
  await setWebhook(undefined);
  const { metadata: { uid } } = await stage.instance({ what: "is there", isSo: () => true });
  const common = { kind: "OdooInstance", name: NAME, namespace: stage.namespace, uid };
  const url = `https://${NAME}.example.com`;
  const bodies = received(receiver).map(({ body: { id: _, timestamp: __, ...rest } }) => rest);
  assertEquals(bodies, [
    { ...common, phase: "BackingUp", previousPhase: "Running", url },
    { ...common, phase: "Running", previousPhase: "BackingUp", url },
  ]);
});

Deno.test("the webhooks of instance and request are told by the next operator what the one before did not come to tell", async () => {
  let isDeaf = true;
  await using receiver = startReceiver({ hostname: HOST, answer: () => isDeaf ? "silence" : NO_CONTENT });
  await setWebhook(urlOf(receiver));
  const trial = await stage.ask("backup", { webhook: { url: urlOf(receiver) } });
  await stage.ended(trial);
  await stage.instance({
    what: "has both notifications pending",
    isSo: ({ pendingNotifications }) => pendingNotifications?.length === 2,
  });
  await eventually("the webhook is knocked at", () => receiver.requests.length === 1);
  await rig.kill();
  isDeaf = false;
  await rig.start({ args: ARGS });
  const { status } = await stage.instance({
    what: "has no notification pending",
    isSo: ({ pendingNotifications }) => !pendingNotifications,
  });
  assertEquals(conditionOf(status?.conditions, NOTIFIED)?.reason, "Delivered");
  const cr = await told(trial);
  assertEquals(notified(cr), ["True", "Delivered"]);
  const bodies = received(receiver).map(({ body }) => body);
  const phases = bodies.filter(({ kind }) => kind === "OdooInstance");
  assertEquals(phases.map(({ phase }) => phase), ["BackingUp", "BackingUp", "Running"]);
  assertEquals(phases[0], phases[1], "what was not answered is told again under the same id");
  assertEquals(bodies.filter(({ id }) => id === `${cr.metadata.uid}/Completed`).length, 1);
  await setWebhook(undefined);
  const { status: without } = await stage.instance({ what: "is there", isSo: () => true });
  assertEquals(conditionOf(without?.conditions, NOTIFIED)?.reason, "NoWebhook");
});

Deno.test("an instance says why its webhook could not be told", async () => {
  await setWebhook("http://127.0.0.1:1/"); // the API server's address
  await stage.ended(await stage.ask("backup"));
  const { status } = await stage.instance({
    what: "says how its webhook was told",
    isSo: ({ conditions, pendingNotifications }) =>
      conditionOf(conditions, NOTIFIED)?.reason !== "NoWebhook" && !pendingNotifications,
  });
  const { status: told, reason } = conditionOf(status?.conditions, NOTIFIED) ?? {};
  assertEquals([told, reason, status?.phase], ["False", "AddressRefused", "Running"]);
  await setWebhook(undefined);
});

async function setWebhook(url: string | undefined): Promise<void> {
  const patch = url === undefined
    ? { op: "remove", path: "/spec/webhook" } as const
    : { op: "add", path: "/spec/webhook", value: { url } } as const;
  const { metadata } = await rig.client.patch(OdooInstanceKind, { namespace: stage.namespace, name: NAME }, [patch]);
  await stage.instance({
    what: "is seen with its new webhook",
    isSo: ({ observedGeneration }) => observedGeneration === metadata.generation,
  });
}

Deno.test("a webhook that does not answer delays neither the instance nor its next request", async () => {
  await using receiver = startReceiver({ hostname: HOST, answer: () => "silence" });
  const first = await stage.ask("backup", { webhook: { url: urlOf(receiver) } });
  assertEquals(await stage.ended(first), "Completed");
  await eventually("the webhook is knocked at", () => receiver.requests.length === 1);
  assertEquals(await stage.ended(await stage.ask("backup")), "Completed");
  assertEquals([receiver.connections, receiver.ended], [1, 0], "the attempt of ten seconds is over");
  const { status } = await stage.request(first, { what: "is there", isSo: () => true });
  assertEquals(conditionOf(status?.conditions, NOTIFIED), undefined);
});
