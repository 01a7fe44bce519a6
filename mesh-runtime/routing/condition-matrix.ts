import { type Finder, finderOf } from "./automaton.ts";
import { type Candidate, candidateWith, nothing } from "./candidate.ts";
import type { Pattern } from "./words.ts";

/**
 * Candidates that only several values together tell apart. Each value (or expression) that one asks for has a row of
 * bits, one for each candidate: who asks for it. From the rows that the values of a request fall under it is counted
 * for 32 candidates at once how many of their values are there, so that it matters little how many share a value, and
 * how many values it takes.
 *
 * Those that share their rarest value stand together. Each row tells beside in which words they stand, and a look-up
 * leaves out all words in which nobody's rarest value is there.
 */
export interface ConditionMatrix {
  /** Without what the rows say. */
  readonly candidates: readonly Candidate[];
  readonly names: readonly Named[];
  /** Where names are many: by them, so that those are gone through that the request carries. */
  readonly among: Readonly<Record<By, ReadonlyMap<string, Named>>> | undefined;
  /** Where the row of each method begins. */
  readonly methods: ReadonlyMap<string, number>;
  /** All rows, one after the other. */
  readonly bits: Int32Array;
  /** How many words of a row are about candidates. */
  readonly width: number;
  /** Where each asks for a value of every name: how many those are, and nothing has to be counted. */
  readonly every: number | undefined;
  /** How long a row is, words: the others have a bit for each word in which somebody stands whose rarest value it is. */
  readonly length: number;
  /**
   * Where it begins what is known of each 32 candidates: how many values each asks for, as the complement in binary
   * digits, and the rank of the first of them.
   */
  readonly heads: number;
  /** Where a row begins that nobody stands in. */
  readonly empty: number;
  /** Where the row of each prefix begins; none where all have the same path. */
  readonly places: readonly number[];
  /** Where the rows begin that a look-up is about. */
  readonly rows: number[];
}

type By = "headers" | "query";

/** A header or parameter that candidates ask for. */
export interface Named {
  readonly by: By;
  readonly name: string;
  /** The first of the values, and all of them where there are more; and where the row of each begins. */
  readonly value: string | undefined;
  readonly its: number | undefined;
  readonly values: ReadonlyMap<string, number> | undefined;
  readonly patterned: PatternedRows | undefined;
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

/** It is counted how many values there are, of up to so many: a match has at most 16 headers and 16 parameters. */
export const digits = 6;
export const headLength = digits + 1;
const mostCounted = 2 ** digits - 1;

/** All rows together, words: a megabyte, which is enough for a thousand candidates whatever they ask for. */
const mostWords = 262_144;

/** Who stands under a prefix: its own, by index, and those of the next shorter one, which comes before it. */
export interface Standing {
  readonly own: readonly number[];
  readonly shorter: number | undefined;
}

/**
 * @param all in order of precedence; each asks for two values or more, unless there are prefixes
 * @param under the prefixes by which candidates are told apart too; none where all have the same path
 * @returns nothing where the rows would take too much
 */
export function conditionMatrix(
  all: readonly Candidate[],
  under: readonly Standing[] = [],
): ConditionMatrix | undefined {
  const counts = all.map(({ open: { method, headers, query } }) => {
    return headers.length + query.length + (method === undefined ? 0 : 1) + (under.length === 0 ? 0 : 1);
  });
  if (counts.some((count) => count > mostCounted)) return undefined;
  const width = Math.ceil(all.length / 32);
  const length = width + Math.ceil(width / 32);
  const { asked, methods } = askersOf(all);
  // Of each name with expressions one more, for what a look-up puts together; and one that is empty.
  const rows = asked.reduce(
    (sum, { values, patterns }) => {
      return sum + values.size + (patterns.size === 0 ? 0 : patterns.size + 1);
    },
    under.length + methods.size + 1,
  );
  if (rows * length + headLength * width > mostWords) return undefined;

  const rarest = rarestOf(asked, all.length);
  const sharing = new Map<readonly number[] | undefined, number[]>();
  for (const index of all.keys()) file(sharing, rarest[index], index);
  const order = [...sharing.values()].flat();
  const places: number[] = [];
  for (const [place, index] of order.entries()) places[index] = place;

  const bits = new Int32Array(rows * length + headLength * width);
  let used = 0;
  const row = (who: readonly number[]): number => {
    for (const index of who) {
      const place = places[index] ?? 0;
      setBit(bits, used, place);
      // Who asks for no value is found by the path alone.
      if (rarest[index] === who || rarest[index] === pathAlone) setBit(bits, used + width, place >> 5);
    }
    used += length;
    return used - length;
  };
  const names = asked.map(({ by, name, values, patterns }): Named => {
    const written = [...patterns.values()];
    const plain = new Map(Array.from(values, ([value, who]) => [value, row(who)]));
    const [[value, its] = []] = plain;
    return {
      by,
      name,
      value,
      its,
      values: plain.size > 1 ? plain : undefined,
      patterned:
        written.length === 0
          ? undefined
          : {
              find: finderOf(written.map(({ pattern }) => pattern)),
              rows: written.map(({ who }) => row(who)),
              together: new WeakMap<readonly number[], Int32Array>(),
              scratch: row([]),
            },
    };
  });
  const empty = row([]);
  const standing: number[] = [];
  for (const { own, shorter } of under) {
    const begin = row(own);
    const above = shorter === undefined ? empty : (standing[shorter] ?? empty);
    for (let word = 0; word < length; word++)
      bits[begin + word] = (bits[begin + word] ?? 0) | (bits[above + word] ?? 0);
    standing.push(begin);
  }
  const most = under.length > 0 ? undefined : names.length + (methods.size === 0 ? 0 : 1);
  const byMethod = new Map(Array.from(methods, ([method, who]) => [method, row(who)]));
  for (const [index, count] of counts.entries()) {
    const place = places[index] ?? 0;
    for (let digit = 0; digit < digits; digit++)
      if (((count >> digit) & 1) === 0) setBit(bits, used + headLength * (place >> 5) + digit, place & 31);
  }
  const candidates = order.flatMap((index) => all[index] ?? []);
  for (let word = 0; word < width; word++)
    bits[used + headLength * word + digits] = Math.min(
      ...candidates.slice(32 * word, 32 * word + 32).map(({ rank }) => rank),
    );
  return {
    candidates: candidates.map(({ rank, matched }) => candidateWith(matched, rank, nothing)),
    names,
    among:
      names.length <= fewNames || names.some(isTornApart)
        ? undefined
        : { headers: of("headers", names), query: of("query", names) },
    methods: byMethod,
    bits,
    width,
    every: counts.every((count) => count === most) ? most : undefined,
    length,
    heads: used,
    empty,
    places: standing,
    rows: names.map(() => 0),
  };
}

/** Who asks for what of a name, by index. */
interface Askers {
  readonly by: By;
  readonly name: string;
  readonly values: Map<string, number[]>;
  /** By the expression as written. */
  readonly patterns: Map<string, { readonly pattern: Pattern; readonly who: number[] }>;
}

interface Asked {
  readonly asked: readonly Askers[];
  readonly methods: ReadonlyMap<string, number[]>;
}

function askersOf(all: readonly Candidate[]): Asked {
  const askers = { headers: new Map<string, Askers>(), query: new Map<string, Askers>() };
  const methods = new Map<string, number[]>();
  for (const [index, { open }] of all.entries()) {
    if (open.method !== undefined) file(methods, open.method, index);
    for (const by of ["headers", "query"] as const)
      for (const { name, value, pattern } of open[by]) {
        const its = askers[by].get(name) ?? { by, name, values: new Map(), patterns: new Map() };
        askers[by].set(name, its);
        if (pattern === undefined) file(its.values, value, index);
        else {
          const there = its.patterns.get(value);
          if (there === undefined) its.patterns.set(value, { pattern, who: [index] });
          else there.who.push(index);
        }
      }
  }
  return { asked: [...askers.headers.values(), ...askers.query.values()], methods };
}

function file<Key>(under: Map<Key, number[]>, value: Key, index: number): void {
  const there = under.get(value);
  if (there === undefined) under.set(value, [index]);
  else there.push(index);
}

/** For who asks for no value. */
const pathAlone: readonly number[] = [];

/** Of each candidate who asks for the rarest value that it asks for. */
function rarestOf(asked: readonly Askers[], count: number): readonly (readonly number[])[] {
  const rarest = Array.from({ length: count }, () => pathAlone);
  for (const { values, patterns } of asked)
    for (const who of [...values.values(), ...Array.from(patterns.values(), (each) => each.who)])
      for (const index of who) {
        const before = rarest[index] ?? pathAlone;
        if (before === pathAlone || who.length < before.length) rarest[index] = who;
      }
  return rarest;
}

const of = (by: By, names: readonly Named[]): ReadonlyMap<string, Named> =>
  new Map(names.flatMap((each) => (each.by === by ? [[each.name, each]] : [])));

/** The one header that a platform's `Headers` lists several times, where it has one value for whoever asks for it. */
const isTornApart = ({ by, name }: Named): boolean => by === "headers" && name === "set-cookie";

const setBit = (bits: Int32Array, row: number, index: number): void => {
  const word = row + (index >> 5);
  bits[word] = (bits[word] ?? 0) | (1 << (index & 31));
};
