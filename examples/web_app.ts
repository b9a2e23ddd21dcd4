/**
 * An operator on the kit alone: a WebApp becomes a Deployment and a Service, and is Ready when all of its pods are.
 *
 * `kubectl apply --filename examples/web_app.yaml`, then `deno run -A examples/web_app.ts` against the current kubeconfig.
 */
import {
  type Condition,
  container,
  customResource,
  Deployment,
  deployment,
  done,
  nameOf,
  operator,
  Service,
  service,
  setCondition,
  timestamp,
} from "../src/kit/mod.ts";

interface WebAppSpec {
  readonly image: string;
  readonly replicas: number;
}
interface WebAppStatus {
  readonly url?: string;
  readonly conditions?: readonly Condition[];
}

export const WebApp = customResource<WebAppSpec, WebAppStatus>({
  group: "example.com",
  version: "v1",
  kind: "WebApp",
  plural: "webapps",
});

export const webAppOperator = operator(WebApp)
  .owns(Deployment, Service)
  .reconcile(async (app, context) => {
    const { namespace = "", generation = 0 } = app.metadata;
    const { image, replicas } = app.spec;
    const metadata = { name: nameOf(app), namespace };
    const selector = { app: nameOf(app) };
    const web = await context.apply(
      deployment(metadata, { replicas, selector, pod: { containers: [container("web", image)] } }),
    );
    await context.apply(service(metadata, { selector, ports: { http: 80 } }));

    const serving = web.status?.readyReplicas ?? 0;
    const ready = {
      type: "Ready",
      status: serving >= replicas ? "True" : "False",
      reason: serving >= replicas ? "AllPodsReady" : "PodsStarting",
      message: `${serving} of ${replicas} pods are ready`,
      observedGeneration: generation,
    } as const;
    const conditions = setCondition(app.status?.conditions ?? [], ready, timestamp(context.clock.now()));
    await context.setStatus(WebApp, app, { url: `http://${nameOf(app)}.${namespace}`, conditions });
    return done(); // the next change of the WebApp, the Deployment or the Service brings us back
  });

if (import.meta.main) {
  await webAppOperator.run({ health: { hostname: "127.0.0.1", port: 8081 }, logging: { level: "info" } });
}
