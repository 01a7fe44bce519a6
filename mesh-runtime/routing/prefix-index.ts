/** What is known under a prefix, and under the next shorter prefix of it that anything is known under. */
export interface Prefixed<Value> {
  readonly text: string;
  readonly value: Value;
  readonly shorter: Prefixed<Value> | undefined;
  /** How many shorter ones there are. */
  readonly above: number;
  /** The shortest of its shorter ones, and all that lie below that; and which of them it is. */
  readonly nest: Nest<Value>;
  readonly place: number;
  /** Whether it stands for all shorter ones. */
  stands: boolean;
  /** What is known under it and all shorter ones together, once somebody has asked; `null` where there was no room. */
  whole: Value | null | undefined;
}

/** Prefixes below one prefix, that one among them, shorter ones first. */
export type Nest<Value> = Prefixed<Value>[];

/** Finds the longest of many prefixes that a path falls under; `shorter` leads to all others. */
export type PrefixIndex<Value> = (path: string) => Prefixed<Value> | undefined;

/** So many prefixes of a path are asked one after the other; of more, every fourth stands for all shorter ones. */
const shortStride = 4;

/**
 * What is known under a prefix and all shorter ones of it together, where they are many and this one stands for them:
 * a path that falls under a hundred prefixes, one below the other, asks few of them.
 *
 * @param together puts values together, the one of the longest prefix first; nothing where there is no room
 */
export function wholeOf<Value>(
  prefixed: Prefixed<Value>,
  together: (values: readonly Value[]) => Value | undefined,
): Value | undefined {
  const { stands, whole } = prefixed;
  if (!stands) return undefined;
  if (whole !== undefined) return whole ?? undefined;
  const values: Value[] = [];
  for (let each: Prefixed<Value> | undefined = prefixed; each !== undefined; each = each.shorter)
    values.push(each.value);
  const made = together(values);
  prefixed.whole = made ?? null;
  return made;
}

/** The prefixes of one length. */
interface Level<Value> {
  readonly length: number;
  /** Where they differ: between what all of them begin with and what all of them end with. */
  readonly from: number;
  readonly to: number;
  /** By what stands there: of a long prefix that alone is looked up, and the whole compared once. */
  readonly prefixes: ReadonlyMap<string, Prefixed<Value>>;
  /** A bit for the mark of each: most paths that begin with none of them are seen by theirs. */
  readonly marks: Int32Array;
}

/**
 * Indexes path prefixes by their length. A look-up asks for the lengths at which a segment of the path ends, from the
 * longest on: one question for each, whatever the number of prefixes. (A tree of segments has to ask for each
 * segment in turn; measured side by side it took 1.2 times as long with ten prefixes, 1.8 with ten
 * thousand.)
 *
 * A path costs no more for being long: it is not read beyond the longest prefix.
 *
 * @param entries prefixes without trailing slash, each once; `""` is a prefix of every path
 * @param copies that may be made of everything ({@link wholeOf}): the more, the fewer prefixes of a path are asked
 */
export function prefixIndex<Value>(
  entries: Iterable<readonly [string, Value]>,
  copies: number,
): PrefixIndex<Value> {
  const byLength = new Map<number, (readonly [string, Value])[]>();
  for (const entry of entries) {
    const there = byLength.get(entry[0].length);
    if (there === undefined) byLength.set(entry[0].length, [entry]);
    else there.push(entry);
  }
  const levels = new Map<number, Level<Value>>();
  // A shorter one is there before those that it is shorter than.
  for (const [length, its] of [...byLength].sort(([a], [b]) => a - b))
    levels.set(length, levelOf(length, its, levels));
  const shortestFirst = [...levels.values()];
  appoint(
    shortestFirst.flatMap(({ prefixes }) => [...prefixes.values()]),
    copies,
  );
  const lengths = Int32Array.from(shortestFirst, ({ length }) => length);
  const upTo = levelsUpTo(lengths);
  const longest = upTo.length - 1;

  return (path) => {
    for (let index = upTo[Math.min(path.length, longest)] ?? 0; index-- > 0; ) {
      const length = lengths[index] ?? 0;
      if (length < path.length && path.charCodeAt(length) !== slash) continue;
      const level = shortestFirst[index];
      const found = level && at(level, path);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** Decides which prefixes stand for all shorter ones: so many that there is room for all where the deepest are a chain. */
function appoint(all: readonly Prefixed<unknown>[], copies: number): void {
  let deepest = 0;
  for (const { above } of all) deepest = Math.max(deepest, above);
  const stride = Math.max(shortStride, Math.ceil(deepest / (2 * copies)));
  for (const each of all) each.stands = each.above > 0 && each.above % stride === 0;
}

/** How many of these lengths, shortest first, are up to 0, 1, 2 … */
function levelsUpTo(lengths: Int32Array): Int32Array {
  const upTo = new Int32Array((lengths.at(-1) ?? 0) + 1);
  for (const [index, length] of lengths.entries()) upTo.fill(index + 1, length, lengths[index + 1]);
  return upTo;
}

/** `/` */
const slash = 0x2f;

const marks = 1_024;

/** Some of the first so many characters of a path, as a small number. */
function markOf(path: string, length: number): number {
  if (length < 2) return 0;
  const ends = path.charCodeAt(length - 2) * 31 + path.charCodeAt(length - 1);
  return ((path.charCodeAt(1) * 31 + path.charCodeAt(length >> 1)) * 31 + ends) % marks;
}

function at<Value>(level: Level<Value>, path: string): Prefixed<Value> | undefined {
  const { length, from, to, prefixes } = level;
  const mark = markOf(path, length);
  if (((level.marks[mark >> 5] ?? 0) & (1 << (mark & 31))) === 0) return undefined;
  const found = prefixes.get(path.slice(from, to));
  return found?.text === path.slice(0, length) ? found : undefined;
}

function levelOf<Value>(
  length: number,
  entries: readonly (readonly [string, Value])[],
  levels: ReadonlyMap<number, Level<Value>>,
): Level<Value> {
  const [[first] = [""]] = entries;
  const allHave = (position: number) => entries.every(([text]) => text[position] === first[position]);
  let from = 0;
  while (from < length && allHave(from)) from += 1;
  let to = length;
  while (to > from && allHave(to - 1)) to -= 1;
  const prefixes = new Map<string, Prefixed<Value>>();
  const seen = new Int32Array(marks / 32);
  for (const [text, value] of entries) {
    const mark = markOf(text, length);
    seen[mark >> 5] = (seen[mark >> 5] ?? 0) | (1 << (mark & 31));
    const shorter = shorterThan(text, levels);
    const above = shorter === undefined ? 0 : shorter.above + 1;
    const nest: Nest<Value> = shorter?.nest ?? [];
    const place = nest.length;
    const its = { text, value, shorter, above, nest, place, stands: false, whole: undefined };
    nest.push(its);
    prefixes.set(text.slice(from, to), its);
  }
  return { length, from, to, prefixes, marks: seen };
}

function shorterThan<Value>(
  prefix: string,
  levels: ReadonlyMap<number, Level<Value>>,
): Prefixed<Value> | undefined {
  for (let end = prefix.length; end > 0; ) {
    end = prefix.lastIndexOf("/", end - 1);
    const level = levels.get(end);
    const found = level && at(level, prefix);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * What puts values together as long as there is room for so many.
 *
 * @param room copies of everything, by how much everything is: more would be a table that nobody has
 * @param sizeOf how much is known under a prefix
 */
export function withRoom<Value>(
  room: number,
  sizeOf: (value: Value) => number,
  together: (values: readonly Value[]) => Value,
): (values: readonly Value[]) => Value | undefined {
  let left = room;
  return (values) => {
    const size = values.reduce((sum, value) => sum + sizeOf(value), 0);
    if (size > left) return undefined;
    left -= size;
    return together(values);
  };
}
