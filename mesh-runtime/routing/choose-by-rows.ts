import { keeps } from "./automaton.ts";
import type { Candidate } from "./candidate.ts";
import { type ConditionMatrix, digits, headLength, type Named } from "./condition-matrix.ts";
import type { RoutedRequest } from "./route-match.ts";
import { reads } from "./steps.ts";

/**
 * The candidate of highest precedence that holds, if its rank is below the limit.
 *
 * @param place the row of the longest prefix that the path falls under, where there are prefixes
 */
export function chooseByRows(
  matrix: ConditionMatrix,
  request: RoutedRequest,
  limit: number,
  place?: number,
): Candidate | undefined {
  const { candidates, bits, width, every, length, heads, empty, rows } = matrix;
  const found = noteRows(matrix, request, place);
  // Where there are no prefixes, whoever is here asks for two values or more.
  if (found < (every ?? (place === undefined ? 2 : 1))) return undefined;
  // To make them even.
  rows[found] = empty;
  let best: Candidate | undefined;
  for (let rest = width; rest < length; rest++) {
    let words = 0;
    for (let index = 0; index < found; index++) words |= bits[(rows[index] ?? 0) + rest] ?? 0;
    for (; words !== 0; words &= words - 1) {
      const word = 32 * (rest - width) + lowest(words);
      if ((bits[heads + headLength * word + digits] ?? 0) >= (best?.rank ?? limit)) continue;
      let left = every === undefined ? holding(matrix, word, found) : holdingEvery(matrix, word);
      for (; left !== 0; left &= left - 1) {
        const candidate = candidates[32 * word + lowest(left)];
        if (candidate !== undefined && candidate.rank < (best?.rank ?? limit)) best = candidate;
      }
    }
  }
  return best;
}

/**
 * The bits of those of 32 candidates that have all values that they ask for: to the complement of how many it is
 * added in how many rows each stands, in six binary digits, which are all set then. Two rows at a time: one carry for both.
 */
function holding({ bits, rows, heads }: ConditionMatrix, word: number, found: number): number {
  const at = heads + headLength * word;
  let ones = bits[at] ?? 0;
  let twos = bits[at + 1] ?? 0;
  let fours = bits[at + 2] ?? 0;
  let eights = bits[at + 3] ?? 0;
  let sixteens = bits[at + 4] ?? 0;
  let rest = bits[at + 5] ?? 0;
  for (let index = 0; index < found; index += 2) {
    const row = bits[(rows[index] ?? 0) + word] ?? 0;
    const other = bits[(rows[index + 1] ?? 0) + word] ?? 0;
    const either = row ^ other;
    const two = (row & other) | (ones & either);
    ones ^= either;
    const four = twos & two;
    twos ^= two;
    const eight = fours & four;
    fours ^= four;
    const sixteen = eights & eight;
    eights ^= eight;
    rest ^= sixteens & sixteen;
    sixteens ^= sixteen;
  }
  return ones & twos & fours & eights & sixteens & rest;
}

/** {@link holding}, where each asks for a value of every name. */
function holdingEvery({ bits, rows, every = 0 }: ConditionMatrix, word: number): number {
  let left = bits[(rows[0] ?? 0) + word] ?? 0;
  for (let index = 1; left !== 0 && index < every; index++) left &= bits[(rows[index] ?? 0) + word] ?? 0;
  return left;
}

/** Notes the rows of what a request has, and tells how many they are. */
function noteRows(matrix: ConditionMatrix, request: RoutedRequest, place: number | undefined): number {
  const { names, among, methods, rows } = matrix;
  const { headers, url } = request;
  let found = 0;
  if (place !== undefined) rows[found++] = place;
  const method = methods.size === 0 ? undefined : methods.get(request.method);
  if (method !== undefined) rows[found++] = method;
  const before = found;
  if (among === undefined) return noteAllRows(matrix, request, before);
  let seen = 0;
  if (among.headers.size > 0)
    for (const [name, value] of headers) {
      if (++seen > names.length) return noteAllRows(matrix, request, before);
      const named = among.headers.get(name);
      const row = named && rowFor(named, value, matrix);
      if (row !== undefined) rows[found++] = row;
    }
  if (among.query.size > 0)
    for (const name of url.searchParams.keys()) {
      if (++seen > names.length) return noteAllRows(matrix, request, before);
      const named = among.query.get(name);
      const row = named && rowFor(named, url.searchParams.get(name), matrix);
      // A parameter may come several times, and counts once.
      if (row !== undefined && !isAmong(rows, found, row)) rows[found++] = row;
    }
  return found;
}

/** The same, where a request carries more names than candidates ask for, or those are few. */
function noteAllRows(matrix: ConditionMatrix, { headers, url }: RoutedRequest, before: number): number {
  let found = before;
  for (const named of matrix.names) {
    const value = (named.by === "headers" ? headers : url.searchParams).get(named.name);
    const row = rowFor(named, value, matrix);
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
  { by, value: first, its, values, patterned }: Named,
  value: string | null,
  { bits, length }: ConditionMatrix,
): number | undefined {
  if (value === null) return undefined;
  const row = value === first ? its : values?.get(value);
  if (patterned === undefined) return row;
  const { find, rows, together, scratch } = patterned;
  reads(by === "headers" ? "headers" : "url");
  const fitting = find(value);
  if (fitting.length === 0) return row;
  if (fitting.length === 1 && row === undefined) return rows[fitting[0] ?? 0];
  let all = together.get(fitting);
  if (all === undefined) {
    all = new Int32Array(length);
    for (const index of fitting)
      for (let word = 0; word < length; word++)
        all[word] = (all[word] ?? 0) | (bits[(rows[index] ?? 0) + word] ?? 0);
    together.set(fitting, all);
    keeps(200 + 4 * length);
  }
  bits.set(all, scratch);
  if (row !== undefined)
    for (let word = 0; word < length; word++)
      bits[scratch + word] = (bits[scratch + word] ?? 0) | (bits[row + word] ?? 0);
  return scratch;
}

/** The place of the lowest bit that is set. */
const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);
