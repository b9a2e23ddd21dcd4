/** One small file of code per sentence, and the rules of tools/lint_plugin.ts that must report it. */
import { assertEquals } from "@std/assert";
import plugin from "../../../tools/lint_plugin.ts";

export const DIRECTION = "house/import-direction";
export const PURE = "house/pure-core";
export const VOCABULARY = "house/kit-vocabulary";

export interface LintCase {
  readonly file: string;
  readonly code: string;
  /** One rule per report, in any order. */
  readonly want: readonly string[];
}

/** The rules that report this code, one entry per report. */
export function lint(file: string, code: string): string[] {
  return Deno.lint.runPlugin(plugin, file, code).map(({ id }) => id);
}

/** Registers a test for each sentence. */
export function lintCases(cases: Readonly<Record<string, LintCase>>): void {
  for (const [sentence, { file, code, want }] of Object.entries(cases)) {
    Deno.test(`lintPlugin ${want.length === 0 ? "accepts" : "reports"}: ${sentence}`, () => {
      assertEquals(lint(file, code).toSorted(), want.toSorted(), `${file}: ${code}`);
    });
  }
}
