/** The program without a cluster, as a process with a kubeconfig: it gives up in time and says why, whoever is (not) there. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { stringify } from "yaml";
import { createCertificateAuthority } from "../../dev/certificates.ts";
import { freePort } from "../../dev/processes.ts";

/** What the program allows an API server, and what its own start may take on a busy machine. */
const GIVES_UP_AFTER_MS = 15_000;
const STARTS_WITHIN_MS = 10_000;

const CA = await createCertificateAuthority();

interface Ending {
  readonly code: number;
  readonly lines: readonly string[];
  readonly afterMs: number;
}

/** Runs `main.ts` against an API server that should be at `port`. */
async function runAgainst(port: number): Promise<Ending> {
  const kubeconfig = await Deno.makeTempFile({ suffix: ".kubeconfig" });
  const name = "nobody";
  await Deno.writeTextFile(
    kubeconfig,
    stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{
        name,
        cluster: { "server": `https://127.0.0.1:${port}`, "certificate-authority-data": btoa(CA.certPem) },
      }],
      users: [{ name, user: {} }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    }),
  );
  const startedMs = performance.now();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "main.ts", "--operator-namespace=odoo"],
    cwd: new URL("../../", import.meta.url),
    env: { KUBECONFIG: kubeconfig },
    stdin: "null",
  }).output();
  await Deno.remove(kubeconfig);
  const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
  return { code, lines, afterMs: performance.now() - startedMs };
}

function assertGivenUp({ code, lines, afterMs }: Ending, why: RegExp): void {
  assertEquals(code, 1);
  assertMatch(lines.at(-1) ?? "", why);
  const others = lines.slice(0, -1).filter((line) => !/^\S+ (info|warning) /.test(line));
  assertEquals(others, []);
  assert(afterMs > GIVES_UP_AFTER_MS - 1_000, `it gave up after ${Math.round(afterMs)} ms already`);
  assert(afterMs < GIVES_UP_AFTER_MS + STARTS_WITHIN_MS, `it took ${Math.round(afterMs)} ms`);
}

Deno.test("main() ends with 1 and one line after 15 s when nobody listens at the API server's address, or nobody answers", async () => {
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // the kernel takes the connections, nobody reads them
  const [refused, silent] = await Promise.all([runAgainst(freePort()), runAgainst(deaf.addr.port)]);
  assertGivenUp(refused, /^Cannot use the Kubernetes API: Cannot GET \/version: .*[Cc]onnection refused/);
  assertGivenUp(silent, /^Cannot use the Kubernetes API: Cannot GET \/version: no answer in \d+ ms$/);
});
