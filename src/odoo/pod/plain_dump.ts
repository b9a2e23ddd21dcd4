/**
 * A dump in plain SQL → the same without the statements that restore_rules.ts leaves out. Whole statements go, in whose place
 * their line ends stay, so that psql counts lines as the dump has them; COPY data, literals and bodies pass byte by byte.
 *
 * It reads the text as psql does (psqlscan.l: quotes, dollar quotes, nested comments, parentheses). Where the two could come to
 * disagree, and what a dump of pg_dump never has (commands of psql, BEGIN in a function, COPY of another shape), is refused.
 */
import { JobError } from "./report.ts";
import { JUDGED_WORDS, judgeStatement, type ServerFacts } from "./restore_rules.ts";

const [NEWLINE, RETURN, QUOTE, DOUBLE, DOLLAR, BACKSLASH, SEMICOLON] = [10, 13, 39, 34, 36, 92, 59] as const;
const [OPEN, CLOSE, DASH, SLASH, STAR] = [40, 41, 45, 47, 42] as const;

/** A statement that is longer is none of those that are left out. */
const LONGEST_JUDGED_BYTES = 1 << 20;
const LONGEST_WORD = 64;
const TRAILER = "-- PostgreSQL database dump complete";
const RESTRICTION = /^\\(un)?restrict [A-Za-z0-9]+\r?\n$/;
const END_OF_DATA = "\\.\r"; // the carriage return need not be there
const OTHER_LINE = -1;

type State =
  | "sql"
  | "string"
  | "escapeString"
  | "name"
  | "tag"
  | "dollar"
  | "line"
  | "block"
  | "meta"
  | "copyEnd"
  | "data";

/** Reads a plain dump chunk by chunk; what {@linkcode PlainDumpFilter.push} returns is for psql. */
export class PlainDumpFilter {
  readonly #server: ServerFacts;
  readonly #leftOut = new Set<string>();
  #out: Uint8Array[] = [];
  /** First half of what may be the start of a comment, at the end of a chunk. */
  #carry: number | undefined;
  #state: State = "sql";
  #inStatement = false;
  /** The statement so far, while it is not known whether it passes. */
  #held: Uint8Array[] | undefined;
  #heldBytes = 0;
  #firstWord = "";
  #word = "";
  #depth = 0;
  #blockDepth = 0;
  /** The comment or the dollar tag that is being read. */
  #text = "";
  /** How much of a dollar tag or of the end of the data has been matched; the byte before, in a block comment. */
  #matched = 0;
  /** An E'' string has just ended; a quote now would go on with it. */
  #afterEscapeString = false;
  #complete = false;

  constructor(server: ServerFacts) {
    this.#server = server;
  }

  /** What was left out, by kind. */
  get leftOut(): readonly string[] {
    return [...this.#leftOut].sort();
  }

  /** Takes the next part of the dump; what it returns is to be passed on. @throws {JobError} */
  push(part: Uint8Array): Uint8Array {
    const chunk = this.#carry === undefined ? part : joined([Uint8Array.of(this.#carry), part]);
    this.#carry = undefined;
    this.#out = [];
    for (let at = 0; at < chunk.length;) {
      const next = this.#read(chunk, at);
      if (next > at) this.#take(chunk.subarray(at, next));
      this.#settle();
      if (this.#carry !== undefined) break;
      at = next;
    }
    return joined(this.#out);
  }

  /** Says that the dump is over. @throws {JobError} if it stops before its end */
  end(): void {
    if (this.#complete && !this.#inStatement && this.#state === "sql") return;
    throw new JobError(
      "DumpTruncated",
      `The dump is not whole: it does not end with "${TRAILER}", so it was cut off when it was made or sent; make a new one`,
    );
  }

  /** Reads on from `at` in one state; returns where the next one begins. */
  #read(chunk: Uint8Array, at: number): number {
    switch (this.#state) {
      case "sql":
        return this.#readSql(chunk, at);
      case "string":
        return this.#readUpTo(QUOTE, chunk, at); // '' opens it again at once
      case "name":
        return this.#readUpTo(DOUBLE, chunk, at);
      case "escapeString":
        return this.#readEscapeString(chunk, at);
      case "tag":
        return this.#readTag(chunk, at);
      case "dollar":
        return this.#readDollarQuote(chunk, at);
      case "line":
        return this.#readLineComment(chunk, at);
      case "block":
        return this.#readBlockComment(chunk, at);
      case "meta":
        return this.#readUpTo(NEWLINE, chunk, at);
      case "copyEnd":
        return this.#readCopyEnd(chunk, at);
      case "data":
        return this.#readData(chunk, at);
    }
  }

  #readSql(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (isWordByte(byte) || (byte === DOLLAR && this.#word)) {
        if (!this.#inStatement) {
          if (at > start) return at; // what came before passes in any case
          this.#begin();
        }
        if (this.#word.length < LONGEST_WORD) this.#word += String.fromCharCode(byte);
        this.#afterEscapeString = false;
        continue;
      }
      const word = this.#endWord();
      if (isSpace(byte)) continue;
      if (byte === DASH || byte === SLASH) {
        if (at + 1 === chunk.length) {
          this.#carry = byte;
          return at;
        }
        const second = byte === DASH ? DASH : STAR;
        if (chunk[at + 1] === second) {
          if (byte === DASH) [this.#state, this.#text] = ["line", "--"];
          else [this.#state, this.#blockDepth, this.#matched] = ["block", 1, 0];
          return at + 2;
        }
      }
      if (!this.#inStatement) {
        if (at > start) return at;
        const complete = this.#complete;
        this.#begin();
        if (byte === BACKSLASH) {
          [this.#state, this.#complete] = ["meta", complete]; // \unrestrict follows the trailer
          return at + 1;
        }
        this.#release(); // what a rule speaks of begins with a word
      }
      const continued = this.#afterEscapeString && byte === QUOTE;
      this.#afterEscapeString = false;
      switch (byte) {
        case QUOTE:
          this.#state = continued || word.toLowerCase() === "e" ? "escapeString" : "string";
          this.#matched = 0;
          return at + 1;
        case DOUBLE:
          this.#state = "name";
          return at + 1;
        case DOLLAR:
          [this.#state, this.#text] = ["tag", "$"];
          return at + 1;
        case OPEN:
          this.#depth++;
          break;
        case CLOSE:
          this.#depth = Math.max(0, this.#depth - 1);
          break;
        case BACKSLASH:
          throw refusal("it has a command of psql within a statement");
        case SEMICOLON:
          if (this.#depth > 0) break;
          this.#inStatement = false;
          return at + 1;
      }
    }
    return chunk.length;
  }

  #begin(): void {
    [this.#inStatement, this.#firstWord, this.#depth, this.#complete] = [true, "", 0, false];
    [this.#held, this.#heldBytes] = [[], 0];
  }

  /** The word that ends here, if one does. */
  #endWord(): string {
    const word = this.#word;
    if (!word) return word;
    this.#word = "";
    const capitals = word.toUpperCase();
    if (!this.#firstWord) {
      this.#firstWord = capitals;
      if (!JUDGED_WORDS.has(capitals)) this.#release();
    } else if (capitals === "BEGIN" && this.#depth === 0 && this.#firstWord === "CREATE") {
      // psql counts such words to find the end of the statement, and not every version of it does
      throw refusal("it has a function with BEGIN ATOMIC; restore a backup of format dump instead");
    }
    return word;
  }

  /** Ends a state at the first `mark`. */
  #readUpTo(mark: number, chunk: Uint8Array, at: number): number {
    const found = chunk.indexOf(mark, at);
    if (found === -1) return chunk.length;
    if (mark === NEWLINE) this.#inStatement = false;
    this.#state = "sql";
    return found + 1;
  }

  #readEscapeString(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#matched === 1) this.#matched = 0; // whatever follows a backslash
      else if (byte === BACKSLASH) this.#matched = 1;
      else if (byte === QUOTE) {
        [this.#state, this.#afterEscapeString] = ["sql", true];
        return at + 1;
      }
    }
    return chunk.length;
  }

  #readTag(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (byte === DOLLAR) {
        [this.#state, this.#text, this.#matched] = ["dollar", `${this.#text}$`, 0];
        return at + 1;
      }
      const isFirst = this.#text === "$";
      if (!isWordByte(byte) || (isFirst && isDigit(byte))) {
        this.#state = "sql"; // a parameter such as $1
        return at;
      }
      this.#text += String.fromCharCode(byte);
    }
    return chunk.length;
  }

  #readDollarQuote(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      if (this.#matched === 0) {
        at = chunk.indexOf(DOLLAR, at);
        if (at === -1) return chunk.length;
      }
      const byte = chunk[at];
      if (byte === this.#text.charCodeAt(this.#matched)) this.#matched++;
      else this.#matched = byte === DOLLAR ? 1 : 0; // within a tag there is no other $
      if (this.#matched === this.#text.length) {
        this.#state = "sql";
        return at + 1;
      }
    }
    return chunk.length;
  }

  #readLineComment(chunk: Uint8Array, at: number): number {
    const found = chunk.indexOf(NEWLINE, at);
    const end = found === -1 ? chunk.length : found;
    if (this.#text.length <= TRAILER.length) {
      this.#text += latin1(chunk.subarray(at, Math.min(end, at + TRAILER.length)));
    }
    if (found === -1) return end;
    this.#state = "sql";
    if (!this.#inStatement && this.#text.replace(/\r$/, "") === TRAILER) this.#complete = true;
    return end + 1;
  }

  #readBlockComment(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const [before, byte] = [this.#matched, chunk[at] ?? 0];
      this.#matched = 0; // a byte belongs to one pair only
      if (before === SLASH && byte === STAR) this.#blockDepth++;
      else if (before === STAR && byte === SLASH) this.#blockDepth--;
      else this.#matched = byte;
      if (this.#blockDepth === 0) {
        this.#state = "sql";
        return at + 1;
      }
    }
    return chunk.length;
  }

  #readCopyEnd(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      if (chunk[at] === NEWLINE) {
        [this.#state, this.#matched] = ["data", 0];
        return at + 1;
      }
      if (chunk[at] !== RETURN) throw refusal("it has a COPY that pg_dump does not write");
    }
    return chunk.length;
  }

  /** Up to a line that is \. and nothing else. */
  #readData(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      if (this.#matched === OTHER_LINE) {
        at = chunk.indexOf(NEWLINE, at);
        if (at === -1) return chunk.length;
      }
      const byte = chunk[at];
      if (byte === NEWLINE) {
        const ended = this.#matched >= 2;
        this.#matched = 0;
        if (!ended) continue;
        this.#state = "sql";
        return at + 1;
      }
      this.#matched = byte === END_OF_DATA.charCodeAt(this.#matched) ? this.#matched + 1 : OTHER_LINE;
    }
    return chunk.length;
  }

  #take(bytes: Uint8Array): void {
    if (!this.#held) {
      this.#out.push(bytes);
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= LONGEST_JUDGED_BYTES || !this.#inStatement) return;
    if (this.#firstWord === "COPY") throw refusal("it has a COPY that pg_dump does not write");
    this.#release();
  }

  #release(): void {
    if (this.#held) this.#out.push(...this.#held);
    this.#held = undefined;
  }

  /** Judges the statement that has just ended, if it was held back for that. */
  #settle(): void {
    if (this.#inStatement || !this.#held) return;
    const statement = latin1(joined(this.#held));
    if (statement.startsWith("\\")) {
      if (!RESTRICTION.test(statement)) {
        throw refusal(`it has a command of psql, ${JSON.stringify(statement.slice(0, 40))}`);
      }
      this.#held = [Uint8Array.of(NEWLINE)];
      return this.#release();
    }
    const verdict = judgeStatement(statement, this.#server);
    if (verdict && "refuse" in verdict) throw refusal(verdict.refuse);
    if (verdict) {
      this.#leftOut.add(verdict.leaveOut);
      this.#held = [new Uint8Array(statement.split("\n").length - 1).fill(NEWLINE)];
    } else if (this.#firstWord === "COPY") this.#state = "copyEnd";
    this.#release();
  }
}

function refusal(what: string): JobError {
  return new JobError("DumpRefused", `The dump cannot be loaded: ${what}`);
}

function isWordByte(byte: number): boolean {
  return (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || isDigit(byte) || byte === 95 || byte >= 128;
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

/** One character for each byte. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
