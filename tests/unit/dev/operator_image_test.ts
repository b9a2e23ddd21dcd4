import { assertEquals } from "@std/assert";
import { entrypoint } from "../../../dev/lab/operator_image.ts";
import { COMPILE_COMMAND } from "../../../tools/build.ts";

Deno.test("entrypoint() gives the program the permissions and V8 flags of the executable, and no others", () => {
  const granted = (flags: readonly string[]) => flags.filter((flag) => /^(-A$|--allow-|--v8-flags)/.test(flag));
  assertEquals(granted(entrypoint()), granted(COMPILE_COMMAND));
});

Deno.test("entrypoint() ends with the program, so that a container's arguments are its own", () => {
  assertEquals(entrypoint().at(-1), "/app/main.js");
});
