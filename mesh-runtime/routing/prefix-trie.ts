/** A place in a {@link PrefixTrie}: the path from the root to it is a prefix, segment by segment. */
export interface Branch<Value> {
  readonly value: Value | undefined;
  /** The same prefix without its last segment. */
  readonly shorter: Branch<Value> | undefined;
}

/** Finds which of many path prefixes a path falls under, in time that depends on the path alone. */
export interface PrefixTrie<Value> {
  /** The longest known stretch of segments that the path begins with; `shorter` leads to all others. */
  deepest(path: string): Branch<Value>;
}

interface Growing<Value> extends Branch<Value> {
  value: Value | undefined;
  readonly children: Map<string, Growing<Value>>;
}

/**
 * Builds a trie over the segments of prefixes. A look-up ends at the first segment that no prefix has,
 * so a path of ten thousand slashes costs no more than one of three.
 *
 * @param entries prefixes without trailing slash, each at most once; `""` is a prefix of every path
 */
export function prefixTrie<Value>(entries: Iterable<readonly [string, Value]>): PrefixTrie<Value> {
  const root = grow<Value>(undefined);
  for (const [prefix, value] of entries) {
    let branch = root;
    for (const segment of prefix.split("/")) {
      let child = branch.children.get(segment);
      if (child === undefined) {
        child = grow(branch);
        branch.children.set(segment, child);
      }
      branch = child;
    }
    branch.value = value;
  }
  return {
    deepest(path) {
      let branch = root;
      let start = 0;
      while (start <= path.length) {
        const slash = path.indexOf("/", start);
        const end = slash === -1 ? path.length : slash;
        const child = branch.children.get(path.slice(start, end));
        if (child === undefined) break;
        branch = child;
        start = end + 1;
      }
      return branch;
    },
  };
}

const grow = <Value>(shorter: Branch<Value> | undefined): Growing<Value> => ({
  value: undefined,
  shorter,
  children: new Map(),
});
