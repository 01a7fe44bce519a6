import type { Issue } from "./issue.ts";

/** A text as it was given: a file, a KV value, the body of a request. */
export interface Source {
  /** File name or KV key; what issues name. */
  readonly source: string;
  readonly text: string;
}

/** A place in a source's text; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where in a document: member names and list indexes, from the document's top. */
export type Path = readonly (string | number)[];

/** Where a document came from, so that whatever is wrong with it can be pointed at. */
export interface Origin {
  readonly source: string;
  /** Where the document begins in its text's structure; not empty for the items of a `List`. */
  readonly within: Path;
  /**
   * The place of a member, as near as there is one: what is missing is found where it should be.
   * @param at `key` for the member's name, `value` for what it says (default)
   */
  readonly locate: (path: Path, at?: "key" | "value") => Position;
}

/** A document as parsed, before anybody has looked whether it says anything. */
export interface Parsed {
  readonly value: unknown;
  readonly origin: Origin;
}

/** What an issue says, apart from where. */
export interface Finding {
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
  readonly message: string;
  /** @default "error", or "warning" for what is `unresolved` */
  readonly severity?: Issue["severity"];
  readonly unresolved?: true;
  readonly at?: "key" | "value";
}

/** The issue for a finding in a document. */
export function issueAt(origin: Origin, document: string, finding: Finding): Issue {
  const { path, at, expected, found, message, unresolved } = finding;
  return {
    severity: finding.severity ?? (unresolved ? "warning" : "error"),
    source: origin.source,
    ...origin.locate(path, at),
    document,
    path: pathText([...origin.within, ...path]),
    expected,
    found,
    message,
    ...(unresolved ? { unresolved } : {}),
  };
}

/** `source:line`, for pointing from one issue at another place. */
export const placeOf = (origin: Origin, path: Path): string =>
  `${origin.source || "this text"}:${origin.locate(path).line}`;

const plainName = /^[A-Za-z_$][A-Za-z0-9_$-]*$/;

/** Writes a path as `spec.rules[0].backendRefs[1].weight`; odd names as `metadata.labels["a/b"]`. */
export function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (!plainName.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** Longest part of a document that an issue repeats, characters. */
const maxShown = 80;

/** Shows what was found, short, and without the user and password of a URL. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null (nothing after the colon)";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value).replace(/\/\/[^/@\s]*@/g, "//…@");
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}
