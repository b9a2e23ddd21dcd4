/** Laws of the effects of a plan: their order, and what they may write to. */
import type { Effect } from "../../../../src/odoo/model/plan.ts";
import { clusterOf, isSql, type Law } from "./plan_facts.ts";

/** The order of effects, written a second time on purpose: what is first in a plan has the lower number. */
const PLACE_IN_PLAN: Readonly<Record<Effect["type"], number>> = {
  patchInstance: 0,
  ensureUserSecret: 1,
  ownSecret: 1,
  ensureSourceSecret: 1,
  copyPullSecret: 1,
  sql: 2,
  renderConfig: 3,
  adoptConfigMap: 3,
  takeOverFields: 3,
  apply: 4,
  applyIfPresent: 4,
  create: 4,
  deleteChild: 4,
  deleteSecret: 4,
  disown: 4,
  releaseJob: 4,
  jobStatus: 5,
  status: 6,
  removeFinalizer: 6,
  deletePod: 7,
  event: 7,
  notify: 8,
  deleteClaim: 9,
  deleteRequest: 9,
};

export const EFFECT_LAWS: Readonly<Record<string, Law>> = {
  "orders the effects as the contract has it": (_world, plan) => {
    const places = plan.effects.map(({ type }) => PLACE_IN_PLAN[type]);
    return places.every((place, index) => place >= (places[index - 1] ?? 0));
  },
  "deletes no child while the way in stays the same": (_world, plan) =>
    plan.effects.every((effect) => effect.type !== "deleteChild" || effect.object.kind === "Job"),
  "writes no SQL to a cluster of which nothing is known": ({ cluster, otherClusters }, plan) =>
    plan.effects.every((effect) => {
      const name = clusterOf(effect) ?? "";
      const { facts } = cluster.address?.name === name ? cluster : otherClusters?.get(name) ?? {};
      return !isSql(effect) || facts?.known === true;
    }),
  "touches no cluster but those in the status": ({ status }, plan) =>
    plan.effects.every((effect) =>
      !isSql(effect) ||
      [status.activeCluster, status.migrationPreviousCluster, status.migrationTargetCluster].includes(clusterOf(effect))
    ),
  "points children at the cluster that holds the data, and at no other": ({ cluster, otherClusters }, plan) => {
    const others = [...otherClusters?.values() ?? []].flatMap(({ address }) => address?.host ?? []);
    const hosts = others.filter((host) => host !== cluster.address?.host);
    return hosts.length === 0 ||
      plan.effects.every((effect) =>
        effect.type !== "apply" && effect.type !== "renderConfig" ||
        !hosts.some((host) => JSON.stringify(effect).includes(host))
      );
  },
};
