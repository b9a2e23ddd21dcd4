/** Another Odoo whose database manager a backup is fetched from, and a restore that does so. */
import { assertEquals } from "@std/assert";
import { type BackupKind, type RestoreAttempt, SIDE } from "./restore_rig.ts";

/** A double that runs. */
export interface OdooDouble extends AsyncDisposable {
  readonly url: string;
  /** Forms that it was sent. */
  readonly asked: URLSearchParams[];
}

/** TEST DOUBLE of another Odoo's database manager: answers as `answer` has it, and lists `databases`. */
export function startOdoo(
  answer: (form: URLSearchParams) => Response,
  databases: readonly string[] = ["old"],
): OdooDouble {
  const asked: URLSearchParams[] = [];
  const listener = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/web/database/list") return Response.json({ jsonrpc: "2.0", id: 1, result: databases });
    if (pathname !== "/web/database/backup") return new Response("moved here", { status: 404 });
    const form = new URLSearchParams(await request.text());
    asked.push(form);
    return answer(form);
  });
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    asked,
    [Symbol.asyncDispose]: () => listener.shutdown(),
  };
}

export const MASTER_PASSWORD = "master & secret";

/** A restore of what that Odoo makes of itself. */
export function fromOdoo(odoo: OdooDouble, format: BackupKind, database = ""): RestoreAttempt {
  return {
    format,
    env: { RESTORE_SOURCE: "odoo", SOURCE_URL: odoo.url, SOURCE_DATABASE: database, SOURCE_PASSWORD: MASTER_PASSWORD },
    look: async (data) => {
      const left = await Array.fromAsync(Deno.readDir(`${data}/filestore`)).catch(() => []);
      assertEquals(left.filter(({ name }) => name !== SIDE), [], "the download is still there");
    },
  };
}
