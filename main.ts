/** The one binary: picks the command and runs it with a signal. */
import { main } from "./src/cli/main.ts";
import { terminationSignal } from "./src/kit/mod.ts";

if (import.meta.main) Deno.exit(await main(Deno.args, terminationSignal()));
