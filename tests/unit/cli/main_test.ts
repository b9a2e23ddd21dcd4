/** The program as its users meet it: a process with arguments, an environment, two streams and an exit code. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseAllDocuments } from "yaml";
import { SETTLED, TRANSITIONS } from "../../../src/odoo/machine/transitions.ts";

interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function odooOperator(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ending> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "-A", "main.ts", ...args],
    cwd: new URL("../../../", import.meta.url),
    clearEnv: true,
    env: { DENO_DIR: CACHE, HOME: "/no/such/home", ...env },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Where this deno has its packages: without it, the child would fetch them again into the HOME that it is given. */
async function cacheFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stderr: "null" }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

const CACHE = await cacheFolder();

const USAGE: Readonly<Record<string, { readonly args: readonly string[]; readonly want: string }>> = {
  "a flag is unknown": { args: ["--operator-namespace=odoo", "--defualt-odoo-image=x"], want: "--defualt-odoo-image" },
  "a flag of run is unknown": { args: ["run", "--nope"], want: "--nope" },
  "the namespace is missing": { args: ["run"], want: "--operator-namespace" },
  "nothing at all is given": { args: [], want: "--operator-namespace" },
  "a default is not JSON": {
    args: ["--operator-namespace=odoo", "--default-odoo-resources={"],
    want: "--default-odoo-resources",
  },
  "the command is unknown": { args: ["walk"], want: "run, crds, diagram" },
};

for (const [sentence, { args, want }] of Object.entries(USAGE)) {
  Deno.test(`main() ends with 2 and one line on stderr when ${sentence}`, async () => {
    const { code, stdout, stderr } = await odooOperator(args);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^Cannot [^\n]+\n$/);
    assertStringIncludes(stderr, want);
  });
}

Deno.test("main() ends with 1 and says so in its last line when there is no kubeconfig at all", async () => {
  const { code, stderr } = await odooOperator(["--operator-namespace=odoo"]);
  assertEquals(code, 1);
  assertMatch(stderr.trimEnd().split("\n").at(-1) ?? "", /^Cannot find a cluster: .*KUBECONFIG/);
});

Deno.test("main() ends with 1 and says so in its last line when the kubeconfig cannot be read", async () => {
  const { code, stderr } = await odooOperator(["--operator-namespace=odoo"], { KUBECONFIG: "/no/such/kubeconfig" });
  assertEquals(code, 1);
  assertMatch(stderr.trimEnd().split("\n").at(-1) ?? "", /^Cannot .*kubeconfig.*\/no\/such\/kubeconfig/);
});

Deno.test("main() ends with 1 and says so in its last line when the kubeconfig names no cluster", async () => {
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(path, "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n");
    const { code, stderr } = await odooOperator(["--operator-namespace=odoo"], { KUBECONFIG: path });
    assertEquals(code, 1);
    assertMatch(stderr.trimEnd().split("\n").at(-1) ?? "", /^Cannot .*cluster/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("main() ends with 1 and one line on stderr when a webhook certificate is named that is missing or empty", async () => {
  const empty = await Deno.makeTempFile();
  try {
    for (const path of ["/no/such/tls.crt", empty]) {
      const flag = await odooOperator(["--operator-namespace=odoo", `--webhook-tls-cert=${path}`]);
      const variable = await odooOperator(["--operator-namespace=odoo"], { WEBHOOK_TLS_CERT: path });
      for (const { code, stdout, stderr } of [flag, variable]) {
        assertEquals([code, stdout], [1, ""]);
        assertMatch(stderr, /^Cannot use [^\n]+\n$/);
        assertStringIncludes(stderr, path);
      }
    }
  } finally {
    await Deno.remove(empty);
  }
});

Deno.test("main() warns once, and goes on, when no webhook certificate is named and none is there", async () => {
  const { stderr } = await odooOperator(["--operator-namespace=odoo"]);
  assertEquals(stderr.split("\n").filter((line) => line.includes("Not serving the validating webhook")).length, 1);
  assertStringIncludes(stderr, "Cannot find a cluster");
});

Deno.test("main() prints the six CRDs as YAML when asked for crds", async () => {
  const { code, stdout, stderr } = await odooOperator(["crds"]);
  assertEquals([code, stderr], [0, ""]);
  const documents = parseAllDocuments(stdout);
  assert("length" in documents);
  assertEquals(documents.flatMap(({ errors }) => errors), []);
  const crds = documents.map((document) => document.toJS());
  assertEquals(new Set(crds.map(({ kind }) => kind)), new Set(["CustomResourceDefinition"]));
  assertEquals(crds.map(({ metadata }) => metadata.name), [
    "odooinstances.bemade.org",
    "odooinitjobs.bemade.org",
    "odoobackupjobs.bemade.org",
    "odoorestorejobs.bemade.org",
    "odooupgradejobs.bemade.org",
    "odoostagingrefreshjobs.bemade.org",
  ]);
});

Deno.test("main() prints the table as Mermaid when asked for the diagram", async () => {
  const { code, stdout, stderr } = await odooOperator(["diagram"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^stateDiagram-v2\n {2}state settled <<choice>>\n {2}\[\*\] --> Provisioning\n/);
  assertEquals(stdout.trimEnd().split("\n").length, 3 + TRANSITIONS.length + SETTLED.length);
});
