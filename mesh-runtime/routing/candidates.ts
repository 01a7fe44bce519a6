import { firstOfEachName } from "./named-values.ts";
import { type Conditions, conditionsHold, type RoutedRequest } from "./route-match.ts";
import type { Matched, NamedMatch } from "./words.ts";

/** A match whose path fits already. */
export interface Candidate {
  /** Place in the order of precedence over the whole table; smaller comes first. */
  readonly rank: number;
  readonly matched: Matched;
}

/** The candidates of one path, so arranged that a request only meets those that could hold for it. */
export interface Candidates {
  /** Those with conditions, by the question that is asked first; the group that could win comes first. */
  readonly groups: readonly Group[];
  /** Holds for every request with this path; comes after all groups. */
  readonly otherwise: Candidate | undefined;
}

/** Candidates that share the question that is asked first; `each` has none that one look-up answers. */
type Group = {
  /** Rank of the first candidate; groups are in this order. */
  readonly first: number;
} & (
  | { readonly by: "each"; readonly candidates: readonly Remaining[] }
  | {
      readonly by: "headers" | "query";
      readonly name: string;
      readonly candidates: ReadonlyMap<string, readonly Remaining[]>;
    }
);

/** A candidate with the conditions that are open after its group's question. */
interface Remaining extends Candidate {
  readonly open: Conditions;
}

interface Question {
  readonly by: "headers" | "query";
  readonly name: string;
  readonly value: string;
  /** What tells it from others, so that they can be counted. */
  readonly label: string;
}

/**
 * Arranges the candidates of one path. Each is filed under the condition that fewest others share, so
 * that a thousand tenants told apart by one header cost one look-up and not a thousand comparisons.
 *
 * @param candidates in order of precedence
 */
export function arrange(candidates: readonly Candidate[]): Candidates {
  const end = candidates.findIndex(({ matched }) => holdsAlways(matched));
  // What comes after one that always holds is never reached.
  const conditional = end === -1 ? candidates : candidates.slice(0, end);
  return {
    groups: conditional.length === 0 ? noGroups : grouped(conditional),
    otherwise: candidates[end],
  };
}

/** The candidate of highest precedence that holds. Asks for a header or the query only if that could change the answer. */
export function choose({ groups, otherwise }: Candidates, request: RoutedRequest): Candidate | undefined {
  let best: Remaining | undefined;
  for (const group of groups) {
    if (best !== undefined && best.rank < group.first) break;
    for (const candidate of worthAsking(group, request)) {
      if (best !== undefined && best.rank < candidate.rank) break;
      if (conditionsHold(candidate.open, request)) {
        best = candidate;
        break;
      }
    }
  }
  return best ?? otherwise;
}

/** Each is one for all paths, so that a look-up finds it in the processor's cache. */
const noGroups: readonly Group[] = [];
const noConditions: readonly NamedMatch[] = [];
const nobody: readonly Remaining[] = [];

const holdsAlways = ({ match: { method, headers, query } }: Matched): boolean =>
  method === undefined && headers.length === 0 && query.length === 0;

function grouped(candidates: readonly Candidate[]): readonly Group[] {
  const questions = candidates.map(questionsOf);
  const shared = new Map<string, number>();
  for (const { label } of questions.flat()) shared.set(label, (shared.get(label) ?? 0) + 1);

  const each: Remaining[] = [];
  const keyed = new Map<string, { question: Question; first: number; values: Map<string, Remaining[]> }>();
  for (const [index, candidate] of candidates.entries()) {
    const question = rarest(questions[index] ?? [], ({ label }) => shared.get(label) ?? 0);
    const { rank, matched } = candidate;
    const remaining: Remaining = { rank, matched, open: without(question, matched) };
    if (question === undefined) {
      each.push(remaining);
      continue;
    }
    const name = `${question.by} ${question.name}`;
    const group = keyed.get(name) ?? { question, first: candidate.rank, values: new Map() };
    keyed.set(name, group);
    const sharing = group.values.get(question.value);
    if (sharing === undefined) group.values.set(question.value, [remaining]);
    else sharing.push(remaining);
  }

  const groups: Group[] = [...keyed.values()].map(({ question: { by, name }, first, values }) => ({
    by,
    name,
    first,
    candidates: values,
  }));
  const [firstOfThem] = each;
  if (firstOfThem !== undefined)
    groups.push({ by: "each", first: firstOfThem.rank, candidates: reachable(each) });
  return groups.sort((a, b) => a.first - b.first);
}

function worthAsking(group: Group, request: RoutedRequest): readonly Remaining[] {
  if (group.by === "each") return group.candidates;
  const asked = group.by === "headers" ? request.headers : request.url.searchParams;
  const value = asked.get(group.name);
  return (value === null ? undefined : group.candidates.get(value)) ?? nobody;
}

/** Conditions on one value; what a regular expression asks, no look-up answers. */
function questionsOf({ matched: { match } }: Candidate): readonly Question[] {
  const questions: Question[] = [];
  for (const by of ["headers", "query"] as const)
    for (const { name, value, pattern } of firstOfEachName(match[by]))
      if (pattern === undefined) questions.push({ by, name, value, label: `${by} ${name} ${value}` });
  return questions;
}

function rarest(questions: readonly Question[], count: (each: Question) => number): Question | undefined {
  return questions.reduce<Question | undefined>(
    (best, each) => (best === undefined || count(each) < count(best) ? each : best),
    undefined,
  );
}

function without(question: Question | undefined, { match }: Matched): Conditions {
  const open = (by: Question["by"]): readonly NamedMatch[] => {
    if (match[by].length === 0) return noConditions;
    const left = firstOfEachName(match[by]).filter(
      ({ name }) => question?.by !== by || question.name !== name,
    );
    return left.length === 0 ? noConditions : left;
  };
  const [headers, query] = [open("headers"), open("query")];
  return match.method === undefined ? { headers, query } : { method: match.method, headers, query };
}

/** With no other conditions, a candidate for a method hides all later ones for it. */
function reachable(candidates: readonly Remaining[]): readonly Remaining[] {
  const taken = new Set<string | undefined>();
  return candidates.filter(({ open: { method, headers, query } }) => {
    if (taken.has(method)) return false;
    if (headers.length + query.length === 0) taken.add(method);
    return true;
  });
}
