/** Laws that hold in every world there is, checked in one walk through all of them. */
import { assert, assertEquals } from "@std/assert";
import type { Phase } from "../../../../src/odoo/crd/mod.ts";
import { assess, transitionOf } from "../../../../src/odoo/machine/assess.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { guards } from "../../../../src/odoo/machine/guards.ts";
import { PHASES } from "../../../../src/odoo/model/phases.ts";
import { SETTLED, type Transition, TRANSITIONS } from "../../../../src/odoo/machine/transitions.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import type { World } from "../../../../src/odoo/model/world.ts";
import { nameOf } from "./plan_facts.ts";
import { LAWS } from "./plan_laws.ts";
import { ALL_PHASES, forEachWorld, frozen } from "./worlds.ts";

/** What the walk has seen. */
interface Survey {
  readonly fired: ReadonlySet<Transition>;
  readonly heldGuards: ReadonlySet<string>;
  readonly worlds: number;
  /** By law: a description of the first world that breaks it, and how many do. */
  readonly broken: ReadonlyMap<string, { readonly first: string; readonly worlds: number }>;
}

let walked: Survey | undefined;

function survey(): Survey {
  if (walked) return walked;
  const fired = new Set<Transition>();
  const heldGuards = new Set<string>();
  const broken = new Map<string, { first: string; worlds: number }>();
  let worlds = 0;
  forEachWorld((world) => {
    worlds += 1;
    const assessment = assess(world);
    const transition = transitionOf(assessment);
    if (transition) fired.add(transition);
    for (const [name, guard] of Object.entries(guards)) {
      if (!heldGuards.has(name) && guard(assessment)) heldGuards.add(name);
    }
    const plan = decide(world);
    for (const [name, law] of Object.entries(LAWS)) {
      if (law(world, plan)) continue;
      const former = broken.get(name);
      broken.set(name, { first: former?.first ?? described(world, plan), worlds: (former?.worlds ?? 0) + 1 });
    }
  });
  return walked = { fired, heldGuards, worlds, broken };
}

for (const law of Object.keys(LAWS)) {
  Deno.test(`decide() ${law}`, () => {
    const { broken } = survey();
    const breach = broken.get(law);
    assertEquals(breach, undefined, `broken in ${breach?.worlds} worlds; the first:\n${breach?.first}`);
  });
}

Deno.test("decide() is pure: the same plan again, and nothing in the world is touched", () => {
  let count = 0;
  forEachWorld((world) => {
    if (count++ % 23 !== 0) return; // a prime: every value of every dimension comes by
    frozen(world);
    assertEquals(decide(world), decide(world));
  });
});

Deno.test("TRANSITIONS uses every guard, and every guard holds in some world", () => {
  const used = new Set<string>(TRANSITIONS.map(({ when }) => when));
  assertEquals(Object.keys(guards).filter((name) => !used.has(name)), []);
  assertEquals(Object.keys(guards).filter((name) => !survey().heldGuards.has(name)), []);
});

Deno.test("TRANSITIONS has no row that never fires because an earlier one always does", () => {
  const { fired } = survey();
  assertEquals(TRANSITIONS.filter((row) => !fired.has(row)), []);
});

Deno.test("TRANSITIONS reaches every phase that has rows from Provisioning, and leads to no dead end", () => {
  const reached = new Set<Phase>(["Provisioning"]);
  for (const phase of reached) {
    for (const { from, to } of TRANSITIONS) {
      const targets = to === "settled" ? SETTLED.map(({ to }) => to) : [to];
      for (const target of targets) if (from === phase) reached.add(target); // a Set visits what is added on the way
    }
  }
  const withRows = new Set(TRANSITIONS.map(({ from }) => from));
  assertEquals([...reached].sort(), [...withRows].sort());
});

Deno.test("TRANSITIONS lead out of every phase", () => {
  const withRows = new Set(TRANSITIONS.map(({ from }) => from));
  assertEquals(ALL_PHASES.filter((phase) => !withRows.has(phase)), []);
});

Deno.test("PHASES gives a serving phase pods, Stopped none, and every phase a sentence", () => {
  for (const phase of ["Starting", "Running", "Degraded"] as const) {
    assertEquals([PHASES[phase].web, PHASES[phase].cron], ["spec", "spec"], phase);
  }
  assertEquals([PHASES.Stopped.web, PHASES.Stopped.cron], ["zero", "zero"]);
  for (const phase of ALL_PHASES) assert(/^[A-Z].*[^.]$/.test(PHASES[phase].message), phase);
});

function described(world: World, plan: Plan): string {
  const { phase, status, cluster, resolved, observed } = world;
  return JSON.stringify(
    {
      phase,
      status,
      cluster: cluster.problem ?? (cluster.facts.known ? [...cluster.facts.databases.keys()] : cluster.facts),
      resolved: resolved ? { webReplicas: resolved.webReplicas } : "missing",
      web: observed.web?.status,
      secrets: [observed.userSecret?.name, observed.configSecret?.name],
      requests: observed.requests.map(({ metadata, status }) => [metadata.name, status]),
      jobStates: [...observed.jobStates],
      effects: plan.effects.map((effect) => `${effect.type} ${nameOf(effect) ?? ""}`.trim()),
    },
    undefined,
    1,
  );
}
