import { no, ok, type Result } from "../foundation/result.ts";

/** One member of a dictionary. */
export interface Member {
  readonly key: string;
  /** From the key on, as it stands in the header. */
  readonly text: string;
  /** Its parameter `tag`, if that is a string without escapes. */
  readonly tag: string | undefined;
}

/*
 * The grammar of RFC 9651 §4.2, each part a sticky expression that reads every character once. Left out are dates,
 * display strings, and byte sequences without padding, which no signature has (RFC 9421 §2.3, §4.2).
 */
const key = /[a-z*][a-z0-9_.*-]*/y;
const bareItem = new RegExp(
  [
    '"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\["\\\\])*"',
    "-?\\d{1,12}\\.\\d{1,3}|-?\\d{1,15}",
    "[A-Za-z*][!#$%&'*+.^_`|~:/0-9A-Za-z-]*",
    ":(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?:",
    "\\?[01]",
  ].join("|"),
  "y",
);
const blanks = / */y;
const optionalWhitespace = /[ \t]*/y;
const plainString = /^"[^"\\]*"$/;

/**
 * Takes a header apart that is a dictionary (RFC 9651 §3.2), such as `Signature` and `Signature-Input`. A key
 * that stands twice is refused, where the standard lets the last one win: two readers could then mean two
 * signatures. What is no dictionary as a whole has no members at all, the same as for every other reader
 * (§4.2: a field that cannot be parsed is ignored entirely).
 */
export function dictionaryMembers(header: string): Result<readonly Member[], string> {
  const found: Member[] = [];
  const keys = new Set<string>();
  let at = after(blanks, header, 0);
  while (at < header.length) {
    const start = at;
    at = after(key, header, start);
    if (at < 0) return no("a member has no key");
    const name = header.slice(start, at);
    if (keys.has(name)) return no("a label stands twice");
    keys.add(name);
    if (header.charAt(at) === "=") at = afterItemOrList(header, at + 1);
    const parameters = at < 0 ? undefined : readParameters(header, at);
    if (parameters === undefined) return no("a member cannot be read");
    found.push({ key: name, text: header.slice(start, parameters.end), tag: parameters.tag });
    at = after(optionalWhitespace, header, parameters.end);
    if (at === header.length) break;
    if (header.charAt(at) !== ",") return no("something stands between two members");
    at = after(optionalWhitespace, header, at + 1);
    if (at === header.length) return no("there is no member after the last comma");
  }
  return ok(found);
}

/** Where what this expression matches ends; -1 where it does not match. */
function after(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at;
  return expression.test(text) ? expression.lastIndex : -1;
}

/** Where an item or an inner list ends, without the parameters that follow it; -1 when it is neither. */
function afterItemOrList(text: string, start: number): number {
  if (text.charAt(start) !== "(") return after(bareItem, text, start);
  let at = after(blanks, text, start + 1);
  while (text.charAt(at) !== ")") {
    const item = after(bareItem, text, at);
    const parameters = item < 0 ? undefined : readParameters(text, item);
    if (parameters === undefined) return -1;
    at = after(blanks, text, parameters.end);
    // Items are kept apart by blanks; the last one needs none.
    if (at === parameters.end && text.charAt(at) !== ")") return -1;
  }
  return at + 1;
}

/** Where parameters end, and what their `tag` is; undefined when they cannot be read. Of two of one name the last one counts. */
function readParameters(
  text: string,
  start: number,
): { readonly end: number; readonly tag: string | undefined } | undefined {
  let at = start;
  let tag: string | undefined;
  while (text.charAt(at) === ";") {
    const nameAt = after(blanks, text, at + 1);
    const nameEnd = after(key, text, nameAt);
    if (nameEnd < 0) return undefined;
    at = nameEnd;
    if (text.charAt(nameEnd) === "=") at = after(bareItem, text, nameEnd + 1);
    if (at < 0) return undefined;
    if (text.slice(nameAt, nameEnd) === "tag") {
      const value = text.slice(nameEnd + 1, at);
      tag = plainString.test(value) ? value.slice(1, -1) : undefined;
    }
  }
  return { end: at, tag };
}
