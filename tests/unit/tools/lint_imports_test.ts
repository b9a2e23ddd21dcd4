/** The rule import-direction of tools/lint_plugin.ts: every line of the layer table is broken once on purpose, and kept once. */
import { DIRECTION, lintCases, VOCABULARY } from "./lint_cases.ts";

lintCases({
  // import-direction: between layers
  "kit reaches into odoo": {
    file: "src/kit/queue.ts",
    code: `import "../odoo/model/names.ts";`,
    want: [DIRECTION, VOCABULARY],
  },
  "kit files import each other": { file: "src/kit/mod.ts", code: `export * from "./queue.ts";`, want: [] },
  "kit imports a builder": { file: "src/kit/operator.ts", code: `import { job } from "./builders/job.ts";`, want: [] },
  "a builder imports the kit's types": {
    file: "src/kit/builders/job.ts",
    code: `import type { A } from "../types.ts";`,
    want: [],
  },
  "crd imports kit/crd.ts": { file: "src/odoo/crd/mod.ts", code: `import { crd } from "../../kit/crd.ts";`, want: [] },
  "crd imports another kit file": {
    file: "src/odoo/crd/mod.ts",
    code: `import { log } from "../../kit/log.ts";`,
    want: [DIRECTION],
  },
  "crd files import each other at run time": {
    file: "src/odoo/crd/mod.ts",
    code: `import { s } from "./shared.ts";`,
    want: [],
  },
  "crd imports the names of the API": {
    file: "src/odoo/crd/shared.ts",
    code: `import { GROUP } from "../api.ts";`,
    want: [],
  },
  "planners import the names of the API": {
    file: "src/odoo/planners/initializing.ts",
    code: `import { API_VERSION } from "../api.ts";`,
    want: [],
  },
  "the names of the API import crd": {
    file: "src/odoo/api.ts",
    code: `import type { I } from "./crd/mod.ts";`,
    want: [DIRECTION],
  },
  "model imports crd types": {
    file: "src/odoo/model/names.ts",
    code: `import type { I } from "../crd/odoo_instance.ts";`,
    want: [],
  },
  "model imports crd at run time": {
    file: "src/odoo/model/names.ts",
    code: `import { I } from "../crd/odoo_instance.ts";`,
    want: [DIRECTION],
  },
  "model imports crd by an inline type": {
    file: "src/odoo/model/names.ts",
    code: `import { type I } from "../crd/mod.ts";`,
    want: [DIRECTION],
  },
  "model re-exports crd types": {
    file: "src/odoo/model/names.ts",
    code: `export type { I } from "../crd/mod.ts";`,
    want: [],
  },
  "model re-exports all of crd": {
    file: "src/odoo/model/names.ts",
    code: `export * from "../crd/mod.ts";`,
    want: [DIRECTION],
  },
  "model re-exports a name of crd": {
    file: "src/odoo/model/names.ts",
    code: `export { I } from "../crd/mod.ts";`,
    want: [DIRECTION],
  },
  "model imports quantities": {
    file: "src/odoo/model/instance/admission.ts",
    code: `import { parseQuantity } from "../../../kit/quantity.ts";`,
    want: [],
  },
  "model imports the words of admission": {
    file: "src/odoo/model/instance/admission.ts",
    code: `import { denied } from "../../../kit/admission_review.ts";`,
    want: [],
  },
  "model imports the admission server": {
    file: "src/odoo/model/instance/admission.ts",
    code: `import { AdmissionServer } from "../../../kit/admission.ts";`,
    want: [DIRECTION],
  },
  "model imports sha256Hex": {
    file: "src/odoo/model/names.ts",
    code: `import { sha256Hex } from "../../kit/hash.ts";`,
    want: [],
  },
  "model reaches up to the machine": {
    file: "src/odoo/model/world.ts",
    code: `import { P } from "../machine/phases.ts";`,
    want: [DIRECTION],
  },
  "model reaches up by type": {
    file: "src/odoo/model/world.ts",
    code: `import type { P } from "../machine/phases.ts";`,
    want: [DIRECTION],
  },
  "model imports kit/mod.ts": {
    file: "src/odoo/model/world.ts",
    code: `import type { C } from "../../kit/mod.ts";`,
    want: [DIRECTION],
  },
  "resources import a script as text": {
    file: "src/odoo/resources/scripts.ts",
    code: `import init from "../../../scripts/init.sh" with { type: "text" };`,
    want: [],
  },
  "model imports a script": {
    file: "src/odoo/model/a.ts",
    code: `import x from "../../../scripts/x.sh" with { type: "text" };`,
    want: [DIRECTION],
  },
  "resources import the builders": {
    file: "src/odoo/resources/pod.ts",
    code: `import { container } from "../../kit/builders/pod.ts";`,
    want: [],
  },
  "planners import the kit's pure files": {
    file: "src/odoo/planners/steady.ts",
    code: `import type { A } from "../../kit/types.ts";`,
    want: [],
  },
  "planners import the rest of the kit": {
    file: "src/odoo/planners/steady.ts",
    code: `import type { A } from "../../kit/client.ts";`,
    want: [DIRECTION],
  },
  "planners import each other": {
    file: "src/odoo/planners/steady.ts",
    code: `import { a } from "./deleting.ts";`,
    want: [],
  },
  "ports import each other": {
    file: "src/odoo/ports/notify.ts",
    code: `import type { S } from "./s3.ts";`,
    want: [],
  },
  "machine imports planners": {
    file: "src/odoo/machine/phase_planners.ts",
    code: `import { planUpgrade } from "../planners/upgrading.ts";`,
    want: [],
  },
  "machine imports a port": {
    file: "src/odoo/machine/decide.ts",
    code: `import type { P } from "../ports/postgres.ts";`,
    want: [DIRECTION],
  },
  "machine hashes": {
    file: "src/odoo/machine/decide.ts",
    code: `import { sha256Hex } from "../../kit/hash.ts";`,
    want: [DIRECTION],
  },
  "job imports the port of notifications": {
    file: "src/odoo/pod/backup.ts",
    code: `import { n } from "../ports/notify.ts";`,
    want: [DIRECTION],
  },
  "job imports S3": {
    file: "src/odoo/pod/backup.ts",
    code: `import { s } from "../ports/s3.ts"; import { l } from "../../kit/log.ts";`,
    want: [],
  },
  "shell imports everything above": {
    file: "src/odoo/shell/run.ts",
    code:
      `import { d } from "../machine/decide.ts"; import { p } from "../ports/postgres.ts"; import { m } from "../../kit/mod.ts";`,
    want: [],
  },
  "shell imports job": {
    file: "src/odoo/shell/run.ts",
    code: `import { b } from "../job/backup.ts";`,
    want: [DIRECTION],
  },
  "shell imports a kit file past mod.ts": {
    file: "src/odoo/shell/run.ts",
    code: `import { W } from "../../kit/watch.ts";`,
    want: [DIRECTION],
  },
  "shell imports the command line": {
    file: "src/odoo/shell/run.ts",
    code: `import { c } from "../../cli/mod.ts";`,
    want: [DIRECTION],
  },
  "cli imports shell, pod and embedded CRDs": {
    file: "src/cli/crds.ts",
    code:
      `import { r } from "../odoo/shell/run.ts"; import { b } from "../odoo/pod/backup.ts"; import c from "../../crds/odoo-crd.yaml" with { type: "text" };`,
    want: [],
  },
  "cli imports resources": {
    file: "src/cli/crds.ts",
    code: `import { p } from "../odoo/resources/pod.ts";`,
    want: [DIRECTION],
  },
  "main imports cli": { file: "main.ts", code: `import { run } from "./src/cli/run.ts";`, want: [] },
  "main imports shell": { file: "main.ts", code: `import { run } from "./src/odoo/shell/run.ts";`, want: [DIRECTION] },
  "src imports tests": {
    file: "src/cli/run.ts",
    code: `import { a } from "../../tests/support/builders.ts";`,
    want: [DIRECTION],
  },
  "src imports tools by type": {
    file: "src/kit/crd.ts",
    code: `import type { A } from "../../tools/gen_crds.ts";`,
    want: [DIRECTION],
  },
  "src imports dev": {
    file: "src/odoo/ports/s3.ts",
    code: `import { s } from "../../../dev/s3.ts";`,
    want: [DIRECTION],
  },
  "a folder that the table does not know": {
    file: "src/odoo/extra/a.ts",
    code: `import { b } from "../model/names.ts";`,
    want: [DIRECTION],
  },
  "an example imports the kit": {
    file: "examples/web_app.ts",
    code: `import { operator } from "../src/kit/mod.ts";`,
    want: [],
  },
  "an example imports odoo": {
    file: "examples/web_app.ts",
    code: `import { n } from "../src/odoo/model/names.ts";`,
    want: [DIRECTION],
  },
  "an example imports tools": {
    file: "examples/web_app.ts",
    code: `import { n } from "../tools/build.ts";`,
    want: [DIRECTION],
  },
  "the test of an example imports the support code": {
    file: "examples/web_app_test.ts",
    code: `import { n } from "../tests/support/apiserver.ts";`,
    want: [],
  },
  "dev, tests and tools import anything": {
    file: "tests/unit/machine/decide_test.ts",
    code:
      `import { d } from "../../../src/odoo/machine/decide.ts"; import { I } from "../../../src/odoo/crd/mod.ts"; import { z } from "zod";`,
    want: [],
  },

  // import-direction: other ways to write an import
  "a dynamic import of the wrong layer": {
    file: "src/odoo/ports/s3.ts",
    code: `await import("../shell/run.ts");`,
    want: [DIRECTION],
  },
  "a computed import": { file: "src/odoo/shell/run.ts", code: `await import(name + ".ts");`, want: [DIRECTION] },
  "a type import in a type": {
    file: "src/odoo/model/a.ts",
    code: `export type A = import("../shell/run.ts").A;`,
    want: [DIRECTION],
  },
  "a type import in a type, allowed": {
    file: "src/odoo/model/a.ts",
    code: `export type A = import("../crd/mod.ts").A;`,
    want: [],
  },
  "an import for its side effects": {
    file: "src/odoo/model/a.ts",
    code: `import "../shell/run.ts";`,
    want: [DIRECTION],
  },
  "import equals require": { file: "src/cli/a.ts", code: `import fs = require("fs");`, want: [DIRECTION] },

  // import-direction: packages
  "client-node as types, anywhere": {
    file: "src/odoo/resources/pod.ts",
    code: `import type { V1Pod } from "@kubernetes/client-node";`,
    want: [],
  },
  "client-node at run time": {
    file: "src/kit/client.ts",
    code: `import { KubeConfig } from "@kubernetes/client-node";`,
    want: [DIRECTION],
  },
  "client-node, lazily, in kubeconfig.ts": {
    file: "src/kit/kubeconfig.ts",
    code: `await import("@kubernetes/client-node");`,
    want: [],
  },
  "client-node, a part of it": {
    file: "src/kit/client.ts",
    code: `import { A } from "@kubernetes/client-node/dist/config.js";`,
    want: [DIRECTION],
  },
  "zod in kit/crd.ts and odoo/crd": { file: "src/odoo/crd/shared.ts", code: `import { z } from "zod";`, want: [] },
  "zod in the model": { file: "src/odoo/model/resolve.ts", code: `import { z } from "zod";`, want: [DIRECTION] },
  "zod in the model by type": {
    file: "src/odoo/model/resolve.ts",
    code: `import type { z } from "zod";`,
    want: [DIRECTION],
  },
  "pg in its port": { file: "src/odoo/ports/postgres.ts", code: `import pg from "pg";`, want: [] },
  "pg in the shell": { file: "src/odoo/shell/observe.ts", code: `import pg from "pg";`, want: [DIRECTION] },
  "S3 in the wrong port": {
    file: "src/odoo/ports/notify.ts",
    code: `import { S3 } from "@aws-sdk/client-s3";`,
    want: [DIRECTION],
  },
  "LogTape in the kit": { file: "src/kit/log.ts", code: `import { configure } from "@logtape/logtape";`, want: [] },
  "LogTape outside the kit": {
    file: "src/odoo/shell/run.ts",
    code: `import { getLogger } from "@logtape/logtape";`,
    want: [DIRECTION],
  },
  "prom-client in the kit": { file: "src/kit/metrics.ts", code: `import { Registry } from "prom-client";`, want: [] },
  "yaml in the shell and the command line": {
    file: "src/odoo/shell/config.ts",
    code: `import { parse } from "yaml";`,
    want: [],
  },
  "yaml in the model": { file: "src/odoo/model/resolve.ts", code: `import { parse } from "yaml";`, want: [DIRECTION] },
  "node:https for the webhook": {
    file: "src/kit/admission.ts",
    code: `import { createServer } from "node:https";`,
    want: [],
  },
  "node:https elsewhere in the kit": {
    file: "src/kit/client.ts",
    code: `import { request } from "node:https";`,
    want: [DIRECTION],
  },
  "node:https as types for the credentials": {
    file: "src/kit/kubeconfig.ts",
    code: `import type { R } from "node:https";`,
    want: [],
  },
  "node:https at run time for the credentials": {
    file: "src/kit/kubeconfig.ts",
    code: `import { R } from "node:https";`,
    want: [DIRECTION],
  },
  "x509 for the PKI": {
    file: "src/kit/pki.ts",
    code: `import "reflect-metadata"; import * as x509 from "@peculiar/x509";`,
    want: [],
  },
  "x509 in an example": {
    file: "examples/web_app.ts",
    code: `import * as x509 from "@peculiar/x509";`,
    want: [DIRECTION],
  },
  "node:crypto in kit/hash.ts": {
    file: "src/kit/hash.ts",
    code: `import { createHash } from "node:crypto";`,
    want: [],
  },
  "node:crypto in the core": {
    file: "src/odoo/model/names.ts",
    code: `import { createHash } from "node:crypto";`,
    want: [DIRECTION],
  },
  "another module of node": {
    file: "src/kit/client.ts",
    code: `import { readFile } from "node:fs/promises";`,
    want: [DIRECTION],
  },
  "a package that nobody allowed": { file: "src/kit/client.ts", code: `import axios from "axios";`, want: [DIRECTION] },
  "@std by its alias": { file: "src/cli/run.ts", code: `import { parseArgs } from "@std/cli/parse-args";`, want: [] },
  "@std by its path": {
    file: "src/cli/run.ts",
    code: `import { parseArgs } from "../std/parse_args.ts";`,
    want: [DIRECTION],
  },
  "a stand-in of @std over node": {
    file: "src/std/parse_args.ts",
    code: `import { parseArgs } from "node:util";`,
    want: [],
  },
});
