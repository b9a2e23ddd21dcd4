/**
 * LogTape, set up once by the program's entry: one line per record on stderr, as text for people or JSON for machines.
 * Messages are constants; what varies is in the fields.
 */
import { configure, getLogger, jsonLinesFormatter, type Logger, type LogLevel, type LogRecord } from "@logtape/logtape";

export { getLogger, type Logger };

/** Options of {@linkcode configureLogging}. */
export interface LoggingOptions {
  /** @default {"text"} */
  readonly format?: "text" | "json";
  /** @default {"info"} */
  readonly level?: LogLevel;
  /** Where lines go. @default stderr */
  readonly write?: (line: string) => void;
}

/** Sends every logger's records to stderr (or `write`). Calling it again replaces the former set-up. */
export async function configureLogging(options: LoggingOptions = {}): Promise<void> {
  const { format = "text", level = "info", write = writeToStderr } = options;
  const formatter = format === "json" ? jsonLinesFormatter : textLine;
  await configure({
    reset: true,
    sinks: { lines: (record: LogRecord) => write(formatter(record)) },
    loggers: [
      { category: [], sinks: ["lines"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "error" },
    ],
  });
}

/** `2026-11-21T04:00:00.000Z info  Instance changed phase from=Starting key=shop/blue` */
function textLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const fields = Object.entries(record.properties).map(([name, value]) => ` ${name}=${fieldText(value)}`).join("");
  return `${time} ${record.level.padEnd(7)} ${record.message.join("")}${fields}\n`;
}

function fieldText(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value !== "string") return jsonOf(value);
  return value === "" || /[\s"=\p{Cc}]/u.test(value) ? JSON.stringify(value) : value;
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "undefined";
  } catch {
    return JSON.stringify(String(value)); // a cycle or a bigint: logging must not fail
  }
}

const encoder = new TextEncoder();

function writeToStderr(line: string): void {
  Deno.stderr.writeSync(encoder.encode(line));
}
