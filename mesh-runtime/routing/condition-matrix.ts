import { type Finder, finderOf, keeps } from "./automaton.ts";
import { type Candidate, candidateWith, nothing } from "./candidate.ts";
import { firstOfEachName } from "./named-values.ts";
import { conditionsHold, type RoutedRequest } from "./route-match.ts";
import { reads } from "./steps.ts";
import type { Pattern } from "./words.ts";

/**
 * Candidates that only several values together tell apart. Each value (or expression) that one asks for has a row of
 * bits, one for each candidate: who asks for it. From the rows that the values of a request fall under it is found
 * which candidates have all that they ask for, 32 at once, so that it matters little how many share a value, and how
 * many values it takes.
 */
export interface ConditionMatrix {
  /** In order of precedence; without what the rows say. */
  readonly candidates: readonly Candidate[];
  readonly names: readonly Named[];
  /** Where names are many: by them, so that those are gone through that the request carries. */
  readonly among: Readonly<Record<By, ReadonlyMap<string, Named>>> | undefined;
  /** All rows, one after the other. */
  readonly bits: Int32Array;
  /** How long a row is, words. */
  readonly width: number;
  /** Where names are many: where it begins how many values each asks for, four binary digits of 32 candidates in turn. */
  readonly wanted: number;
  /** Where the rows begin that a look-up is about. */
  readonly rows: number[];
}

type By = "headers" | "query";

/** A header or parameter that candidates ask for. */
interface Named {
  readonly by: By;
  readonly name: string;
  /** Where the row of a value begins. */
  readonly values: ReadonlyMap<string, number>;
  readonly patterned: PatternedRows | undefined;
  /** Where names are few: where the row begins of those that do not ask for it; absent where all do. */
  readonly otherwise: number | undefined;
}

/** The rows of expressions for one name. */
interface PatternedRows {
  readonly find: Finder;
  /** Where the row of each begins. */
  readonly rows: readonly number[];
  /** Of expressions that a value falls under together: the rows of all as one. */
  readonly together: WeakMap<readonly number[], Int32Array>;
  /** Where a row begins in which it is written what a look-up puts together. */
  readonly scratch: number;
}

/** So many names are asked for in any case. */
const fewNames = 16;

/** With more names it is counted how many values there are, of up to so many. */
const mostCounted = 15;
const digits = 4;

/** All rows together, words: a quarter of a megabyte. */
const mostWords = 65_536;

/**
 * @param all in order of precedence; each asks for two values or more
 * @returns nothing where the rows would take too much
 */
export function conditionMatrix(all: readonly Candidate[]): ConditionMatrix | undefined {
  const width = Math.ceil(all.length / 32);
  const askers = askersOf(all);
  const isFew = askers.length <= fewNames;
  const counts = all.map(
    ({ open }) => firstOfEachName(open.headers).length + firstOfEachName(open.query).length,
  );
  if (!isFew && counts.some((count) => count > mostCounted)) return undefined;
  // Of each name those that do not ask for it, and what a look-up puts together.
  const rows = askers.reduce((sum, { values, patterns }) => sum + values.size + patterns.size + 2, digits);
  if (rows * width > mostWords) return undefined;

  const bits = new Int32Array(rows * width);
  let used = 0;
  const row = (indexes: readonly number[]): number => {
    for (const index of indexes) setBit(bits, used + (index >> 5), index);
    used += width;
    return used - width;
  };
  const names = askers.map(({ by, name, values, patterns }): Named => {
    const asking = new Set([...values.values(), ...[...patterns.values()].map(({ who }) => who)].flat());
    const others = isFew ? [...all.keys()].filter((index) => !asking.has(index)) : [];
    // Whoever asks for nothing of this name holds for all of its values.
    const its = new Map(Array.from(values, ([value, who]) => [value, row([...who, ...others])]));
    const otherwise = isFew && others.length === 0 ? undefined : row(others);
    const written = [...patterns.values()];
    const patterned =
      written.length === 0
        ? undefined
        : {
            find: finderOf(written.map(({ pattern }) => pattern)),
            rows: written.map(({ who }) => row(who)),
            together: new WeakMap<readonly number[], Int32Array>(),
            scratch: row([]),
          };
    return { by, name, values: its, patterned, otherwise };
  });
  for (const [index, count] of counts.entries())
    for (let digit = 0; digit < digits; digit++)
      if ((count >> digit) & 1) setBit(bits, used + digits * (index >> 5) + digit, index);
  return {
    candidates: all.map(({ rank, matched, open: { method } }) =>
      candidateWith(matched, rank, method === undefined ? nothing : { ...nothing, method }),
    ),
    // The name with most values keeps fewest, and comes first.
    names: names.sort((a, b) => sizeOf(b) - sizeOf(a)),
    among: isFew ? undefined : { headers: byName(names, "headers"), query: byName(names, "query") },
    bits,
    width,
    wanted: used,
    rows: names.map(() => 0),
  };
}

/** The candidate of highest precedence that holds, if its rank is below the limit. */
export const chooseByRows = (
  matrix: ConditionMatrix,
  request: RoutedRequest,
  limit: number,
): Candidate | undefined =>
  matrix.among === undefined ? inAllRows(matrix, request, limit) : inEnoughRows(matrix, request, limit);

function inAllRows(matrix: ConditionMatrix, request: RoutedRequest, limit: number): Candidate | undefined {
  const { names, bits, width, rows } = matrix;
  for (let index = 0; index < names.length; index++) {
    const named = names[index];
    const row = named && (rowFor(named, matrix, request) ?? named.otherwise);
    if (row === undefined) return undefined;
    rows[index] = row;
  }
  const first = rows[0] ?? 0;
  for (let word = 0; word < width; word++) {
    let left = bits[first + word] ?? 0;
    for (let index = 1; left !== 0 && index < rows.length; index++)
      left &= bits[(rows[index] ?? 0) + word] ?? 0;
    if (left === 0) continue;
    const found = firstAmong(matrix, word, left, request);
    if (found !== undefined) return found.rank < limit ? found : undefined;
  }
  return undefined;
}

/**
 * Counts for each candidate in how many rows it stands, as four binary digits of 32 candidates each: it holds if it is
 * in as many as it asks for values.
 */
function inEnoughRows(matrix: ConditionMatrix, request: RoutedRequest, limit: number): Candidate | undefined {
  const { bits, width, wanted, rows } = matrix;
  const found = noteRows(matrix, request);
  if (found < 2) return undefined;
  for (let word = 0; word < width; word++) {
    let one = 0;
    let two = 0;
    let four = 0;
    let eight = 0;
    for (let index = 0; index < found; index++) {
      const row = bits[(rows[index] ?? 0) + word] ?? 0;
      const carry = one & row;
      one ^= row;
      const more = two & carry;
      two ^= carry;
      eight ^= four & more;
      four ^= more;
    }
    // Whoever is here asks for two values or more.
    if ((two | four | eight) === 0) continue;
    const at = wanted + digits * word;
    let differs = one ^ (bits[at] ?? 0);
    differs |= two ^ (bits[at + 1] ?? 0);
    differs |= four ^ (bits[at + 2] ?? 0);
    differs |= eight ^ (bits[at + 3] ?? 0);
    if (differs === -1) continue;
    const chosen = firstAmong(matrix, word, ~differs, request);
    if (chosen !== undefined) return chosen.rank < limit ? chosen : undefined;
  }
  return undefined;
}

/** The first of 32 candidates whose bit is set and whose method is that of the request. */
function firstAmong(
  { candidates }: ConditionMatrix,
  word: number,
  bits: number,
  request: RoutedRequest,
): Candidate | undefined {
  for (let left = bits; left !== 0; left &= left - 1) {
    const candidate = candidates[32 * word + 31 - Math.clz32(left & -left)];
    if (candidate !== undefined && conditionsHold(candidate.open, request)) return candidate;
  }
  return undefined;
}

/** Notes the rows of the values that a request has, and tells how many they are. */
function noteRows(matrix: ConditionMatrix, request: RoutedRequest): number {
  const { names, among, rows } = matrix;
  let found = 0;
  let seen = 0;
  for (const by of ["headers", "query"] as const) {
    const its = among?.[by];
    if (its === undefined || its.size === 0) continue;
    for (const name of (by === "headers" ? request.headers : request.url.searchParams).keys()) {
      if (++seen > names.length) return noteAllRows(matrix, request);
      const named = its.get(name);
      const row = named && rowFor(named, matrix, request);
      // A parameter may come several times, and counts once.
      if (row !== undefined && !isAmong(rows, found, row)) rows[found++] = row;
    }
  }
  return found;
}

/** The same, where a request carries more names than candidates ask for. */
function noteAllRows(matrix: ConditionMatrix, request: RoutedRequest): number {
  let found = 0;
  for (const named of matrix.names) {
    const row = rowFor(named, matrix, request);
    if (row !== undefined) matrix.rows[found++] = row;
  }
  return found;
}

function isAmong(rows: readonly number[], count: number, row: number): boolean {
  for (let index = 0; index < count; index++) if (rows[index] === row) return true;
  return false;
}

/** Where the row begins of the candidates that ask for the value that a request has. */
function rowFor(
  { by, name, values, patterned, otherwise }: Named,
  { bits, width }: ConditionMatrix,
  { headers, url }: RoutedRequest,
): number | undefined {
  const value = (by === "headers" ? headers : url.searchParams).get(name);
  if (value === null) return undefined;
  const row = values.get(value);
  if (patterned === undefined) return row;
  const { find, rows, together, scratch } = patterned;
  reads(by === "headers" ? "headers" : "url");
  const fitting = find(value);
  if (fitting.length === 0) return row;
  const base = row ?? otherwise;
  if (fitting.length === 1) {
    const only = rows[fitting[0] ?? 0] ?? 0;
    if (base === undefined) return only;
    for (let word = 0; word < width; word++)
      bits[scratch + word] = (bits[only + word] ?? 0) | (bits[base + word] ?? 0);
    return scratch;
  }
  let all = together.get(fitting);
  if (all === undefined) {
    all = new Int32Array(width);
    for (const index of fitting)
      for (let word = 0; word < width; word++)
        all[word] = (all[word] ?? 0) | (bits[(rows[index] ?? 0) + word] ?? 0);
    together.set(fitting, all);
    keeps(200 + 4 * width);
  }
  for (let word = 0; word < width; word++)
    bits[scratch + word] = (all[word] ?? 0) | (base === undefined ? 0 : (bits[base + word] ?? 0));
  return scratch;
}

/** Who asks for what of a name, by index. */
interface Askers {
  readonly by: By;
  readonly name: string;
  readonly values: Map<string, number[]>;
  /** By the expression as written. */
  readonly patterns: Map<string, { readonly pattern: Pattern; readonly who: number[] }>;
}

function askersOf(all: readonly Candidate[]): readonly Askers[] {
  const askers = new Map<string, Askers>();
  for (const [index, { open }] of all.entries())
    for (const by of ["headers", "query"] as const)
      for (const { name, value, pattern } of firstOfEachName(open[by])) {
        const key = `${by} ${name}`;
        const its = askers.get(key) ?? { by, name, values: new Map(), patterns: new Map() };
        askers.set(key, its);
        const there = pattern === undefined ? its.values.get(value) : its.patterns.get(value)?.who;
        if (there !== undefined) there.push(index);
        else if (pattern === undefined) its.values.set(value, [index]);
        else its.patterns.set(value, { pattern, who: [index] });
      }
  return [...askers.values()];
}

const sizeOf = ({ values, patterned }: Named): number => values.size + (patterned?.rows.length ?? 0);

const byName = (names: readonly Named[], of: By): ReadonlyMap<string, Named> =>
  new Map(names.flatMap((each) => (each.by === of ? [[each.name, each]] : [])));

const setBit = (bits: Int32Array, word: number, index: number): void => {
  bits[word] = (bits[word] ?? 0) | (1 << (index & 31));
};
