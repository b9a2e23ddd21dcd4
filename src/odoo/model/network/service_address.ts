/**
 * Where a service may be that the pod of a Job asks for a tenant: S3, or another Odoo. Anywhere but at what only the platform has,
 * the API server and the places where clouds keep credentials for any client on a node.
 */
import { addressProblem, literalAddress, nameProblem, PRIVATE_RANGES, readAllowedHosts } from "./webhook_target.ts";

/** A pod may go where tenants live, and to itself: of what listens there nothing is lost. */
const ANYWHERE = readAllowedHosts([...PRIVATE_RANGES.split(","), "127.0.0.0/8", "::1", "198.18.0.0/15"]);
const METADATA_NAMES = /^(metadata|metadata\.goog|metadata\.google\.internal|instance-data(\.ec2\.internal)?)\.?$/;

/** Why a host, as `URL.hostname` has it, is refused; a name is judged as it stands, not by where it leads. */
export function hostProblem(host: string): string | undefined {
  if (METADATA_NAMES.test(host)) return "it is a name of the metadata service";
  const literal = literalAddress(host);
  return nameProblem(host) ?? (literal ? serviceAddressProblem(literal) : undefined);
}

/** Why an address is refused; `apiServer` is that of the API server, where it is known. */
export function serviceAddressProblem(address: string, apiServer?: string): string | undefined {
  return addressProblem(address, { host: address, allowed: ANYWHERE, apiServer: apiServer ? [apiServer] : [] });
}
