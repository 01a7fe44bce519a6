import { type Finder, finderOf, keeps } from "./automaton.ts";
import { asksTheSame, type Candidate, candidateWith, nothing } from "./candidate.ts";
import { chooseByRows } from "./choose-by-rows.ts";
import { type ConditionMatrix, conditionMatrix } from "./condition-matrix.ts";
import { type Conditions, distinctHold, type RoutedRequest } from "./route-match.ts";
import { reads } from "./steps.ts";
import type { NamedMatch, Pattern } from "./words.ts";

/** Candidates in order of precedence, that the same things are known of. */
export interface Pile {
  readonly all: readonly Candidate[];
  /** The one, where it is one: a look-up that finds it at once waits for less memory. */
  readonly only: Candidate | undefined;
  /** Of many: made at once for what a table begins with, otherwise when it is first needed. */
  arranged: Arranged | undefined;
}

/** Candidates so arranged that a request only meets those that could hold for it. */
interface Arranged {
  /** Those that ask for no header or parameter. */
  readonly plain: readonly Candidate[];
  /** Those of which each value is asked for by many. */
  readonly crowd: ConditionMatrix | undefined;
  /** The others, by what is asked first; the one that could win comes first. */
  readonly asking: readonly Asking[];
  /** The one group, where there is nothing else: found at once, it is waited for less. */
  readonly sole: Group | undefined;
}

/** Candidates that begin with the question for a header, or for a parameter. */
interface Asking {
  readonly by: "headers" | "query";
  /** Rank of the first of them. */
  readonly first: number;
  readonly groups: ReadonlyMap<string, Group>;
  /** All groups, where they are few. */
  readonly few: readonly Group[] | undefined;
}

/** Candidates that begin with the question for one name. */
interface Group {
  readonly by: "headers" | "query";
  readonly name: string;
  readonly first: number;
  /** The first of the values, and all of them where there are more. */
  readonly value: string | undefined;
  readonly its: Pile | Candidate | undefined;
  readonly values: ReadonlyMap<string, Pile | Candidate> | undefined;
  readonly patterned: Patterned | undefined;
}

/** Piles whose text must fall under an expression, in order of their first candidates. */
export interface Patterned {
  readonly find: Finder;
  readonly piles: readonly Pile[];
  /** Of expressions that a text falls under together: how often it took long, and then all of them as one. */
  readonly together: WeakMap<readonly number[], { times: number; pile?: Pile }>;
}

interface Question {
  readonly by: "headers" | "query";
  readonly condition: NamedMatch;
  /** What tells it from others, so that they can be counted. */
  readonly label: string;
}

/** So many are asked one after the other; more are arranged. */
const few = 4;

/** So often expressions that hold together are gone through before they are arranged as one. */
const patience = 8;

/**
 * Arranges the candidates of one path. Each is filed under the condition that fewest others share, so
 * that a thousand tenants told apart by one header cost one look-up and not a thousand comparisons; those
 * whose conditions are all shared by many are compared by all of them together.
 *
 * @param all in order of precedence
 */
export function pileOf(all: readonly Candidate[]): Pile {
  const pile = later(all);
  if (all.length > few) pile.arranged = arranged(all);
  return pile;
}

/** The same, arranged when it is first needed. */
const later = (all: readonly Candidate[]): Pile => ({
  all,
  only: all.length === 1 ? all[0] : undefined,
  arranged: undefined,
});

/** Piles as one, whose candidates come one pile after the other. */
export const pileOfAll = (piles: readonly Pile[]): Pile => later(piles.flatMap(({ all }) => all));

/** @param entries in order of their first candidates */
export const patternedOf = (entries: readonly (readonly [Pattern, Pile])[]): Patterned => ({
  find: finderOf(entries.map(([pattern]) => pattern)),
  piles: entries.map(([, pile]) => pile),
  together: new WeakMap(),
});

/**
 * The candidate of highest precedence that holds, if its rank is below the limit. Asks for a header or the
 * query only if that could change the answer.
 */
export function choose(
  pile: Pile,
  request: RoutedRequest,
  limit = Number.POSITIVE_INFINITY,
): Candidate | undefined {
  const { only } = pile;
  if (only !== undefined) return ifHolds(only, request, limit);
  if (pile.all.length <= few) return firstOf(pile.all, request, limit);
  pile.arranged ??= arranged(pile.all);
  const { plain, crowd, asking, sole } = pile.arranged;
  if (sole !== undefined) return chooseIn(sole, request, limit);
  if (crowd !== undefined && plain.length + asking.length === 0) return chooseByRows(crowd, request, limit);
  let best = firstOf(plain, request, limit);
  if (crowd !== undefined) best = chooseByRows(crowd, request, best?.rank ?? limit) ?? best;
  for (const each of asking) {
    if (each.first >= (best?.rank ?? limit)) break;
    for (const group of each.few ?? groupsAmong(each, request))
      best = chooseIn(group, request, best?.rank ?? limit) ?? best;
  }
  return best;
}

/** {@link choose}, among those that ask for one name. */
function chooseIn(group: Group, request: RoutedRequest, limit: number): Candidate | undefined {
  const { by, name, first, value: only, its, values, patterned } = group;
  if (first >= limit) return undefined;
  const value = (by === "headers" ? request.headers : request.url.searchParams).get(name);
  if (value === null) return undefined;
  const there = value === only ? its : values?.get(value);
  const best = there && ("rank" in there ? ifHolds(there, request, limit) : choose(there, request, limit));
  if (patterned === undefined) return best;
  reads(by === "headers" ? "headers" : "url");
  return chooseByText(patterned, value, request, best?.rank ?? limit) ?? best;
}

/** {@link choose}, among those whose expression the whole text falls under. */
export function chooseByText(
  { find, piles, together }: Patterned,
  text: string,
  request: RoutedRequest,
  limit = Number.POSITIVE_INFINITY,
): Candidate | undefined {
  const fitting = find(text);
  const known = fitting.length > few ? together.get(fitting) : undefined;
  if (known?.pile !== undefined) return choose(known.pile, request, limit);
  let best: Candidate | undefined;
  let asked = 0;
  for (const index of fitting) {
    const pile = piles[index];
    if (pile === undefined || (pile.all[0]?.rank ?? 0) >= (best?.rank ?? limit)) break;
    best = choose(pile, request, best?.rank ?? limit) ?? best;
    asked += 1;
  }
  if (asked > few) {
    const times = (known?.times ?? 0) + 1;
    together.set(fitting, times < patience ? { times } : { times, pile: merged(fitting, piles) });
  }
  return best;
}

function merged(fitting: readonly number[], piles: readonly Pile[]): Pile {
  const all = fitting.flatMap((index) => piles[index]?.all ?? []).sort((a, b) => a.rank - b.rank);
  keeps(500 * all.length);
  return later(all);
}

const ifHolds = (candidate: Candidate, request: RoutedRequest, limit: number): Candidate | undefined =>
  candidate.rank < limit && distinctHold(candidate.open, request) ? candidate : undefined;

function firstOf(all: readonly Candidate[], request: RoutedRequest, limit: number): Candidate | undefined {
  for (const candidate of all) {
    if (candidate.rank >= limit) return undefined;
    if (distinctHold(candidate.open, request)) return candidate;
  }
  return undefined;
}

/** The groups whose names are there; all, where a request carries more. */
function groupsAmong({ by, groups }: Asking, { headers, url }: RoutedRequest): Iterable<Group> {
  // A parameter may come as often as one likes.
  const there = new Set<Group>();
  let names = 0;
  for (const name of (by === "headers" ? headers : url.searchParams).keys()) {
    if (++names > groups.size) return groups.values();
    const group = groups.get(name);
    if (group !== undefined) there.add(group);
  }
  return there;
}

/** What is filed under one name, before it is a group. */
interface Filed {
  readonly first: number;
  readonly values: Map<string, Candidate[]>;
  /** What is left to be asked of the last one. */
  left: Conditions;
  /** By the expression as written. */
  readonly patterns: Map<string, { readonly pattern: Pattern; readonly all: Candidate[] }>;
}

function arranged(all: readonly Candidate[]): Arranged {
  const candidates = reachable(all);
  const questions = candidates.map(questionsOf);
  const shared = new Map<string, number>();
  for (const each of questions) for (const { label } of each) shared.set(label, (shared.get(label) ?? 0) + 1);

  const plain: Candidate[] = [];
  const others: (readonly [Candidate, Question])[] = [];
  const several: Candidate[] = [];
  const crowded: Candidate[] = [];
  for (const [index, candidate] of candidates.entries()) {
    const its = questions[index] ?? [];
    const question = rarest(its, shared);
    if (question === undefined) {
      plain.push(candidate);
      continue;
    }
    others.push([candidate, question]);
    if (its.length < 2) continue;
    several.push(candidate);
    if ((shared.get(question.label) ?? 0) > few) crowded.push(candidate);
  }
  // Who looks into the matrix looks for all there that it has room for.
  const crowd = crowded.length > few ? (conditionMatrix(several) ?? conditionMatrix(crowded)) : undefined;
  const inCrowd = new Set(crowd?.candidates.map(({ rank }) => rank));
  const filed = { headers: new Map<string, Filed>(), query: new Map<string, Filed>() };
  for (const [candidate, question] of others)
    if (!inCrowd.has(candidate.rank)) file(filed[question.by], candidate, question);
  const asking = (["headers", "query"] as const).flatMap((by): Asking[] => {
    const groups = new Map([...filed[by]].map(([name, its]) => [name, groupOf(by, name, its)]));
    const [first] = groups.values();
    if (first === undefined) return [];
    return [{ by, first: first.first, groups, few: groups.size > few ? undefined : [...groups.values()] }];
  });
  const [only] = asking[0]?.few ?? [];
  return {
    plain,
    crowd,
    asking: asking.sort((a, b) => a.first - b.first),
    sole:
      plain.length === 0 && crowd === undefined && asking.length === 1 && asking[0]?.groups.size === 1
        ? only
        : undefined,
  };
}

function file(
  under: Map<string, Filed>,
  { rank, matched, open }: Candidate,
  { by, condition: { name, value, pattern } }: Question,
): void {
  const filed = under.get(name) ?? { first: rank, values: new Map(), left: nothing, patterns: new Map() };
  under.set(name, filed);
  const headers = by === "headers" ? without(name, open.headers) : open.headers;
  const query = by === "query" ? without(name, open.query) : open.query;
  const left = open.method === undefined ? { headers, query } : { method: open.method, headers, query };
  // Neighbours are mostly left with the same: one for all of them is in the processor's cache.
  if (!asksTheSame(left, filed.left)) filed.left = left;
  const remaining = candidateWith(matched, rank, filed.left);
  const there = pattern === undefined ? filed.values.get(value) : filed.patterns.get(value)?.all;
  if (there !== undefined) there.push(remaining);
  else if (pattern === undefined) filed.values.set(value, [remaining]);
  else filed.patterns.set(value, { pattern, all: [remaining] });
}

function groupOf(by: Group["by"], name: string, { first, values, patterns }: Filed): Group {
  const held = new Map(
    Array.from(values, ([value, all]) => [value, all.length === 1 && all[0] ? all[0] : later(all)]),
  );
  const [[value, its] = []] = held;
  const patterned =
    patterns.size === 0
      ? undefined
      : patternedOf(Array.from(patterns.values(), ({ pattern, all }) => [pattern, later(all)]));
  return { by, name, first, value, its, values: held.size > 1 ? held : undefined, patterned };
}

/** What one look-up answers comes first: of questions that as many share, that one is taken. */
function questionsOf({ open }: Candidate): readonly Question[] {
  const questions: Question[] = [];
  for (const by of ["headers", "query"] as const)
    for (const condition of open[by]) {
      const { name, value, pattern } = condition;
      if (pattern === undefined) questions.unshift({ by, condition, label: `${by} ${name} ${value}` });
      else questions.push({ by, condition, label: `${by}~${name} ${value}` });
    }
  return questions;
}

function rarest(questions: readonly Question[], shared: ReadonlyMap<string, number>): Question | undefined {
  const count = ({ label }: Question): number => shared.get(label) ?? 0;
  return questions.reduce<Question | undefined>(
    (best, each) => (best === undefined || count(each) < count(best) ? each : best),
    undefined,
  );
}

function without(asked: string, conditions: readonly NamedMatch[]): readonly NamedMatch[] {
  return conditions.length === 1 ? nothing.headers : conditions.filter(({ name }) => name !== asked);
}

/** A candidate that asks for no header or parameter hides all later ones for its method, or for all. */
function reachable(all: readonly Candidate[]): readonly Candidate[] {
  const taken = new Set<string | undefined>();
  return all.filter(({ open: { method, headers, query } }) => {
    if (taken.has(undefined) || taken.has(method)) return false;
    if (headers.length + query.length === 0) taken.add(method);
    return true;
  });
}
