/** A person's session with Odoo over HTTP: the login form, then calls as the web client makes them, and downloads. */

/** Reaches the web pods of an instance; `path` begins with a slash. */
export type Fetch = (path: string, init?: RequestInit) => Promise<Response>;

/** A record as Odoo sends it. */
export type OdooRecord = Readonly<Record<string, unknown>>;

const LOGIN = "/web/login";

/** A session that is logged in. */
export class OdooSession {
  readonly #fetch: Fetch;
  readonly #cookie: string;

  private constructor(fetch: Fetch, cookie: string) {
    this.#fetch = fetch;
    this.#cookie = cookie;
  }

  /** Fills in the login form. `undefined`: Odoo has shown the form again. */
  static async login(fetch: Fetch, password: string, login = "admin"): Promise<OdooSession | undefined> {
    const form = await fetch(LOGIN);
    const page = await form.text();
    const token = /name="csrf_token"\s+value="([^"]+)"/.exec(page)?.[1];
    if (!form.ok || !token) throw new Error(`Cannot log in: ${LOGIN} answers ${form.status} without a form`);
    const answer = await fetch(LOGIN, {
      method: "POST",
      redirect: "manual",
      headers: { "content-type": "application/x-www-form-urlencoded", cookie: cookieOf(form) },
      body: new URLSearchParams({ csrf_token: token, login, password }).toString(),
    });
    await answer.body?.cancel();
    if (answer.status === 200) return undefined;
    if (answer.status !== 303) throw new Error(`Cannot log in: Odoo answers ${answer.status}`);
    return new OdooSession(fetch, cookieOf(answer) || cookieOf(form));
  }

  /** Calls a method of a model. */
  async call(model: string, method: string, args: readonly unknown[], kwargs: OdooRecord = {}): Promise<unknown> {
    const path = `/web/dataset/call_kw/${model}/${method}`;
    const response = await this.#fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", cookie: this.#cookie },
      body: JSON.stringify({ jsonrpc: "2.0", method: "call", id: 1, params: { model, method, args, kwargs } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Cannot call ${model}.${method}: Odoo answers ${response.status}`);
    const { result, error } = JSON.parse(text) as { result?: unknown; error?: { data?: { message?: string } } };
    if (error) throw new Error(`Cannot call ${model}.${method}: ${error.data?.message ?? JSON.stringify(error)}`);
    return result;
  }

  /** Records that match, in the order of their ids. */
  async search(model: string, domain: readonly unknown[], fields: readonly string[]): Promise<readonly OdooRecord[]> {
    return await this.call(model, "search_read", [domain, fields], { order: "id" }) as readonly OdooRecord[];
  }

  /** Creates records; resolves to their ids. */
  async create(model: string, records: readonly OdooRecord[]): Promise<readonly number[]> {
    return await this.call(model, "create", [records]) as readonly number[];
  }

  /** The value of a system parameter; `undefined` if there is none. */
  async parameter(key: string): Promise<unknown> {
    const [found] = await this.search("ir.config_parameter", [["key", "=", key]], ["value"]);
    return found?.value;
  }

  /** The content of an attachment, as it is downloaded. */
  async download(id: number): Promise<Uint8Array<ArrayBuffer>> {
    const response = await this.#fetch(`/web/content/${id}?download=true`, { headers: { cookie: this.#cookie } });
    const bytes = await response.bytes();
    if (!response.ok) throw new Error(`Cannot download attachment ${id}: Odoo answers ${response.status}`);
    return bytes;
  }
}

function cookieOf(response: Response): string {
  return response.headers.getSetCookie().map((cookie) => cookie.split(";")[0] ?? "").join("; ");
}
