/** What a drop-in must keep of upstream 2.5.0's job kinds, written down by hand, against the CRDs that we generate. */
import { assertEquals } from "@std/assert";
import { columns, CONDITIONS, crdNamed, type Facts, factsOf, object, sorted, WEBHOOK } from "./crd_facts.ts";

const PHASE = "Pending|Running|Completed|Failed?";
const FORMAT = 'zip|sql|dump = "zip"';

const COMMON_SPEC: Facts = {
  ...object("odooInstanceRef", "object!", { name: "string!", namespace: "string?" }),
  ...object("webhook", "object?", WEBHOOK),
};
const COMMON_STATUS: Facts = {
  phase: PHASE,
  startTime: "string?",
  completionTime: "string?",
  message: "string?",
  ...CONDITIONS,
};
const JOB_NAME: Facts = { jobName: "string?" };

const S3_LOCATION: Facts = {
  bucket: "string!",
  objectKey: "string!",
  endpoint: "string!",
  region: "string?",
  insecure: "boolean = false",
  ...object("s3CredentialsSecretRef", "object?", { name: "string", namespace: "string" }),
};

function job(spec: Facts, status: Facts): Facts {
  return {
    ...object("spec", "object!", { ...COMMON_SPEC, ...spec }),
    ...object("status", "object?", { ...COMMON_STATUS, ...status }),
  };
}

/** Upstream's fields by the file of the CRD. */
const UPSTREAM: Readonly<Record<string, Facts>> = {
  "initjob-crd": job({ modules: '[string] = ["base"]', demo: "boolean = false" }, JOB_NAME),
  "backupjob-crd": job({
    ...object("destination", "object!", S3_LOCATION),
    format: FORMAT,
    withFilestore: "boolean = true",
  }, JOB_NAME),
  "restorejob-crd": job({
    ...object("source", "object!", {
      type: "s3|odoo!",
      ...object("s3", "object?", S3_LOCATION),
      ...object("odoo", "object?", { url: "string!", sourceDatabase: "string?", masterPassword: "string?" }),
    }),
    format: FORMAT,
    neutralize: "boolean = true",
  }, JOB_NAME),
  "upgradejob-crd": job(
    { modules: "[string]", modulesInstall: "[string]", scheduledTime: "string?" },
    { ...JOB_NAME, originalReplicas: "int32 = 0" },
  ),
  "stagingrefreshjob-crd": job({
    ...object("source", "object!", { instanceName: "string!", instanceNamespace: "string?" }),
    filestoreMethod: 'auto|snapshot|copy = "auto"',
    skipFilestore: "boolean = false",
    neutralize: "boolean = true",
  }, {
    ...JOB_NAME,
    dbJobName: "string?",
    dbJobPhase: PHASE,
    filestoreJobName: "string?",
    filestoreJobPhase: PHASE,
    filestorePhase: PHASE,
    neutralizeJobName: "string?",
    neutralizeJobPhase: PHASE,
    neutralizeJobImageHash: "string?",
    tempDbName: "string?",
    sourceSnapshot: "string?",
    rollbackSnapshot: "string?",
  }),
};

/** What we add to every kind. */
const ADDITIONS: Facts = {
  "status.observedGeneration": "int64",
  ...object("status.progress", "object", {
    step: "string",
    done: "int64",
    total: "int64",
    unit: "string",
    updatedAt: "date-time",
  }),
  "status.summary": "object",
  "status.logTail": "string",
};
const authority = (location: string) =>
  object(`${location}.caSecretRef`, "object?", { name: "string!", key: "string?" });
const OWN_ADDITIONS: Readonly<Record<string, Facts>> = {
  "initjob-crd": { "spec.languages": "[string]?" },
  "backupjob-crd": authority("spec.destination"),
  "restorejob-crd": authority("spec.source.s3"),
};

const COLUMNS: Readonly<Record<string, { readonly shortName: string; readonly own: readonly string[] }>> = {
  "initjob-crd": { shortName: "initjob", own: [] },
  "backupjob-crd": { shortName: "backupjob", own: ["Format .spec.format string"] },
  "restorejob-crd": { shortName: "restore", own: ["Source .spec.source.type string"] },
  "upgradejob-crd": { shortName: "upgradejob", own: [] },
  "stagingrefreshjob-crd": { shortName: "staging-refresh", own: ["Source .spec.source.instanceName string"] },
};

for (const [name, upstream] of Object.entries(UPSTREAM)) {
  Deno.test(`ALL_CRDS has upstream's fields, types and defaults, and our additions, when the file is ${name}`, () => {
    assertEquals(sorted(factsOf(name)), sorted({ ...upstream, ...ADDITIONS, ...OWN_ADDITIONS[name] }));
  });
}

for (const [name, { shortName, own }] of Object.entries(COLUMNS)) {
  Deno.test(`ALL_CRDS keeps short name, columns and selectable fields when the file is ${name}`, () => {
    const { names, versions } = crdNamed(name).spec;
    const current = versions.at(-1);
    assertEquals(names.shortNames, [shortName]);
    assertEquals(columns(current?.additionalPrinterColumns), [
      "Target .spec.odooInstanceRef.name string",
      ...own,
      "Phase .status.phase string",
      "Age .metadata.creationTimestamp date",
    ]);
    assertEquals(current?.selectableFields, [
      { jsonPath: ".spec.odooInstanceRef.name" },
      { jsonPath: ".status.phase" },
    ]);
    assertEquals(current?.subresources, { status: {} });
  });
}

Deno.test("ALL_CRDS keeps whatever a job has summed up when the summary has any fields", () => {
  for (const name of Object.keys(UPSTREAM)) {
    const status = crdNamed(name).spec.versions.at(-1)?.schema.openAPIV3Schema.properties?.status;
    assertEquals(status?.properties?.summary?.["x-kubernetes-preserve-unknown-fields"], true, name);
  }
});
