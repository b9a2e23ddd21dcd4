/** scripts/swap_files.sh and remove_files.sh on a real directory, killed with -9 before and after each rename that they do. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const SCRIPTS = decodeURIComponent(new URL("../../scripts/", import.meta.url).pathname);

/** The program of that name, but that it kills whoever called it: before its nth call, or after. */
const DEADLY = `#!/bin/sh
echo >>"$CALLS"
count=$(wc -l <"$CALLS")
[ "$count" -ne "$BEFORE" ] || kill -9 $PPID
[ "$count" -ne "$BEFORE" ] || exit 1
PATH=$REAL_PATH "$(basename "$0")" "$@"
[ "$count" -ne "$AFTER" ] || kill -9 $PPID
`;

/** Directories, and what one file in each holds. */
type Tree = Readonly<Record<string, string>>;

interface Ending {
  readonly code: number;
  readonly report: Readonly<Record<string, unknown>> | undefined;
  readonly tree: Tree;
}

async function plant(root: string, tree: Tree): Promise<void> {
  for (const [name, content] of Object.entries(tree)) {
    await Deno.mkdir(`${root}/${name}`, { recursive: true });
    await Deno.writeTextFile(`${root}/${name}/file`, content);
  }
}

async function treeOf(root: string): Promise<Tree> {
  const found: Record<string, string> = {};
  for await (const { name } of Deno.readDir(root)) found[name] = await textOf(`${root}/${name}/file`) ?? "";
  return found;
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

interface Run {
  readonly script: "swap_files.sh" | "remove_files.sh";
  readonly env: Readonly<Record<string, string>>;
  /** Before and after which call of mv, mkdir or rm the script dies. */
  readonly death?: { readonly before: number; readonly after: number };
}

async function run(root: string, { script, env, death }: Run): Promise<Ending> {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of death ? ["mv", "mkdir", "rm"] : []) {
      await Deno.writeTextFile(`${folder}/${name}`, DEADLY, { mode: 0o755 });
    }
    const path = Deno.env.get("PATH") ?? "";
    const { code } = await new Deno.Command("sh", {
      args: ["-c", await Deno.readTextFile(`${SCRIPTS}${script}`), script],
      clearEnv: true,
      env: {
        PATH: `${folder}:${path}`,
        REAL_PATH: path,
        CALLS: `${folder}/calls`,
        BEFORE: String(death?.before ?? 0),
        AFTER: String(death?.after ?? 0),
        SWAP_FILESTORE: root,
        REMOVE_FILESTORE: root,
        TERMINATION_LOG: `${folder}/message`,
        ...env,
      },
      stdout: "null",
      stderr: "null",
    }).output();
    const message = await textOf(`${folder}/message`);
    return { code, report: message ? JSON.parse(message) : undefined, tree: await treeOf(root) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function swap(direction: string, names: Readonly<Record<string, string>> = {}): Run {
  const env = {
    SWAP_DIRECTION: direction,
    SWAP_LIVE: "shop",
    SWAP_SIDE: "shop_side_1",
    SWAP_OLD: "shop.old-1",
    ...names,
  };
  return { script: "swap_files.sh", env };
}

async function inFilestore(tree: Tree, work: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await plant(root, tree);
    await work(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const BEFORE: Tree = { shop: "former", shop_side_1: "copy", other: "other" };
const AFTER: Tree = { shop: "copy", "shop.old-1": "former", other: "other" };
const EMPTY_BEFORE: Tree = { shop_side_1: "copy" };
const EMPTY_AFTER: Tree = { shop: "copy", "shop.old-1": "" };

/** Ways, from where and to where. */
const WAYS: Readonly<Record<string, { readonly direction: string; readonly from: Tree; readonly to: Tree }>> = {
  "forward": { direction: "forward", from: BEFORE, to: AFTER },
  "back": { direction: "back", from: AFTER, to: BEFORE },
  "forward for an instance without files": { direction: "forward", from: EMPTY_BEFORE, to: EMPTY_AFTER },
  "back from half-way": {
    direction: "back",
    from: { "shop.old-1": "former", shop_side_1: "copy" },
    to: { shop: "former", shop_side_1: "copy" },
  },
  "back where nothing was done": { direction: "back", from: BEFORE, to: BEFORE },
};

for (const [sentence, { direction, from, to }] of Object.entries(WAYS)) {
  Deno.test(`swap_files.sh goes ${sentence}, and changes nothing when it is run again`, () =>
    inFilestore(from, async (root) => {
      for (let round = 0; round < 2; round++) {
        const { code, report, tree } = await run(root, swap(direction));
        assertEquals([code, report?.ok, report?.direction, tree], [0, true, direction, to]);
        if (round > 0) assertEquals(report?.renamed, 0);
      }
    }));

  for (let call = 1; call <= 4; call++) {
    for (const death of [{ before: call, after: 0 }, { before: 0, after: call }]) {
      const when = death.before ? "before" : "after";
      Deno.test(`swap_files.sh goes ${sentence} to the same end when it was killed ${when} call ${call}`, () =>
        inFilestore(from, async (root) => {
          const died = await run(root, { ...swap(direction), death });
          assert(died.code === 137 || died.report?.ok, "it was neither killed nor done");
          const { code, tree } = await run(root, swap(direction));
          assertEquals([code, tree], [0, to]);
        }));
    }
  }
}

/** What is not swapped: nothing may change. */
const REFUSED: Readonly<
  Record<string, { readonly tree: Tree; readonly env?: Readonly<Record<string, string>>; readonly reason: string }>
> = {
  "all three are there": { tree: { ...BEFORE, "shop.old-1": "x" }, reason: "SwapConflict" },
  "the copy is missing": { tree: { shop: "former" }, reason: "SideFilesMissing" },
  "a name leads out of the filestore": { tree: BEFORE, env: { SWAP_SIDE: "../other" }, reason: "NameRefused" },
  "the direction is another": { tree: BEFORE, env: { SWAP_DIRECTION: "sideways" }, reason: "SettingsMissing" },
};

for (const [sentence, { tree, env, reason }] of Object.entries(REFUSED)) {
  Deno.test(`swap_files.sh renames nothing when ${sentence}`, () =>
    inFilestore(tree, async (root) => {
      const ending = await run(root, swap("forward", env));
      assertEquals([ending.code, ending.report?.reason, ending.tree], [1, reason, tree]);
    }));
}

Deno.test("swap_files.sh follows no link", () =>
  inFilestore({ shop: "former", elsewhere: "x" }, async (root) => {
    await Deno.symlink(`${root}/elsewhere`, `${root}/shop_side_1`);
    const { report } = await run(root, swap("forward"));
    assertEquals(report?.reason, "NameRefused");
  }));

Deno.test("swap_files.sh takes names as they are, whatever is in them", () =>
  inFilestore({ '-a "b" $(id)': "former", "-s *": "copy" }, async (root) => {
    const names = { SWAP_LIVE: '-a "b" $(id)', SWAP_SIDE: "-s *", SWAP_OLD: "-o" };
    const there = await run(root, swap("forward", names));
    assertEquals([there.code, there.tree], [0, { '-a "b" $(id)': "copy", "-o": "former" }]);
    const again = await run(root, swap("forward", { ...names, SWAP_OLD: "o\\" }));
    assertEquals(again.report?.reason, "SideFilesMissing");
    assertStringIncludes(String(again.report?.error), "-s *");
  }));

function remove(name: string, names: Readonly<Record<string, string>> = {}): Run {
  return {
    script: "remove_files.sh",
    env: { REMOVE_NAME: name, REMOVE_PATTERN: "shop.old-*", REMOVE_KEEP: "shop", ...names },
  };
}

Deno.test("remove_files.sh removes one directory and its download, and nothing else; a second time there is nothing", () =>
  inFilestore({ ...AFTER, "shop.old-1.download": "zip" }, async (root) => {
    const first = await run(root, remove("shop.old-1"));
    assertEquals([first.code, first.report, first.tree], [0, { ok: true, removed: true }, {
      shop: "copy",
      other: "other",
    }]);
    const second = await run(root, remove("shop.old-1"));
    assertEquals([second.code, second.report], [0, { ok: true, removed: false }]);
  }));

Deno.test("remove_files.sh comes to the same end when it was killed", () =>
  inFilestore(AFTER, async (root) => {
    await run(root, { ...remove("shop.old-1"), death: { before: 1, after: 0 } });
    assertEquals((await run(root, remove("shop.old-1"))).tree, { shop: "copy", other: "other" });
  }));

/** What is not removed. */
const KEPT: Readonly<Record<string, Run>> = {
  "it is the instance's own": remove("shop", { REMOVE_PATTERN: "*" }),
  "it does not match": remove("other"),
  "it leads out of the filestore": remove("../shop.old-1", { REMOVE_PATTERN: "*" }),
  "it is the filestore itself": remove(".", { REMOVE_PATTERN: "*" }),
};

for (const [sentence, what] of Object.entries(KEPT)) {
  Deno.test(`remove_files.sh removes nothing when ${sentence}`, () =>
    inFilestore(AFTER, async (root) => {
      const { code, report, tree } = await run(root, what);
      assertEquals([code, report?.reason, tree], [1, "NameRefused", AFTER]);
    }));
}
