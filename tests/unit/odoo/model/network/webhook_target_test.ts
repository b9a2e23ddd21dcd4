import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  addressProblem,
  type AllowedHosts,
  literalAddress,
  nameProblem,
  PRIVATE_RANGES,
  readAllowedHosts,
  readWebhookUrl,
} from "../../../../../src/odoo/model/network/webhook_target.ts";

const STANDARD = readAllowedHosts(PRIVATE_RANGES.split(","));
const NONE = readAllowedHosts([]);

function problemOf(address: string, allowed: AllowedHosts, host = "hook.example.com"): string | undefined {
  return addressProblem(address, { host, allowed, apiServer: ["10.96.0.1", "2001:db8::1"] });
}

/** The host of a URL → the address that it is after all disguises; all of them are refused, even if private ones are not. */
const DISGUISES: Readonly<Record<string, { readonly given: string; readonly want: string }>> = {
  "in plain sight": { given: "http://169.254.169.254/latest/", want: "169.254.169.254" },
  "in decimal": { given: "http://2852039166/", want: "169.254.169.254" },
  "in octal": { given: "http://0251.0376.0251.0376/", want: "169.254.169.254" },
  "in hexadecimal": { given: "http://0xa9.0xfe.0xa9.0xfe/", want: "169.254.169.254" },
  "in one hexadecimal number": { given: "http://0xa9fea9fe/", want: "169.254.169.254" },
  "in a mixture": { given: "http://0xa9.254.43518/", want: "169.254.169.254" },
  "with a dot at the end": { given: "http://169.254.169.254./", want: "169.254.169.254" },
  "in fullwidth digits": { given: "http://１６９.２５４.１６９.２５４/", want: "169.254.169.254" },
  "in escapes": { given: "http://%31%36%39.254.169.254/", want: "169.254.169.254" },
  "behind backslashes": { given: "http:\\\\169.254.169.254\\", want: "169.254.169.254" },
  "mapped into IPv6": { given: "http://[::ffff:169.254.169.254]/", want: "::ffff:a9fe:a9fe" },
  "mapped into IPv6, in hexadecimal": { given: "http://[::ffff:a9fe:a9fe]/", want: "::ffff:a9fe:a9fe" },
  "compatible with IPv6": { given: "http://[::169.254.169.254]/", want: "::a9fe:a9fe" },
  "by NAT64": { given: "http://[64:ff9b::169.254.169.254]/", want: "64:ff9b::a9fe:a9fe" },
  "by 6to4": { given: "http://[2002:a9fe:a9fe::]/", want: "2002:a9fe:a9fe::" },
  "link-local IPv6": { given: "http://[fe80::1]/", want: "fe80::1" },
  "metadata of Amazon": { given: "http://[fd00:ec2::254]/", want: "fd00:ec2::254" },
  "this host": { given: "http://0/", want: "0.0.0.0" },
  "unspecified IPv6": { given: "http://[::]/", want: "::" },
  "multicast": { given: "http://224.0.0.1/", want: "224.0.0.1" },
  "multicast IPv6": { given: "http://[ff02::1]/", want: "ff02::1" },
  "broadcast": { given: "http://255.255.255.255/", want: "255.255.255.255" },
  "loopback": { given: "http://127.1/", want: "127.0.0.1" },
  "loopback in octal": { given: "http://0177.0.0.1/", want: "127.0.0.1" },
  "loopback in decimal": { given: "http://2130706433/", want: "127.0.0.1" },
  "loopback IPv6": { given: "http://[0:0:0:0:0:0:0:1]/", want: "::1" },
  "loopback mapped into IPv6": { given: "http://[::ffff:7f00:1]/", want: "::ffff:7f00:1" },
  "loopback by NAT64": { given: "http://[64:ff9b::7f00:1]/", want: "64:ff9b::7f00:1" },
  "the API server": { given: "https://10.96.0.1/", want: "10.96.0.1" },
  "the API server mapped into IPv6": { given: "https://[::ffff:10.96.0.1]/", want: "::ffff:a60:1" },
  "the API server's IPv6": { given: "https://[2001:db8:0::1]/", want: "2001:db8::1" },
};

for (const [sentence, { given, want }] of Object.entries(DISGUISES)) {
  Deno.test(`addressProblem() refuses an address when it is given ${sentence}`, () => {
    const read = readWebhookUrl(given);
    assert("url" in read);
    assertEquals(literalAddress(read.url.hostname), want);
    assert(problemOf(want, STANDARD));
  });
}

/** Addresses, and whether they may be notified with the standard list and with an empty one. */
const ORDINARY: Readonly<Record<string, { readonly standard: boolean; readonly none: boolean }>> = {
  "93.184.216.34": { standard: true, none: true },
  "2606:2800:220:1::1": { standard: true, none: true },
  "::ffff:93.184.216.34": { standard: true, none: true },
  "64:ff9b::5db8:d822": { standard: true, none: true },
  "9.255.255.255": { standard: true, none: true },
  "10.0.0.0": { standard: true, none: false },
  "10.255.255.255": { standard: true, none: false },
  "11.0.0.0": { standard: true, none: true },
  "172.15.255.255": { standard: true, none: true },
  "172.31.0.1": { standard: true, none: false },
  "172.32.0.0": { standard: true, none: true },
  "192.168.1.1": { standard: true, none: false },
  "100.64.0.1": { standard: true, none: false },
  "100.128.0.0": { standard: true, none: true },
  "fd12::1": { standard: true, none: false },
  "::ffff:10.0.0.7": { standard: true, none: false },
  "198.18.0.1": { standard: false, none: false },
  "127.0.0.1": { standard: false, none: false },
  "100.100.100.200": { standard: false, none: false },
  "168.63.129.16": { standard: false, none: false },
  "192.0.0.192": { standard: false, none: false },
  "2001::1": { standard: false, none: false },
  "4000::1": { standard: false, none: false },
  "fec0::1": { standard: false, none: false },
  "10.0.0.256": { standard: false, none: false },
  "fe80::1%eth0": { standard: false, none: false },
  "": { standard: false, none: false },
};

for (const [address, want] of Object.entries(ORDINARY)) {
  Deno.test(`addressProblem() judges ${address || "nothing"} when private ranges are allowed, and when none is`, () => {
    const judged = { standard: !problemOf(address, STANDARD), none: !problemOf(address, NONE) };
    assertEquals(judged, want);
  });
}

Deno.test("addressProblem() lets a named host have private and loopback addresses, no metadata", () => {
  const allowed = readAllowedHosts(["Hooks.Internal.", "*.ops.svc", "127.0.0.9"]);
  for (const host of ["hooks.internal", "hooks.internal.", "a.ops.svc", "a.b.ops.svc."]) {
    assertEquals(problemOf("10.1.2.3", allowed, host), undefined, host);
    assertEquals(problemOf("127.0.0.1", allowed, host), undefined, host);
    assert(problemOf("169.254.169.254", allowed, host), host);
    assert(problemOf("10.96.0.1", allowed, host), host);
  }
  for (const host of ["other.internal", "ops.svc", "aops.svc", "hooks.internal.example.com"]) {
    assertStringIncludes(problemOf("10.1.2.3", allowed, host) ?? "", "--allowed-webhook-hosts", host);
  }
  assertEquals(problemOf("127.0.0.9", allowed, "127.0.0.9"), undefined);
});

Deno.test("nameProblem() refuses the API server's names, and no others", () => {
  const refused = ["kubernetes", "kubernetes.default", "kubernetes.default.", "kubernetes.default.svc.cluster.local"];
  for (const name of refused) assert(nameProblem(name), name);
  for (const name of ["kubernetes.example.com", "kubernetes.defaults", "mykubernetes"]) {
    assertEquals(nameProblem(name), undefined, name);
  }
});

/** URLs that are no URL of a webhook, and what the problem names. */
const NO_WEBHOOKS: Readonly<Record<string, { readonly given: string; readonly want: string }>> = {
  "it is a file": { given: "file:///etc/passwd", want: "file:" },
  "it is a script": { given: "javascript:alert(1)", want: "javascript:" },
  "it is FTP": { given: "ftp://example.com/", want: "ftp:" },
  "it is gopher": { given: "gopher://example.com/_x", want: "gopher:" },
  "it is relative": { given: "//example.com/x", want: "cannot be read" },
  "it is empty": { given: "", want: "cannot be read" },
  "its port is too large": { given: "http://example.com:65536/", want: "cannot be read" },
  "its IPv6 address has a zone": { given: "http://[fe80::1%25eth0]/", want: "cannot be read" },
  "it holds a user": { given: "https://user@example.com/", want: "user name or password" },
  "it holds a password": { given: "https://:key-4711@example.com/", want: "user name or password" },
  "it is too long": { given: `https://example.com/${"x".repeat(2_048)}`, want: "longer than" },
  "its port is 0": { given: "http://example.com:0/", want: "port" },
};

for (const [sentence, { given, want }] of Object.entries(NO_WEBHOOKS)) {
  Deno.test(`readWebhookUrl() refuses a URL when ${sentence}`, () => {
    const read = readWebhookUrl(given);
    assert("problem" in read);
    assertStringIncludes(read.problem, want);
    assert(!read.problem.includes("4711"), "the problem quotes the URL");
  });
}

Deno.test("readAllowedHosts() refuses what is neither address, range nor name", () => {
  const refused = ["10.0.0.0/33", "fd00::/129", "10.0.0.0/8/8", "10.0.0.0/", "10.0.0/8", "http://a", "a b", "0x7f.1"];
  for (const entry of [...refused, "", "*", "a*b.c", "1.2.3.4.5"]) {
    assertThrows(() => readAllowedHosts([entry]), RangeError, `Cannot use ${entry}`);
  }
});
