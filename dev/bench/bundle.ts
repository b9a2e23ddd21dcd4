/** The operator as it is shipped: a bundle, on a Deno that is started like the image starts it. */
import { build, IMAGE_ENVIRONMENT, V8_FLAGS } from "../../tools/build.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** Deno as the image has it: its environment and V8 flags, and no looking for a configuration, packages or caches. */
export const LIKE_COMPILED: readonly string[] = [
  "env",
  ...IMAGE_ENVIRONMENT,
  Deno.execPath(),
  "run",
  "-A",
  V8_FLAGS,
  "--no-config",
  "--no-lock",
  "--no-npm",
  "--no-remote",
  "--no-code-cache",
];

/** Makes the operator's bundle, and returns the command that runs it. */
export async function bundleOperator(): Promise<readonly string[]> {
  await build({ folder: ROOT, steps: ["bundle"], stdio: "null" });
  return [...LIKE_COMPILED, "dist/main.js"];
}

/** Bundles a program of this repository into the file `to`, like the operator. */
export async function bundleProgram(program: string, to: string): Promise<void> {
  const args = ["bundle", "--minify", "-o", to, program];
  const { success } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdout: "null", stderr: "null" })
    .output();
  if (!success) throw new Error(`Cannot measure ${program}: deno bundle failed`);
}
