import { byCodeUnits } from "./canonical.ts";
import { keyOf, nameOf, type PolicyDocument } from "./documents.ts";

/** How long a document has been there. Whoever keeps documents knows it; what is written in them is a client's word. */
export interface Age {
  /** When it came into being, milliseconds since the Unix epoch. */
  readonly at: number;
  /** The revision that created it. */
  readonly revision: number;
}

/** Ages by `kind/namespace/name`. */
export type Ages = ReadonlyMap<string, Age>;

/** Which of two documents of a kind comes first where only one can: negative for `a`. */
export type ByAge = (a: PolicyDocument, b: PolicyDocument) => number;

/**
 * Orders by age: the oldest, then what an earlier revision created, then the alphabet (Gateway API
 * `HTTPRouteRule.matches`). A document of unknown age is as old as it says itself, and the youngest if it says
 * nothing.
 */
export function byAgeIn(ages: Ages): ByAge {
  const of = (document: PolicyDocument): Age => ages.get(nameOf(document)) ?? asWritten(document);
  return (a, b) => {
    const [ours, theirs] = [of(a), of(b)];
    return (
      compare(ours.at, theirs.at) ||
      compare(ours.revision, theirs.revision) ||
      byCodeUnits(keyOf(a), keyOf(b))
    );
  };
}

const asWritten = (document: PolicyDocument): Age => ({
  at: writtenTime(document) ?? Number.POSITIVE_INFINITY,
  revision: Number.POSITIVE_INFINITY,
});

/** Infinity is as old as itself. */
const compare = (a: number, b: number): number => (a === b ? 0 : a - b);

/** What a document says itself of when it was created, milliseconds since the Unix epoch. */
export function writtenTime({ metadata }: PolicyDocument): number | undefined {
  const { creationTimestamp } = metadata;
  return typeof creationTimestamp === "string" ? timeOf(creationTimestamp) : undefined;
}

/** A time such as `2026-01-31T12:00:00Z`, with or without a fraction, in milliseconds since the Unix epoch. */
export function timeOf(text: string): number | undefined {
  if (!timestamp.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

/** RFC 3339 in UTC: Kubernetes writes whole seconds, Tulle milliseconds. */
export const timestamp = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/;

/**
 * When a document that is new here came into being: now, or earlier if it says so, because documents are brought from
 * clusters and backups. No document is from the future.
 */
export const bornAt = (now: number, written: number | undefined): number =>
  written === undefined ? now : Math.min(now, written);

/** Why the first of two documents comes first, in words that follow its name. */
export function precedenceWords(ages: Ages, first: PolicyDocument, second: PolicyDocument): string {
  const [ours, theirs] = [ages.get(nameOf(first)), ages.get(nameOf(second))];
  const a = ours ?? asWritten(first);
  const b = theirs ?? asWritten(second);
  if (a.at !== b.at || a.revision !== b.revision) return "is older";
  return "is as old, and first by name";
}
