/** Secrets to look for where none belongs: in every form in which a program might write one down. */

/** A text to look in, and what it is. */
export interface Place {
  readonly what: string;
  readonly text: string;
}

/** A secret that was found: which one, where, and as what. */
export interface Leak {
  readonly canary: string;
  readonly place: string;
  readonly form: string;
}

/** Secrets by name; more may come while the test runs. */
export class Canaries {
  readonly #values = new Map<string, string>();

  /** Remembers a secret. Too short a one would be found by chance. */
  add(name: string, value: string): void {
    if (value.length < 12) throw new RangeError(`Cannot look for ${name}: it has only ${value.length} characters`);
    this.#values.set(name, value);
  }

  get names(): string[] {
    return [...this.#values.keys()];
  }

  /** Every secret that is in one of the places. */
  findIn(places: Iterable<Place>): Leak[] {
    const wanted = [...this.#values].flatMap(([canary, value]) =>
      Object.entries(formsOf(value)).map(([form, text]) => ({ canary, form, text }))
    );
    return [...places].flatMap(({ what, text }) =>
      wanted.filter((one) => text.includes(one.text)).map(({ canary, form }) => ({ canary, place: what, form }))
    );
  }
}

/** A secret as it is, and as it is within JSON, SQL, a URL, and Base64 of a text that it is a part of. */
export function formsOf(value: string): Readonly<Record<string, string>> {
  const quoted = JSON.stringify(value).slice(1, -1);
  return {
    plain: value,
    json: quoted,
    jsonInJson: JSON.stringify(quoted).slice(1, -1),
    sqlLiteral: value.replaceAll("'", "''"),
    sqlEscape: value.replaceAll("\\", "\\\\").replaceAll("'", "''"),
    url: encodeURIComponent(value),
    base64At0: base64Within(value, 0),
    base64At1: base64Within(value, 1),
    base64At2: base64Within(value, 2),
  };
}

/** The characters of a Base64 text that depend on `value` alone, if `offset` bytes (modulo 3) come before it. */
function base64Within(value: string, offset: number): string {
  const bytes = new TextEncoder().encode(value);
  const text = btoa(String.fromCharCode(...new Uint8Array(offset), ...bytes)).replaceAll("=", "");
  const first = Math.ceil(offset * 8 / 6);
  return text.slice(first, Math.floor((offset + bytes.length) * 8 / 6));
}
