/** What is known under a prefix, and under the next shorter prefix of it that anything is known under. */
export interface Prefixed<Value> {
  readonly value: Value;
  readonly shorter: Prefixed<Value> | undefined;
  /** How many shorter ones there are. */
  readonly above: number;
  /** What is known under it and all shorter ones together, once somebody has asked; `null` where there was no room. */
  whole: Value | null | undefined;
}

/** Finds the longest of many prefixes that a path falls under; `shorter` leads to all others. */
export type PrefixIndex<Value> = (path: string) => Prefixed<Value> | undefined;

/** So many prefixes of a path are asked one after the other; of more, every eighth stands for all shorter ones. */
const stride = 8;

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
  const { above, whole } = prefixed;
  if (above === 0 || above % stride !== 0) return undefined;
  if (whole !== undefined) return whole ?? undefined;
  const values: Value[] = [];
  for (let each: Prefixed<Value> | undefined = prefixed; each !== undefined; each = each.shorter)
    values.push(each.value);
  const made = together(values);
  prefixed.whole = made ?? null;
  return made;
}

/** The prefixes that have one number of segments. */
interface Level<Value> {
  readonly depth: number;
  readonly prefixes: Map<string, Prefixed<Value>>;
  longest: number;
}

/**
 * Indexes path prefixes by their number of segments. A look-up cuts the path after as many segments as
 * the longest prefixes have and asks for that piece, then for the next smaller number that any prefix
 * has: one question for each, whatever the number of prefixes. (A tree of segments has to ask for each
 * segment in turn; measured side by side it took 1.2 times as long with ten prefixes, 1.8 with ten
 * thousand.)
 *
 * A path costs no more for being long: it is not read beyond the deepest prefix's last segment, and
 * pieces longer than any prefix of that depth are not looked up.
 *
 * @param entries prefixes without trailing slash, each once; `""` is a prefix of every path
 */
export function prefixIndex<Value>(entries: Iterable<readonly [string, Value]>): PrefixIndex<Value> {
  const levels = new Map<number, Level<Value>>();
  // An ancestor is shorter, and so is there before.
  for (const [prefix, value] of [...entries].sort(([a], [b]) => a.length - b.length)) {
    const depth = depthOf(prefix);
    const shorter = shorterThan(prefix, depth, levels);
    const above = shorter === undefined ? 0 : shorter.above + 1;
    const entry: Prefixed<Value> = { value, shorter, above, whole: undefined };
    const level = levels.get(depth) ?? { depth, prefixes: new Map(), longest: 0 };
    levels.set(depth, level);
    level.prefixes.set(prefix, entry);
    level.longest = Math.max(level.longest, prefix.length);
  }
  const deepestFirst = [...levels.values()].sort((a, b) => b.depth - a.depth);
  const limit = deepestFirst[0]?.depth ?? 0;

  return (path) => {
    let depth = 0;
    let end = path.indexOf("/");
    while (end !== -1 && depth < limit) {
      end = path.indexOf("/", end + 1);
      depth += 1;
    }
    if (end === -1) end = path.length;
    // Now `path.slice(0, end)` has `depth` slashes, as many as the deepest prefix or as the whole path.
    for (const level of deepestFirst) {
      for (; depth > level.depth; depth--) end = path.lastIndexOf("/", end - 1);
      if (depth < level.depth || end > level.longest) continue;
      const found = level.prefixes.get(path.slice(0, end));
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** The number of slashes; every segment but the first, which is empty, has one before it. */
function depthOf(prefix: string): number {
  let depth = 0;
  for (let at = prefix.indexOf("/"); at !== -1; at = prefix.indexOf("/", at + 1)) depth++;
  return depth;
}

function shorterThan<Value>(
  prefix: string,
  depth: number,
  levels: ReadonlyMap<number, Level<Value>>,
): Prefixed<Value> | undefined {
  let end = prefix.length;
  for (let above = depth - 1; above >= 0; above--) {
    end = prefix.lastIndexOf("/", end - 1);
    const found = levels.get(above)?.prefixes.get(prefix.slice(0, end));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Of each thing that is indexed so many copies may be made: more would be a table that nobody has. */
const mostCopies = 8;

/**
 * What puts values together as long as there is room: {@link mostCopies} of everything that is indexed.
 * @param count of everything
 * @param sizeOf how much of it is known under a prefix
 */
export function withRoom<Value>(
  count: number,
  sizeOf: (value: Value) => number,
  together: (values: readonly Value[]) => Value,
): (values: readonly Value[]) => Value | undefined {
  let room = mostCopies * count;
  return (values) => {
    const size = values.reduce((sum, value) => sum + sizeOf(value), 0);
    if (size > room) return undefined;
    room -= size;
    return together(values);
  };
}
