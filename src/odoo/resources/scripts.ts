/** The job scripts, embedded as text; `scripts/` says what each needs and does. */
import init from "../../../scripts/init.sh" with { type: "text" };

export const SCRIPTS = { init } as const;
