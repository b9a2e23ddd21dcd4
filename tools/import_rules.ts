/**
 * The import rules, as tables that tools/lint_plugin.ts reads: which layer may import which, and what a pure layer must not contain.
 * Whoever changes them changes the architecture and says so in docs/decisions. Paths are written from the repository root.
 */

/** Where each layer may reach besides itself: path prefixes of this repository. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["src/cli/"],
  "src/std/": [],
  "src/kit/": [],
  "src/odoo/api.ts": [],
  "src/odoo/crd/": ["src/odoo/api.ts", "src/kit/types.ts", "src/kit/crd.ts"],
  "src/odoo/model/": [
    "src/odoo/api.ts",
    "src/odoo/crd/",
    "src/kit/types.ts",
    "src/kit/conditions.ts",
    "src/kit/hash.ts",
    "src/kit/builders/kinds.ts", // what a World holds
    "src/kit/admission_review.ts",
    "src/kit/quantity.ts",
  ],
  "src/odoo/resources/": [
    "src/odoo/api.ts",
    "src/odoo/crd/",
    "src/odoo/model/",
    "src/kit/types.ts",
    "src/kit/builders/",
    "src/kit/hash.ts",
    "src/kit/quantity.ts",
    "scripts/",
  ],
  "src/odoo/planners/": [
    "src/odoo/api.ts",
    "src/odoo/crd/",
    "src/odoo/model/",
    "src/odoo/resources/",
    "src/kit/timestamp.ts",
    "src/kit/types.ts",
    "src/kit/conditions.ts",
    "src/kit/builders/kinds.ts",
  ],
  "src/odoo/machine/": [
    "src/odoo/api.ts",
    "src/odoo/crd/",
    "src/odoo/model/",
    "src/odoo/resources/",
    "src/odoo/planners/",
    "src/kit/timestamp.ts",
    "src/kit/types.ts",
    "src/kit/conditions.ts",
    "src/kit/builders/",
  ],
  "src/odoo/ports/": ["src/odoo/api.ts", "src/odoo/crd/", "src/odoo/model/", "src/kit/mod.ts"],
  "src/odoo/pod/": [
    "src/odoo/api.ts",
    "src/odoo/crd/",
    "src/odoo/model/",
    "src/odoo/ports/s3.ts",
    "src/odoo/ports/postgres.ts",
    "src/kit/clock.ts",
    "src/kit/errors.ts",
    "src/kit/log.ts",
  ],
  "src/odoo/shell/": [
    "src/odoo/api.ts",
    "src/odoo/crd/",
    "src/odoo/model/",
    "src/odoo/resources/",
    "src/odoo/planners/",
    "src/odoo/machine/",
    "src/odoo/ports/",
    "src/kit/mod.ts",
  ],
  "src/cli/": [
    "src/odoo/shell/",
    "src/odoo/pod/",
    "src/odoo/machine/",
    "src/odoo/model/",
    "src/odoo/crd/",
    "src/kit/mod.ts",
    "crds/",
  ],
  "examples/": ["src/kit/"],
};

/** Layers outside src that may import anything of the repository, and any package. */
export const FREE_LAYERS: readonly string[] = ["dev/", "tests/", "tools/"];

/** Packages that every file of src and examples may import. */
export const EVERYWHERE: readonly string[] = ["@std/*"];

/** Packages that may enter, and the only files (or folders) of src and examples that they may enter through. */
export const ONLY_IN: Readonly<Record<string, readonly string[]>> = {
  "@aws-sdk/client-s3": ["src/odoo/ports/s3.ts"],
  "@kubernetes/client-node": ["src/kit/kubeconfig.ts"],
  "@logtape/*": ["src/kit/"],
  "@peculiar/x509": ["src/kit/admission.ts", "src/kit/pki.ts"],
  "@smithy/*": ["src/odoo/ports/s3.ts"],
  "@types/pg": ["src/odoo/ports/postgres.ts"],
  "@zip.js/zip.js": ["src/odoo/pod/"],
  "node:assert": ["src/std/"],
  "node:buffer": ["src/kit/kubeconfig.ts", "src/kit/packing.ts"],
  "node:crypto": ["src/kit/hash.ts", "src/odoo/pod/", "src/odoo/shell/secrets.ts"],
  "node:https": ["src/kit/admission.ts", "src/kit/pki.ts"],
  "node:process": ["src/kit/memory.ts"], // how much of the processor was used
  "node:stream": ["src/odoo/pod/", "src/odoo/ports/s3.ts"],
  "node:zlib": ["src/odoo/pod/", "src/kit/packing.ts"], // crc32; deflate
  "node:dns/promises": ["src/odoo/pod/service_host.ts"], // where a name leads, as a connection would find it
  "node:util": ["src/std/", "src/odoo/shell/secrets.ts"],
  "pg": ["src/odoo/ports/postgres.ts"],
  "prom-client": ["src/kit/"],
  "reflect-metadata": ["src/kit/admission.ts", "src/kit/pki.ts"],
  "yaml": ["src/cli/", "src/odoo/shell/"],
  "zod": ["src/kit/crd.ts", "src/odoo/crd/", "examples/my_crd.ts"],
};

/** Packages that may also be named by `import type`, and where: that costs nothing at run time. */
export const FREE_AS_TYPES: Readonly<Record<string, readonly string[]>> = {
  "@kubernetes/client-node": ["src/", "examples/", "main.ts"],
  "node:https": ["src/kit/kubeconfig.ts"], // client-node hands out its credentials in terms of these
};

/** Folders that the rest of src and examples may import by `import type` only: what they pull in stays out of the binary. */
export const TYPES_ONLY_FROM: readonly string[] = ["src/odoo/crd/"];

/** Where the rule pure-core holds: the pure layers, and the files of the kit that these build upon. */
export const PURE: readonly string[] = [
  "src/odoo/api.ts",
  "src/odoo/crd/",
  "src/odoo/model/",
  "src/odoo/resources/",
  "src/odoo/planners/",
  "src/odoo/machine/",
  "src/kit/types.ts",
  "src/kit/admission_review.ts",
  "src/kit/builders/",
  "src/kit/conditions.ts",
  "src/kit/crd.ts",
  "src/kit/hash.ts",
  "src/kit/quantity.ts",
  "src/kit/timestamp.ts",
];

/** Syntax that a pure layer does not contain, and why. */
export const IMPURE: Readonly<Record<string, string>> = {
  "AwaitExpression": "waits",
  "ForOfStatement[await=true]": "waits",
  "FunctionDeclaration[async=true]": "waits",
  "FunctionExpression[async=true]": "waits",
  "ArrowFunctionExpression[async=true]": "waits",
  "ImportExpression": "loads code at run time",
  "NewExpression[callee.name='Date'][arguments.length=0]": "reads the clock",
  "CallExpression[callee.name='Date']": "reads the clock",
  "MemberExpression[object.name='Date'][property.name='now']": "reads the clock",
  "MemberExpression[object.name='Math'][property.name='random']": "draws a random number",
  "MemberExpression[object.type='MetaProperty']": "depends on where the file lies",
  "ClassDeclaration": "holds state in a class",
  "ClassExpression": "holds state in a class",
};

/** Globals whose mere mention makes a layer impure. */
export const IMPURE_GLOBALS: readonly string[] = [
  "Bun",
  "Deno",
  "WebSocket",
  "Worker",
  "console",
  "crypto",
  "fetch",
  "globalThis",
  "localStorage",
  "navigator",
  "performance",
  "process",
  "queueMicrotask",
  "setInterval",
  "setTimeout",
];

const CLUSTER_VARIABLES = /^(KUBECONFIG|HOME|KUBERNETES_SERVICE_[A-Z_]+)$/;

/** Who may read which environment variables; everybody else in src is handed a value. */
export const ENVIRONMENT_READERS: Readonly<Record<string, RegExp>> = {
  "src/odoo/shell/config.ts": /^/,
  "src/cli/job.ts": /^/, // which is no part of the operator, and has no flags: its pod is made by the operator
  "src/kit/access.ts": CLUSTER_VARIABLES, // finds the cluster; loads kubeconfig.ts only when there is a kubeconfig
  "src/kit/kubeconfig.ts": CLUSTER_VARIABLES,
};
