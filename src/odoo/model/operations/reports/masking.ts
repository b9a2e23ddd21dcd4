/**
 * Text of programs, services and logs → the same without secrets: those that are known by their value, and whatever has the form
 * of one. Too much is taken rather than too little; what is left may stand in a status, an event or a log.
 */

const MASK = "***";

/** What is kept of a match is its first group; the rest is the secret. */
const FORMS: readonly RegExp[] = [
  /(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[^]*?(?:-----END|$)/g,
  /(\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@\/"'<>]*:)[^\s"'<>]+(?=@)/gi,
  /(\b(?:proxy-)?authorization["']?\s*[:=]\s*).+/gi,
  /(\bbearer\s+)[\w.~+\/=-]{16,}/gi,
  // of passwords a single word is taken too, behind = or :, or as SQL writes it
  /((?:passw(?:or)?d|passphrase|pwd)["']?\s*[:=]\s*|\bpassword\s+(?=E?'))(?:E?'(?:[^'\\]|\\.|'')*'?|"(?:[^"\\]|\\.)*"?|[^\s"',;&]+)/gi,
  // these words are often part of a sentence, where a colon follows them
  /((?:secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?key|signature|credential)["']?\s*=\s*|(?:secret|token|key)["']\s*:\s*)(?:'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|[^\s"',;&]+)/gi,
  /()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
];

/** The text without `secrets`, and without what looks like one. */
export function masked(text: string, secrets: readonly string[] = []): string {
  const known = secrets.filter(Boolean).toSorted((a, b) => b.length - a.length); // one may be the beginning of another
  const without = known.reduce((all, secret) => all.replaceAll(secret, MASK), text);
  return FORMS.reduce((all, form) => all.replace(form, `$1${MASK}`), without);
}
