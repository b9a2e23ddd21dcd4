/**
 * Where a notification may go: a tenant's URL and the addresses behind its host → yes, or why not. The operator's place
 * in the network is not the tenant's, so it must not knock for them at every door (docs/decisions/0009).
 *
 * An address is judged as the packet would travel: IPv4 inside IPv6 counts as IPv4. Of IPv6, what is not known to be
 * public or private is refused.
 */

/** Private addresses, where receivers inside a cluster or company live: the webhook targets that are allowed by default. */
export const PRIVATE_RANGES = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7";

/** Targets beyond the public internet that the administrator allows. */
export interface AllowedHosts {
  readonly ranges: readonly AddressRange[];
  /** Names in lower case; one that begins with a dot stands for all names below it. */
  readonly names: readonly string[];
}

/** A CIDR range. */
export interface AddressRange {
  /** 4 or 16. */
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** What the addresses of one host are judged by. */
export interface AddressRules {
  /** The URL's host, as `URL.hostname` has it. */
  readonly host: string;
  readonly allowed: AllowedHosts;
  /** Addresses of the Kubernetes API server. */
  readonly apiServer: readonly string[];
}

const LONGEST_URL = 2_048;

/** The names by which pods reach the API server; never a webhook target, whatever they resolve to. */
const API_SERVER_NAMES = /^kubernetes(\.default(\.svc(\..+)?)?)?$/;

const NEVER = ranges(
  "0.0.0.0/8", // "this host"
  "169.254.0.0/16", // link-local, and the metadata service of most clouds
  "192.0.0.0/24", // protocols; metadata at Oracle
  "100.100.100.200/32", // metadata at Alibaba
  "168.63.129.16/32", // Azure's host
  "224.0.0.0/3", // multicast, reserved, broadcast
  "fd00:ec2::254/128", // metadata at Amazon
  "fd20:ce::254/128", // metadata at Google
  "2001::/23", // Teredo and other protocols
  "2002::/16", // 6to4: any IPv4 address in another form
);
const PUBLIC_IPV6 = range("2000::/3");
const LISTABLE = [...ranges(...PRIVATE_RANGES.split(",")), ...ranges("127.0.0.0/8", "198.18.0.0/15", "::1/128")];

/** Where IPv6 carries an IPv4 address in its last four bytes: mapped, and NAT64. */
const EMBEDDED_IPV4 = ranges("::ffff:0:0/96", "64:ff9b::/96");

/** The URL of a notification, or what is wrong with it; the text is not quoted, for its path may be a secret. */
export function readWebhookUrl(text: string): { readonly url: URL } | { readonly problem: string } {
  if (text.length > LONGEST_URL) return { problem: `the URL is longer than ${LONGEST_URL} characters` };
  if (!URL.canParse(text)) return { problem: "the URL cannot be read: it must be like https://host/path" };
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return { problem: `the URL's scheme is ${url.protocol.slice(0, 20)} and must be https: or http:` };
  }
  if (url.username || url.password) {
    return { problem: "the URL holds a user name or password: use token or secretTokenSecretRef" };
  }
  if (url.port === "0") return { problem: "the URL's port is 0" };
  return { url };
}

/** The address that a URL's host is; `undefined` if it is a name. */
export function literalAddress(host: string): string | undefined {
  const text = host.replace(/^\[(.*)\]$/, "$1");
  return addressBytes(text) ? text : undefined;
}

/** Why a name is refused, whatever it resolves to; `undefined` if it is not. */
export function nameProblem(host: string): string | undefined {
  return API_SERVER_NAMES.test(plainName(host)) ? "it is the name of the Kubernetes API server" : undefined;
}

/** Why no connection is made to an address; `undefined` if one may be. */
export function addressProblem(address: string, { host, allowed, apiServer }: AddressRules): string | undefined {
  const given = addressBytes(address);
  if (!given) return "it has an address that cannot be read";
  const bytes = judgedBytes(given);
  const isApiServer = apiServer.some((other) => {
    const otherBytes = addressBytes(other);
    return otherBytes && isWithin(bytes, { bytes: judgedBytes(otherBytes), bits: otherBytes.length * 8 });
  });
  if (isApiServer) return "it is the Kubernetes API server";
  if (isWithinAny(bytes, NEVER)) return "it has a link-local, metadata or other special address";
  if (isWithinAny(bytes, LISTABLE)) {
    return isWithinAny(bytes, allowed.ranges) || isNamed(plainName(host), allowed.names)
      ? undefined
      : "it has a private or loopback address that the operator's flag --allowed-webhook-hosts does not name";
  }
  return bytes.length === 4 || isWithin(bytes, PUBLIC_IPV6) ? undefined : "it has a special IPv6 address";
}

/**
 * The entries of `--allowed-webhook-hosts`: addresses, CIDR ranges, names, and `*.domain` for all names below one.
 *
 * @throws {RangeError} naming the entry that is none of these.
 */
export function readAllowedHosts(entries: readonly string[]): AllowedHosts {
  const found: { readonly ranges: AddressRange[]; readonly names: string[] } = { ranges: [], names: [] };
  for (const entry of entries) {
    const isRange = entry.includes("/") || addressBytes(entry) !== undefined;
    if (isRange) found.ranges.push(range(entry));
    else found.names.push(allowedName(entry));
  }
  return found;
}

function allowedName(entry: string): string {
  const name = plainName(entry.toLowerCase());
  if (!/^(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name)) throw unusable(entry);
  // what a URL would take for a number is no name: 0x7f.1 in the list would never match
  if (
    !name.startsWith("*") && (!URL.canParse(`http://${name}`) || literalAddress(new URL(`http://${name}`).hostname))
  ) {
    throw unusable(entry);
  }
  return name.replace(/^\*/, "");
}

function isNamed(host: string, names: readonly string[]): boolean {
  return names.some((name) => name.startsWith(".") ? host.endsWith(name) : host === name);
}

/** Without the dot that only says that the name is complete. */
function plainName(host: string): string {
  return host.replace(/\.$/, "");
}

function ranges(...texts: readonly string[]): AddressRange[] {
  return texts.map(range);
}

function range(text: string): AddressRange {
  const [address = "", length] = text.split("/", 2);
  const bytes = addressBytes(address);
  if (!bytes || text.split("/").length > 2) throw unusable(text);
  const most = bytes.length * 8;
  const bits = length === undefined ? most : Number(length);
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || bits > most)) throw unusable(text);
  return { bytes, bits };
}

function unusable(entry: string): RangeError {
  return new RangeError(`Cannot use ${entry}: it must be an address, a CIDR range, a host name or *.domain`);
}

function isWithinAny(bytes: readonly number[], ranges: readonly AddressRange[]): boolean {
  return ranges.some((range) => isWithin(bytes, range));
}

function isWithin(bytes: readonly number[], range: AddressRange): boolean {
  if (bytes.length !== range.bytes.length) return false;
  return bytes.every((byte, index) => {
    const bits = Math.min(8, Math.max(0, range.bits - index * 8));
    return (byte ^ (range.bytes[index] ?? 0)) >> (8 - bits) === 0;
  });
}

/** The address that a packet to `bytes` reaches: for an embedded IPv4 address, that one. */
function judgedBytes(bytes: readonly number[]): readonly number[] {
  return isWithinAny(bytes, EMBEDDED_IPV4) ? bytes.slice(12) : bytes;
}

/** Four or sixteen bytes; `undefined` for what is no address in its usual form. */
function addressBytes(text: string): readonly number[] | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const bytes = text.split(".").map(Number);
    return bytes.every((byte) => byte < 256) ? bytes : undefined;
  }
  if (!text.includes(":") || !URL.canParse(`http://[${text}]/`)) return undefined;
  // the URL parser knows all forms of IPv6, and writes each in groups of hexadecimal digits
  const [head = "", tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split("::");
  const groups = (part: string) => part ? part.split(":").map((group) => parseInt(group, 16)) : [];
  const [left, right] = [groups(head), groups(tail ?? "")];
  const zeros = Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 255]);
}
