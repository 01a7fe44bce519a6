import { firstOfEachName } from "./named-values.ts";
import type { Conditions } from "./route-match.ts";
import type { Matched, NamedMatch } from "./words.ts";

/** A match of which a part fits already. */
export interface Candidate {
  /** Place in the order of precedence over the whole table; smaller comes first. */
  readonly rank: number;
  readonly matched: Matched;
  /** What is still to be asked; one condition for each name. */
  readonly open: Conditions;
}

/** A candidate of which the path fits. */
export const candidateOf = (matched: Matched, rank: number): Candidate =>
  candidateWith(matched, rank, distinct(matched.match));

/** A candidate of which this is still to be asked, of each name once. */
export const candidateWith = (matched: Matched, rank: number, open: Conditions): Candidate => ({
  rank,
  matched,
  open: holdsAlways(open) ? nothing : open,
});

/** Whether the same is asked, in the same order. */
export const asksTheSame = (a: Conditions, b: Conditions): boolean =>
  a.method === b.method && isSame(a.headers, b.headers) && isSame(a.query, b.query);

const isSame = (some: readonly NamedMatch[], others: readonly NamedMatch[]): boolean =>
  some.length === others.length &&
  some.every(({ name, value, pattern }, index) => {
    const other = others[index];
    // An expression is what it is written as.
    return (
      name === other?.name &&
      value === other.value &&
      (pattern === undefined) === (other.pattern === undefined)
    );
  });

function distinct(match: Conditions): Conditions {
  const headers = firstOfEachName(match.headers);
  const query = firstOfEachName(match.query);
  if (headers.length === match.headers.length && query.length === match.query.length) return match;
  return match.method === undefined ? { headers, query } : { method: match.method, headers, query };
}

const holdsAlways = ({ method, headers, query }: Conditions): boolean =>
  method === undefined && headers.length + query.length === 0;

/** One for all, so that a look-up finds it in the processor's cache. */
export const nothing: Conditions = { headers: [], query: [] };
