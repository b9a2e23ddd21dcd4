import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { configInputsHash, configText, renderConfig } from "../../../../../src/odoo/model/instance/config_text.ts";
import { anAddress, aResolved } from "../../../../support/builders.ts";

function rendered(configOptions: Record<string, string> = {}, adminPasswd?: string): string {
  return renderConfig(configText(aResolved({ spec: { configOptions } }), anAddress()), adminPasswd);
}

/** The value of an option as a reader of the file finds it; `undefined` if the line is missing. */
function option(file: string, name: string): string | undefined {
  const lines = file.split("\n").filter((line) => line.startsWith(`${name} = `));
  assert(lines.length <= 1, `${name} stands there ${lines.length} times`);
  return lines[0]?.slice(name.length + 3);
}

Deno.test("renderConfig() writes upstream's options in upstream's order, without db_password", () => {
  assertEquals(
    rendered({}, "$pbkdf2-sha512$hash"),
    `[options]
data_dir = /var/lib/odoo
logfile = 
log_level = info
proxy_mode = True
addons_path = /opt/odoo/addons,/opt/odoo/odoo/addons,/mnt/extra-addons
db_host = pg.example.com
db_port = 5432
db_name = odoo_0b8f1f5e_7f2c_4f6e_9d3a_0000000000a1
db_user = odoo.blue.shop
list_db = False
http_interface = 0.0.0.0
http_port = 8069
max_cron_threads = 2
admin_passwd = $pbkdf2-sha512$hash
`,
  );
});

Deno.test("renderConfig() writes no admin_passwd when there is none", () => {
  assertEquals(option(rendered(), "admin_passwd"), undefined);
});

Deno.test("configText() appends the user's options sorted, whatever their order in the spec", () => {
  const file = rendered({ workers: "4", limit_time_cpu: "60", smtp_server: "mail" });
  assertEquals(file, rendered({ smtp_server: "mail", workers: "4", limit_time_cpu: "60" }));
  assertEquals(file.split("\n").slice(-4, -1), ["limit_time_cpu = 60", "smtp_server = mail", "workers = 4"]);
});

Deno.test("configText() lets the user's value win in the place of ours", () => {
  const file = rendered({
    log_level: "debug",
    list_db: "True",
    proxy_mode: "False",
    max_cron_threads: "1",
    logfile: "/tmp/x",
  });
  assertEquals(
    ["log_level", "list_db", "proxy_mode", "max_cron_threads", "logfile"].map((name) => option(file, name)),
    ["debug", "True", "False", "1", "/tmp/x"],
  );
  assertEquals(file.split("\n")[2], "logfile = /tmp/x");
});

Deno.test("configText() does not let the user say where the data is", () => {
  const taken = {
    data_dir: "/tmp",
    db_host: "evil",
    db_port: "1",
    db_name: "theirs",
    db_user: "postgres",
    http_interface: "::1",
    http_port: "1",
  };
  assertEquals(rendered(taken), rendered());
});

Deno.test("configText() puts the user's addons after the standard ones, and none for an empty path", () => {
  const addons = (path: string) => option(rendered({ addons_path: path }), "addons_path");
  assertEquals(addons("/mnt/mine,/mnt/yours"), "/opt/odoo/addons,/opt/odoo/odoo/addons,/mnt/mine,/mnt/yours");
  assertEquals(addons(""), "/opt/odoo/addons,/opt/odoo/odoo/addons");
});

Deno.test("configText() takes no password from the options", () => {
  assertEquals(rendered({ admin_passwd: "plain-text", db_password: "plain-text" }), rendered());
});

Deno.test("configText() holds neither the instance's nor the cluster's passwords", () => {
  const text = JSON.stringify(configText(aResolved(), anAddress()));
  assert(!text.includes("master-secret") && !text.includes("admin-secret"), text);
});

Deno.test("configInputsHash() changes with text, admin password and role password, and with nothing else", () => {
  const text = configText(aResolved(), anAddress());
  const hash = configInputsHash(text, "secret", "uid/1");
  assertEquals(
    configInputsHash(configText(aResolved({ spec: { replicas: 5 } }), anAddress()), "secret", "uid/1"),
    hash,
  );
  const moved = configText(aResolved(), anAddress({ host: "other.example.com" }));
  for (
    const other of [
      configInputsHash(moved, "secret", "uid/1"),
      configInputsHash(text, "other", "uid/1"),
      configInputsHash(text, "secret", "uid/2"),
    ]
  ) assertNotEquals(other, hash);
});

Deno.test("configText() says how the connection is protected, whatever the user says, and only if the cluster says so", () => {
  const text = configText(
    aResolved({ spec: { configOptions: { db_sslmode: "disable" } } }),
    anAddress({ sslMode: "verify-full" }),
  );
  assertEquals(option(renderConfig(text, undefined), "db_sslmode"), "verify-full");
  assertEquals(option(rendered(), "db_sslmode"), undefined);
});

Deno.test("configInputsHash() changes with the certificate that the pods believe", () => {
  const hash = (sslRootCert?: string) =>
    configInputsHash(configText(aResolved(), anAddress({ sslMode: "verify-ca", sslRootCert })), "x", "1");
  assertEquals(new Set([hash(), hash("a"), hash("b")]).size, 3);
});
