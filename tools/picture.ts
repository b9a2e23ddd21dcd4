/**
 * A terminal's text -> a picture for the README. Reads what a program wrote from stdin:
 *
 *     deno task demo --once | deno run -A tools/picture.ts docs/demo.svg
 */
const COLOURS: Readonly<Record<string, string>> = {
  Provisioning: "#79c0ff",
  Uninitialized: "#a5a5a5",
  Initializing: "#d2a8ff",
  Starting: "#ffa657",
  Running: "#7ee787",
};
const LINE_HEIGHT = 20;
const CHARACTER_WIDTH = 8.4;
const PADDING = 24;

/** An SVG of monospaced text on a dark ground, the phases in colour. */
export function picture(command: string, text: string): string {
  const lines = [`$ ${command}`, "", ...text.trimEnd().split("\n")];
  const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * CHARACTER_WIDTH) + 2 * PADDING;
  const height = lines.length * LINE_HEIGHT + 2 * PADDING;
  const rows = lines.map((line, i) =>
    `<text x="${PADDING}" y="${PADDING + (i + 0.75) * LINE_HEIGHT}">${coloured(line)}</text>`
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="100%" height="100%" rx="10" fill="#0d1117"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#c9d1d9" xml:space="preserve">`,
    ...rows,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

function coloured(line: string): string {
  const escaped = line.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return escaped.replace(
    /\b(Provisioning|Uninitialized|Initializing|Starting|Running)\b/g,
    (phase) => `<tspan fill="${COLOURS[phase]}">${phase}</tspan>`,
  );
}

if (import.meta.main) {
  const [path = "docs/demo.svg"] = Deno.args;
  const text = await new Response(Deno.stdin.readable).text();
  await Deno.writeTextFile(path, picture("npx -y deno@2.9.6 task demo --once", text));
}
