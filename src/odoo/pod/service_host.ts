/** The addresses behind a name that a tenant gives, looked at before anything is sent there: a name may lead anywhere. */
import { lookup } from "node:dns/promises";
import { literalAddress } from "../model/network/webhook_target.ts";
import { hostProblem, serviceAddressProblem } from "../model/network/service_address.ts";
import { JobError } from "./report.ts";

const UNKNOWN_NAME = /^(ENOTFOUND|ENODATA|EAI_)/;

/** All addresses of a name, as a connection would find them; throws if it has none. */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** Options of {@linkcode assertServiceHost}. */
export interface ServiceHostOptions {
  /** Address of the Kubernetes API server. */
  readonly apiServer?: string | undefined;
  /** @default {that of the system} */
  readonly lookUp?: LookUp;
}

/** @throws {JobError} if the host of `address` is one that no service of a tenant has; what is not known at all is let through */
export async function assertServiceHost(
  address: string,
  { apiServer, lookUp = lookUpInSystem }: ServiceHostOptions = {},
): Promise<void> {
  const { hostname, origin } = new URL(address);
  const problem = hostProblem(hostname) ?? await addressesProblem(hostname, { apiServer, lookUp });
  if (problem) throw new JobError("ServiceRefused", `Cannot connect to ${origin}: ${problem}`);
}

async function addressesProblem(
  hostname: string,
  { apiServer, lookUp }: ServiceHostOptions & { readonly lookUp: LookUp },
): Promise<string | undefined> {
  const literal = literalAddress(hostname);
  const addresses = literal ? [literal] : await addressesOf(hostname, lookUp);
  for (const address of addresses) {
    const problem = serviceAddressProblem(address, apiServer);
    if (problem) return problem;
  }
  return undefined;
}

/** A name that does not resolve yields no addresses: the later connection attempt reports it. */
async function addressesOf(name: string, lookUp: LookUp): Promise<readonly string[]> {
  try {
    return await lookUp(name);
  } catch (error) {
    if (error instanceof Error && "code" in error && UNKNOWN_NAME.test(String(error.code))) return [];
    throw error;
  }
}

async function lookUpInSystem(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}
