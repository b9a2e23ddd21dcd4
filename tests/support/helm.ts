/** The real helm on this repository's chart: renders, lints and installs it. */
import { parseAllDocuments } from "yaml";
import { findBinaries } from "../../dev/binaries.ts";
import type { KubeObject } from "../../src/kit/types.ts";

const CHART = decodeURIComponent(new URL("../../charts/odoo-operator", import.meta.url).pathname);

/** Values as a values file would have them. */
export type Values = Readonly<Record<string, unknown>>;

/** How a run of helm ended. */
export interface HelmResult {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@linkcode Helm}'s commands. */
export interface ReleaseOptions {
  readonly release?: string;
  readonly namespace?: string;
  readonly values?: Values;
}

/** Helm with a home of its own, removed when this is disposed of. */
export class Helm implements AsyncDisposable {
  readonly #program: string;
  readonly #home: string;
  readonly #kubeconfig: string | undefined;

  constructor(program: string, options: { readonly home: string; readonly kubeconfig?: string | undefined }) {
    this.#program = program;
    this.#home = options.home;
    this.#kubeconfig = options.kubeconfig;
  }

  /** `helm lint --strict`. */
  lint(values: Values = {}): Promise<HelmResult> {
    return this.#run(["lint", "--strict", CHART], values);
  }

  /** `helm template`. */
  template(options: ReleaseOptions = {}): Promise<HelmResult> {
    const { release = "odoo-operator", namespace = "operators", values = {} } = options;
    return this.#run(["template", release, CHART, "--namespace", namespace], values);
  }

  /** The rendered objects. Throws with helm's words when it refuses. */
  async render(options: ReleaseOptions = {}): Promise<KubeObject[]> {
    const { stdout } = must(await this.template(options));
    return parseAllDocuments(stdout).flatMap((document) => document.toJS() ?? []);
  }

  /** `helm upgrade --install`; resolves to what it prints. */
  async install(options: ReleaseOptions = {}): Promise<string> {
    const { release = "odoo-operator", namespace = "operators", values = {} } = options;
    return must(await this.#run(["upgrade", "--install", release, CHART, "--namespace", namespace], values)).stdout;
  }

  /** `helm uninstall`; resolves to what it prints. */
  async uninstall({ release = "odoo-operator", namespace = "operators" }: ReleaseOptions = {}): Promise<string> {
    return must(await this.#run(["uninstall", release, "--namespace", namespace])).stdout;
  }

  async #run(args: readonly string[], values: Values = {}): Promise<HelmResult> {
    const file = await Deno.makeTempFile({ dir: this.#home, suffix: ".json" });
    await Deno.writeTextFile(file, JSON.stringify(values)); // JSON is YAML
    const takesValues = args[0] !== "uninstall";
    const command = new Deno.Command(this.#program, {
      args: [...args, ...(takesValues ? ["--values", file] : [])],
      env: {
        HELM_CACHE_HOME: `${this.#home}/cache`,
        HELM_CONFIG_HOME: `${this.#home}/config`,
        HELM_DATA_HOME: `${this.#home}/data`,
        KUBECONFIG: this.#kubeconfig ?? "/dev/null", // never somebody's real cluster
      },
      stdin: "null",
    });
    const { success, stdout, stderr } = await command.output();
    const text = new TextDecoder();
    return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#home, { recursive: true });
  }
}

/** Finds or builds helm. Without a kubeconfig it can render and lint only. */
export async function startHelm(kubeconfig?: string): Promise<Helm> {
  const { helm } = await findBinaries(["helm"]);
  return new Helm(helm, { home: await Deno.makeTempDir({ prefix: "helm-" }), kubeconfig });
}

function must(result: HelmResult): HelmResult {
  if (!result.success) throw new Error(`helm failed: ${result.stderr || result.stdout}`);
  return result;
}
