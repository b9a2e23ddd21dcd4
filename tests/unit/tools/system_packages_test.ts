import { assertEquals, assertRejects } from "@std/assert";
import { ensureSystemPackages, type Machine, thisMachine } from "../../../tools/system_packages.ts";

interface FakeMachine extends Machine {
  readonly log: readonly string[];
}

/** A machine whose apt-get installs whatever it is asked for. */
function machineWith(options: {
  readonly programs: readonly string[];
  readonly isRoot: boolean;
  /** What others install until it is our turn. */
  readonly before?: (programs: Set<string>) => Promise<void>;
}): FakeMachine {
  const programs = new Set(options.programs);
  const log: string[] = [];
  return {
    log,
    isRoot: options.isRoot,
    has: (program) => Promise.resolve(programs.has(program)),
    say: (text) => void log.push(`says ${text}`),
    alone: (work) => options.before ? options.before(programs).then(work) : work(),
    run: (program, args) => {
      log.push(`runs ${program} ${args.filter((argument) => !/^-|=/.test(argument)).join(" ")}`);
      if (args.includes("install")) { for (const argument of args) programs.add(argument); }
      return Promise.resolve();
    },
  };
}

Deno.test("ensureSystemPackages() does nothing when everything is there", async () => {
  const machine = machineWith({ programs: ["openssl"], isRoot: false });
  await ensureSystemPackages(["openssl"], machine);
  assertEquals(machine.log, []);
});

Deno.test("ensureSystemPackages() says what it installs before it installs the missing packages", async () => {
  const machine = machineWith({ programs: ["apt-get", "openssl"], isRoot: true });
  await ensureSystemPackages(["shellcheck", "openssl"], machine);
  assertEquals(machine.log, [
    "says Installing Debian packages that the tests need: shellcheck",
    "runs apt-get update",
    "runs apt-get install shellcheck",
  ]);
});

Deno.test("ensureSystemPackages() waits for its turn and installs only what is still missing then", async () => {
  const machine = machineWith({
    programs: ["apt-get"],
    isRoot: true,
    before: (programs) => Promise.resolve(void programs.add("openssl")),
  });
  await ensureSystemPackages(["shellcheck", "openssl"], machine);
  assertEquals(machine.log.at(-1), "runs apt-get install shellcheck");
  assertEquals(machine.log.length, 3);
});

for (
  const [sentence, machine] of Object.entries({
    "nobody may install": machineWith({ programs: ["apt-get"], isRoot: false }),
    "there is no apt-get": machineWith({ programs: [], isRoot: true }),
  })
) {
  Deno.test(`ensureSystemPackages() names what to install when ${sentence}`, async () => {
    await assertRejects(
      () => ensureSystemPackages(["shellcheck", "openssl"], machine),
      Error,
      "install shellcheck and openssl",
    );
    assertEquals(machine.log, []);
  });
}

Deno.test("ensureSystemPackages() fails when a package brings no program of its name", async () => {
  const machine = { ...machineWith({ programs: ["apt-get"], isRoot: true }), run: () => Promise.resolve() };
  await assertRejects(() => ensureSystemPackages(["shellcheck"], machine), Error, "not on the PATH");
});

Deno.test("thisMachine() finds a program on the PATH, and no program of a made-up name", async () => {
  assertEquals(await thisMachine().has("sh"), true);
  assertEquals(await thisMachine().has("no-such-program-anywhere"), false);
});
