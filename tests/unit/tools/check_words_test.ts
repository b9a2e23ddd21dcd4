import { assertEquals } from "@std/assert";
import { checkWords, REFUSED_WORDS, wordProblems } from "../../../tools/check_words.ts";

const PATH = "docs/page.md";

Deno.test("wordProblems() reports every refused word, in any case, with its replacement", () => {
  for (const [word, replacement] of Object.entries(REFUSED_WORDS)) {
    for (const written of [word, word.toUpperCase()]) {
      assertEquals(wordProblems(PATH, `One line.\nThen (${written}).\n`), [
        `${PATH}:2: "${word}": write ${replacement} instead`,
      ]);
    }
  }
});

const CASES: Readonly<Record<string, { readonly text: string; readonly want: readonly string[] }>> = {
  "finds nothing in a text without such words": { text: "Kubernetes restarts the pod.", want: [] },
  "accepts a word that only contains one": {
    text: "intel, storytelling, pendingNotifications, tell_me, wishful",
    want: [],
  },
  "accepts a phrase with other words in between": {
    text: "at your work; a quick look; the way straight back",
    want: [],
  },
  "reports each occurrence with its own line": { text: "tell\n\nit\ntell wish", want: ["1 tell", "4 tell", "4 wish"] },
  "reports a phrase across two lines of a comment": { text: "/** The Job is at\n * work. */", want: ["1 at work"] },
  "reports a phrase across two lines of a script": { text: "# the way\n# back", want: ["1 way back"] },
  "accepts a phrase across two paragraphs": { text: "A pod looks at\n\nwork that waits", want: [] },
};

for (const [sentence, { text, want }] of Object.entries(CASES)) {
  Deno.test(`wordProblems() ${sentence}`, () => {
    const found = wordProblems(PATH, text).map((problem) => /:(\d+): "(.*?)"/.exec(problem)?.slice(1).join(" "));
    assertEquals(found, [...want]);
  });
}

Deno.test("wordProblems() accepts a word in an allowed text of that file, and there only", () => {
  const allowed = [{ path: PATH, text: "`Tell me more`" }];
  assertEquals(wordProblems(PATH, "It prints `Tell me more`.", allowed), []);
  assertEquals(wordProblems("docs/other.md", "It prints `Tell me more`.", allowed).length, 1);
  assertEquals(wordProblems(PATH, "It prints `Tell me less`.", allowed).length, 1);
  assertEquals(wordProblems(PATH, "They tell that it prints `Tell me more`.", allowed).length, 1);
});

Deno.test("checkWords() reads sources, scripts, docs and the two pages at the root, and leaves other files alone", async () => {
  const root = await Deno.makeTempDir();
  try {
    for (const folder of ["src/odoo", "scripts", "docs/decisions", "tests"]) {
      await Deno.mkdir(`${root}/${folder}`, { recursive: true });
    }
    const read = ["src/odoo/a.ts", "scripts/a.py", "scripts/a.sh", "docs/a.md", "docs/decisions/a.md"];
    const ignored = ["src/odoo/a.json", "docs/a.svg", "tests/a.ts", "CHANGELOG.md"];
    for (const path of [...read, ...ignored, "README.md"]) await Deno.writeTextFile(`${root}/${path}`, "# tell\n");
    await Deno.writeTextFile(`${root}/CONTRIBUTING.md`, "# Contributing\n");
    const found = await checkWords(root);
    assertEquals(found.map((problem) => problem.split(":")[0]), [...read, "README.md"].toSorted());
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
