/** Stage faults: the API server dies, watches break, a write is turned away; and how soon an edit is answered after that. */
import { OPERATOR_USER } from "../operator.ts";
import { startFaultProxy, WRITE_VERBS } from "../fault_proxy.ts";
import { editAfter } from "./edits.ts";
import { type Figures, summaryOf } from "./figures.ts";
import { growTo, members } from "./population.ts";
import type { BenchRig } from "./rig.ts";

/** So many instances are there, at least; they take turns. */
const POPULATION = 5;

/** The write that is the answer; of those that an edit causes it need not be the first, and others may not wait for each other. */
const ANSWER = /\/deployments\//;

export async function measureFaults(rig: BenchRig): Promise<Figures> {
  await growTo(rig, POPULATION);
  const apiServerRestart = await repeated(rig, "the API server dies", () => rig.cluster.restartApiServer());
  await using proxy = await startFaultProxy(await rig.cluster.accessFor(OPERATOR_USER));
  await rig.restart({ kubeconfig: await proxy.writeKubeconfig(`${rig.cluster.directory}/proxy.kubeconfig`) });
  let watchesReset = 0;
  const watchReset = await repeated(rig, "all watches are reset", () => {
    watchesReset += proxy.endWatches("reset");
  });
  const tooManyRequests = await repeated(rig, "the answer is turned away", () => {
    proxy.heal();
    proxy.onRequest({ verb: WRITE_VERBS, path: ANSWER, hits: 1 }, {
      type: "answer",
      status: 429,
      retryAfterSeconds: 1,
    });
  });
  const struck = proxy.requests.filter(({ faults }) => faults.length > 0).map(({ verb, path }) => `${verb} ${path}`);
  await rig.restart(); // nobody else's figures are to be made through a proxy
  return {
    apiServerRestart,
    watchReset: { ...watchReset, watches: watchesReset },
    tooManyRequests: { ...tooManyRequests, struck },
  };
}

/** Milliseconds from the end of a fault to the answer to an edit, so many times, the operator quiet before each. */
async function repeated(rig: BenchRig, what: string, fault: () => Promise<void> | void): Promise<Figures> {
  const answers: number[] = [];
  for (let time = 1; time <= rig.sizes.times; time++) {
    rig.say(`  ${what}, ${time} of ${rig.sizes.times}`);
    await rig.untilQuiet();
    const [name = ""] = members(POPULATION).slice((time - 1) % POPULATION);
    answers.push(await editAfter(rig, name, fault));
  }
  return summaryOf(answers);
}
