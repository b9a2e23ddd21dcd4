/** docs/troubleshooting.md against the sources: what is told to people as a reason is explained to them. */
import { assert, assertEquals } from "@std/assert";

const ROOT = decodeURIComponent(new URL("../../../", import.meta.url).pathname);

/** How a reason stands in a source; where several are named in one place, all of them count. */
const PLACES: Readonly<Record<string, readonly RegExp[]>> = {
  ts: [
    /\breason: ((?:\w+ \| |"\w+" \| )*"\w+")/g, // a value, or a union of values
    /\btype \w*Reason =((?:\s*\|?\s*"\w+")+)/g,
    /\breadonly reason:((?:\s*\|?\s*(?:\w+|"\w+"))+);/g,
    /\bJobError\(\s*("\w+")/g,
    /\b(?:failed|retriable|refused)\(\s*("\w+")/g,
    /^\s*("[A-Z]\w+"),\n\s*"[A-Z][^"]* /gm, // in a table: the reason, then its sentence
  ],
  sh: [/\bfail ([A-Z]\w+)/g, /\brun ([A-Z]\w+) odoo/g, /'reason', '(\w+)'/g],
  py: [/("[A-Z][a-z]+(?:[A-Z][a-z]+)+")/g, /"reason": ("\w+")/g, /return ("[A-Z]\w+"),/g],
};

async function filesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${folder}`)) {
    if (isDirectory) found.push(...await filesIn(`${folder}/${name}`));
    else found.push(`${folder}/${name}`);
  }
  return found;
}

/** Every reason in the sources, and where it was found first. */
async function reasons(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const path of [...await filesIn("src/odoo"), "src/cli/job.ts", ...await filesIn("scripts")]) {
    const text = await Deno.readTextFile(`${ROOT}${path}`);
    for (const pattern of PLACES[path.split(".").at(-1) ?? ""] ?? []) {
      for (const [, place = ""] of text.matchAll(pattern)) {
        const words = place.includes('"') ? [...place.matchAll(/"(\w+)"/g)].map(([, word = ""]) => word) : [place];
        for (const word of words) if (/^[A-Z]/.test(word) && !found.has(word)) found.set(word, path);
      }
    }
  }
  return found;
}

Deno.test("docs/troubleshooting.md explains every reason that the sources give", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/troubleshooting.md`);
  const missing = [...await reasons()].filter(([reason]) => !page.includes(`\`${reason}\``));
  assertEquals(missing, []);
});

/** One of each way in which reasons are given. */
const SAMPLES = [
  "Waiting",
  "TokenUnusable",
  "QueueFull",
  "S3Busy",
  "ZipBomb",
  "DumpTooNew",
  "NoModules",
  "DatabaseLocked",
  "UpdateFailed",
  "RowCountsDiffer",
  "PostgresTooOld",
  "Interrupted",
  "ModuleMissingOnDisk",
  "DeadlineExceeded",
];

Deno.test("docs/troubleshooting.md is compared with all ways in which reasons are given", async () => {
  const found = await reasons();
  assertEquals(SAMPLES.filter((reason) => !found.has(reason)), []);
  assert(found.size > 100, `only ${found.size} reasons were found`);
});
