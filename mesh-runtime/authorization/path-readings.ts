import { anySegments, templateMatches } from "./path-template.ts";
import type { PathMatch } from "./words.ts";

/*
 * What an application may leave out of a path, or level, before it looks for the resource. Every
 * combination is a reading; a path rule that denies is held against all of them, and one that allows
 * must hold in all of them. Rule and path are read alike, so that `/Orders` names what `/orders` does
 * for whoever ignores case.
 */

/** Parameters after ";" (RFC 3986 §3.3) are left out: what servers with matrix parameters do. */
const noParameters = 1;
/** Dots and spaces at the end of a segment are left out, and a slash at the end of the path. */
const noTail = 2;
/** Letter case, and compatible spellings of one character (Unicode NFKC), are levelled. */
const noCase = 4;

/** Readings for each set of differences that there may be, the path as it stands first. */
const subsets: readonly (readonly number[])[] = Array.from({ length: 8 }, (_, all) =>
  Array.from({ length: 8 }, (_, one) => one).filter((one) => (one & all) === one),
);

/** Which readings of a path or a pattern, in the form of `normalPath`, could differ from it: bits. */
export function differences(form: string): number {
  let bits = 0;
  if (form.includes(";")) bits |= noParameters;
  if (/\.(?:[;/]|$)|[^/]\/$/.test(form)) bits |= noTail;
  if (/[A-Z]/.test(form)) bits |= noCase;
  // A space or a character beyond ASCII, which may be another spelling of a letter or a dot.
  if (form.includes("%")) bits |= noTail | noCase;
  return bits;
}

/** A path in all readings that matter; each is made when it is asked for. */
export class ReadPath {
  readonly readings: readonly number[];
  readonly #form: string;
  readonly #own: number;
  readonly #texts: (readonly string[] | undefined)[] = [];

  /**
   * @param form as `normalPath` writes it
   * @param patterns differences of all patterns that it is held against
   */
  constructor(form: string, patterns: number) {
    this.#form = form;
    this.#own = differences(form);
    this.readings = subsets[this.#own | patterns] ?? [];
  }

  /** The path in a reading; where a slash at its end makes no difference, with and without it. */
  texts(reading: number): readonly string[] {
    const known = this.#texts[reading];
    if (known !== undefined) return known;
    const text = (reading & this.#own) === 0 ? this.#form : read(this.#form, reading);
    const bare = text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
    const texts = (reading & noTail) === 0 || bare === "/" ? [text] : [bare, `${bare}/`];
    this.#texts[reading] = texts;
    return texts;
  }
}

/** A pattern in all readings; each is made when it is first asked for, and kept. */
export class ReadPattern {
  readonly differences: number;
  readonly #match: PathMatch;
  readonly #matches: (PathMatch | undefined)[] = [];

  constructor(match: PathMatch) {
    this.#match = match;
    this.differences = match.type === "present" ? 0 : differences(match.value);
    // It begins after a slash, which makes no difference where one at the end of a path makes none.
    if (match.type === "template" && match.value.endsWith(`/${anySegments}`)) this.differences |= noTail;
  }

  /** Whether it fits a path in a reading. */
  fits(path: ReadPath, reading: number): boolean {
    const match = this.#in(reading);
    return path.texts(reading).some((text) => pathMatches(match, text));
  }

  #in(reading: number): PathMatch {
    const known = this.#matches[reading];
    if (known !== undefined) return known;
    const match = this.#match;
    const made = match.type === "present" ? match : { ...match, value: read(match.value, reading) };
    this.#matches[reading] = made;
    return made;
  }
}

function pathMatches(match: PathMatch, path: string): boolean {
  switch (match.type) {
    case "exact":
      return path === match.value;
    case "prefix":
      return path.startsWith(match.value);
    case "suffix":
      return path.endsWith(match.value);
    case "present":
      return true;
    case "template":
      return templateMatches(match.value, path);
  }
}

/** Segment by segment, so that nothing that is left out or levelled makes a segment come or go. */
const read = (form: string, reading: number): string =>
  reading === 0
    ? form
    : form
        .split("/")
        .map((segment) => readSegment(segment, reading))
        .join("/");

function readSegment(segment: string, reading: number): string {
  let text = segment;
  if ((reading & noCase) !== 0) text = levelled(text);
  if ((reading & noParameters) !== 0) text = text.split(";", 1)[0] ?? "";
  if ((reading & noTail) !== 0) text = withoutTail(text);
  return text;
}

/** Upper case first: `ı` and `ſ` are letters of their own until somebody compares in upper case. */
const levelled = (segment: string): string =>
  segment.includes("%")
    ? decodeURIComponent(segment).normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC")
    : // In the form of `normalPath` it is ASCII then.
      segment.toLowerCase();

/** A segment of nothing but dots and spaces stays: there is no other one that it could be taken for. */
function withoutTail(segment: string): string {
  let end = segment.length;
  for (;;) {
    if (segment[end - 1] === "." || segment[end - 1] === " ") end -= 1;
    else if (segment.endsWith("%20", end)) end -= 3;
    else break;
  }
  return end <= 0 ? segment : segment.slice(0, end);
}
