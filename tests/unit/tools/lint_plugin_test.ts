/** The other rules of tools/lint_plugin.ts: each is broken on purpose, and kept. */
import { assertEquals } from "@std/assert";
import { DIRECTION, lint, lintCases, PURE, VOCABULARY } from "./lint_cases.ts";

lintCases({
  // pure-core
  "a pure layer awaits": {
    file: "src/odoo/planners/steady.ts",
    code: `export async function a() { await b(); }`,
    want: [PURE, PURE],
  },
  "a pure layer awaits in a loop": {
    file: "src/odoo/planners/a.ts",
    code: `for await (const a of b) c(a);`,
    want: [PURE],
  },
  "a pure layer has an async arrow": {
    file: "src/odoo/machine/a.ts",
    code: `export const a = async () => {};`,
    want: [PURE],
  },
  "a pure layer touches Deno": { file: "src/odoo/model/a.ts", code: `Deno.readTextFileSync("x");`, want: [PURE] },
  "a pure layer reads the clock": {
    file: "src/odoo/machine/a.ts",
    code: `new Date(); Date.now(); Date();`,
    want: [PURE, PURE, PURE],
  },
  "a pure layer computes with a given time": {
    file: "src/odoo/machine/a.ts",
    code: `new Date(world.now).toISOString(); Date.parse(t);`,
    want: [],
  },
  "a pure layer draws a random number": { file: "src/odoo/resources/a.ts", code: `Math.random();`, want: [PURE] },
  "a pure layer uses crypto": { file: "src/odoo/model/a.ts", code: `crypto.randomUUID();`, want: [PURE] },
  "a pure layer fetches and sleeps": {
    file: "src/odoo/crd/a.ts",
    code: `fetch("/x"); setTimeout(a, 1);`,
    want: [PURE, PURE],
  },
  "a pure layer takes a detour": { file: "src/odoo/crd/a.ts", code: `globalThis.fetch("/x");`, want: [PURE] },
  "a pure layer reads where it lies": {
    file: "src/odoo/crd/a.ts",
    code: `export const a = import.meta.url;`,
    want: [PURE],
  },
  "a pure layer declares a class": { file: "src/odoo/model/a.ts", code: `export class A {}`, want: [PURE] },
  "a pure file of the kit awaits": {
    file: "src/kit/builders/job.ts",
    code: `export const a = async () => {};`,
    want: [PURE],
  },
  "names of globals as properties": {
    file: "src/odoo/model/a.ts",
    code:
      `export interface A { fetch(): void; readonly crypto: string } const a = { process: 1, performance: b.performance }; f(a);`,
    want: [],
  },
  "the shell may do all that": {
    file: "src/odoo/shell/a.ts",
    code: `await fetch(crypto.randomUUID() + Date.now());`,
    want: [],
  },

  // the smaller rules
  "the kit names its guest in a comment": {
    file: "src/kit/queue.ts",
    code: `// as ODOO needs it`,
    want: [VOCABULARY],
  },
  "the kit names its guest in a text": {
    file: "src/kit/queue.ts",
    code: `export const a = "myOdooThing";`,
    want: [VOCABULARY],
  },
  "console outside the command line": {
    file: "src/odoo/shell/run.ts",
    code: `console.error("x");`,
    want: ["house/no-console"],
  },
  "console in the command line": { file: "src/cli/run.ts", code: `console.log("x");`, want: [] },
  "console in the tools": { file: "tools/build.ts", code: `console.log("x");`, want: [] },
  "a field named console": { file: "src/kit/log.ts", code: `sinks.console = sink;`, want: [] },
  "the environment in config.ts": { file: "src/odoo/shell/config.ts", code: `Deno.env.toObject();`, want: [] },
  "the environment elsewhere": {
    file: "src/odoo/pod/backup.ts",
    code: `Deno.env.get("HOME");`,
    want: ["house/environment"],
  },
  "the environment by another spelling": {
    file: "src/cli/run.ts",
    code: `Deno["env"].get("HOME");`,
    want: ["house/environment"],
  },
  "the environment handed on": { file: "src/cli/run.ts", code: `run(Deno.env);`, want: ["house/environment"] },
  "kubeconfig.ts finds the cluster": {
    file: "src/kit/kubeconfig.ts",
    code: `Deno.env.get("KUBECONFIG"); Deno.env.get("HOME"); Deno.env.get("KUBERNETES_SERVICE_HOST");`,
    want: [],
  },
  "kubeconfig.ts reads more": {
    file: "src/kit/kubeconfig.ts",
    code: `Deno.env.get("POD_NAME"); Deno.env.get(name); Deno.env.toObject();`,
    want: ["house/environment", "house/environment", "house/environment"],
  },
  "the environment in a tool": { file: "dev/demo.ts", code: `Deno.env.get("HOME");`, want: [] },
  "a cast through unknown": {
    file: "src/kit/a.ts",
    code: `f(a as unknown as string);`,
    want: ["house/no-cast-through-unknown"],
  },
  "a cast through any, in a test": {
    file: "tests/unit/a_test.ts",
    code: `f(a as any as string);`,
    want: ["house/no-cast-through-unknown"],
  },
  "a cast to unknown": { file: "src/kit/a.ts", code: `f(a as unknown);`, want: [] },
  "a non-null assertion": { file: "tests/unit/a_test.ts", code: `f(a!.b);`, want: ["house/no-non-null"] },
  "a negation": { file: "src/kit/a.ts", code: `f(!a, a !== b);`, want: [] },
});

Deno.test("lintPlugin judges an absolute path by its place in the repository when deno lint hands it one", () => {
  const file = decodeURIComponent(new URL("../../../src/kit/queue.ts", import.meta.url).pathname);
  assertEquals(lint(file, `import "../odoo/a.ts";`).toSorted(), [DIRECTION, VOCABULARY]);
});
