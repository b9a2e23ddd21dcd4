/**
 * Where the programs of the local cluster come from. TEST DOUBLES: the programs here are scripts that only tell a version,
 * and `go` is one that writes such a script, since a real build takes minutes. What they stand in for is what every
 * other test on a cluster runs.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { findBinaries, programsDirectory } from "../../dev/binaries.ts";
import { LINKER_FLAGS } from "../../dev/go_build.ts";

/** The places that are looked into, in that order, and what is built in the end. */
type Place = "assets" | "path" | "cache";

const GO = `#!/bin/sh
[ "$1" = build ] || exit 0
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho built 99.0\\n' >"$2"
chmod +x "$2"
`;

/** Folders for all places and an environment that knows no others, until it is disposed of. */
class Places implements AsyncDisposable {
  readonly #root: string;
  readonly #before = ["KUBEBUILDER_ASSETS", "PATH", "XDG_CACHE_HOME"].map((name) =>
    [name, Deno.env.get(name)] as const
  );

  constructor(root: string) {
    this.#root = root;
    Deno.env.set("KUBEBUILDER_ASSETS", `${root}/assets`);
    Deno.env.set("PATH", `${root}/path`);
    Deno.env.set("XDG_CACHE_HOME", `${root}/xdg`);
  }

  async folder(place: Place): Promise<string> {
    const folder = place === "cache" ? await programsDirectory() : `${this.#root}/${place}`;
    await Deno.mkdir(folder, { recursive: true });
    return folder;
  }

  async write(place: Place, name: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${await this.folder(place)}/${name}`, text, { mode: 0o755 });
  }

  /** A Go on PATH, with the shell and tools that a build needs. */
  async installGo(): Promise<void> {
    await this.write("path", "go", GO);
    for (const tool of ["sh", "chmod", "rm", "sleep"]) await this.#link(tool);
  }

  async #link(tool: string): Promise<void> {
    await Deno.symlink(`/bin/${tool}`, `${await this.folder("path")}/${tool}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [name, value] of this.#before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    await Deno.remove(this.#root, { recursive: true });
  }
}

async function newPlaces(): Promise<Places> {
  return new Places(await Deno.makeTempDir());
}

function etcd(version: string): string {
  return `#!/bin/sh\necho 'etcd Version: ${version}'\n`;
}

interface Search {
  readonly given: Readonly<Partial<Record<Place, string>>>;
  readonly want: Place;
  /** What is told of those that are not used. */
  readonly passedOver?: readonly RegExp[];
}

const SEARCHES: Record<string, Search> = {
  "takes KUBEBUILDER_ASSETS first": {
    given: { assets: etcd("3.6.0"), path: etcd("3.6.0"), cache: etcd("3.6.0") },
    want: "assets",
  },
  "takes PATH before what it has built": { given: { path: etcd("3.6.0"), cache: etcd("3.6.0") }, want: "path" },
  "takes what it has built before it builds": { given: { cache: etcd("3.6.0") }, want: "cache" },
  "takes the oldest that will do": { given: { assets: etcd("3.5.0"), path: etcd("3.6.0") }, want: "assets" },
  "passes over a program that is too old": {
    given: { assets: etcd("3.4.27"), path: etcd("3.6.0") },
    want: "path",
    passedOver: [/^Passing over \S+\/assets\/etcd: version 3\.4 is older than 3\.5$/],
  },
  "passes over a program of an older major version with a higher minor one": {
    given: { assets: etcd("2.9.0"), cache: etcd("3.6.0") },
    want: "cache",
    passedOver: [/version 2\.9 is older than 3\.5$/],
  },
  "passes over programs that do not start or tell no version": {
    given: { assets: "#!/no/such/interpreter\n", path: "#!/bin/sh\nexit 1\n", cache: etcd("3.6.0") },
    want: "cache",
    passedOver: [/assets\/etcd: it does not run \(/, /path\/etcd: it does not tell its version$/],
  },
};

for (const [sentence, { given, want, passedOver = [] }] of Object.entries(SEARCHES)) {
  Deno.test(`findBinaries() ${sentence}`, async () => {
    await using places = await newPlaces();
    for (const place of ["assets", "path", "cache"] as const) {
      const text = given[place];
      if (text !== undefined) await places.write(place, "etcd", text);
    }
    const lines: string[] = [];
    const found = await findBinaries(["etcd"], { progress: (line) => lines.push(line) });
    assertEquals(found, { etcd: `${await places.folder(want)}/etcd` });
    assertEquals(lines.length, passedOver.length, lines.join("\n"));
    for (const [index, pattern] of passedOver.entries()) assert(pattern.test(lines[index] ?? ""), lines.join("\n"));
  });
}

Deno.test("findBinaries() builds what nobody has, tells which of how many, and keeps it", async () => {
  await using places = await newPlaces();
  await places.installGo();
  await places.write("assets", "kube-scheduler", "#!/bin/sh\necho Kubernetes v1.36.3\n");
  const names = ["etcd", "kube-scheduler", "helm"] as const;
  const lines: string[] = [];
  const progress = (line: string) => lines.push(line);
  const found = await findBinaries(names, { progress });
  const cache = await places.folder("cache");
  assertEquals(found, {
    "etcd": `${cache}/etcd`,
    "kube-scheduler": `${await places.folder("assets")}/kube-scheduler`,
    "helm": `${cache}/helm`,
  });
  const steps = lines.filter((line) => line !== "").map((line) => /^(\w+ \S+ \(\d of \d\))/.exec(line)?.[1] ?? line);
  assertEquals(steps, [
    "Building etcd (1 of 2)",
    "Built etcd (1 of 2)",
    "Building helm (2 of 2)",
    "Built helm (2 of 2)",
  ]);
  lines.length = 0;
  assertEquals(await findBinaries(names, { progress }), found);
  assertEquals(lines, []);
});

Deno.test("findBinaries() names all remedies in one message when something is missing and there is no Go", async () => {
  await using places = await newPlaces();
  await places.write("path", "helm", "#!/bin/sh\necho v4.0.0\n");
  const error = await assertRejects(() => findBinaries(["etcd", "helm", "kwok"], { progress: () => {} }), Error);
  assertEquals(
    error.message,
    "Cannot set up the local cluster: etcd, kwok not found, nor Go to build from. Install Go 1.26 or newer (what is built " +
      "is kept), or put what is missing on PATH or into the folder that KUBEBUILDER_ASSETS names",
  );
});

Deno.test("LINKER_FLAGS stamps the version of Kubernetes that go.mod pins, and asks for the Go that it needs", async () => {
  const goMod = await Deno.readTextFile(new URL("../../dev/controlplane/go.mod", import.meta.url));
  const pinned = /^require k8s\.io\/kubernetes (v\S+)$/m.exec(goMod)?.[1];
  assertEquals(/gitVersion=(\S+)/.exec(LINKER_FLAGS)?.[1], pinned);
  assertEquals(/^go (\d+\.\d+)/m.exec(goMod)?.[1], "1.26"); // the one that the message without Go names
});
