/** The table as a Mermaid diagram and as Markdown. */
import { guards } from "./guards.ts";
import { type PhaseRow, PHASES } from "../model/phases.ts";
import { SETTLED, TRANSITIONS } from "./transitions.ts";

/** A Mermaid state diagram, which GitHub renders. */
export function diagram(): string {
  const rows = TRANSITIONS.map(({ from, when, to }) => `  ${from} --> ${to}: ${when}`);
  const settled = SETTLED.map(({ when = "else", to }) => `  settled --> ${to}: ${when}`);
  return ["stateDiagram-v2", "  state settled <<choice>>", "  [*] --> Provisioning", ...rows, ...settled, ""].join(
    "\n",
  );
}

/** The page docs/state_machine.md, without its heading. */
export function describeMachine(): string {
  const phases = Object.entries(PHASES).map(([phase, row]: [string, PhaseRow]) =>
    `| ${phase} | ${row.web} | ${row.cron} | ${row.progressing ? "yes" : "no"} | ${row.message} |`
  );
  const settled = SETTLED.map(({ when, to }) => when ? `${to} (${when})` : `else ${to}`).join(", ");
  const rows = TRANSITIONS.map(({ from, when, to }) => `| ${from} | ${when} | ${to} |`);
  return [
    "```mermaid",
    diagram().trimEnd(),
    "```",
    "",
    "## Phases",
    "",
    "`spec`: as many pods as the spec wants; `zero`: none; `keep`: as many as there are; `frozen`: `spec`, but",
    "nothing else of the pods changes before the phase ends.",
    "",
    "| phase | web | cron | progressing | what it is |",
    "|---|---|---|---|---|",
    ...phases,
    "",
    "## Transitions",
    "",
    `From a phase, the first row whose guard holds wins. ${
      Object.keys(guards).length
    } guards, ${TRANSITIONS.length} rows.`,
    "",
    "| from | when | to |",
    "|---|---|---|",
    ...rows,
    "",
    `\`settled\` is the first of ${settled}.`,
    "",
  ].join("\n");
}
