import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { type Finding, shown } from "./source.ts";
import { maxErrors, maxExpandedDepth, maxWrittenOut } from "./yaml-limits.ts";

/** What the aliases of one text have come to so far: its documents share what they may. */
export interface Expansion {
  /** Characters that stand for aliases and merge keys once they are written out. */
  writtenOut: number;
  /** Nodes that were looked at and members that were copied: what the walk has cost. */
  steps: number;
}

/** Something that is wrong with the form of a document, and where. */
export interface FormFault {
  readonly offset: number;
  /** Others read it otherwise, which refuses it where it is applied; what it means here is certain. */
  readonly isAmbiguous: boolean;
  readonly finding: Finding;
}

/** A document as plain values, with its aliases and merge keys written out. */
export interface PlainDocument {
  readonly value: unknown;
  readonly faults: readonly FormFault[];
  /** What each alias stands for. */
  readonly targets: ReadonlyMap<Alias, Node>;
}

/** What a node says, and how large and deep it is with everything written out. */
interface Said {
  readonly value: unknown;
  readonly size: number;
  readonly depth: number;
}

/** What an anchor names; without `said` as long as it is not complete. */
interface Anchored {
  readonly node: Node;
  readonly said?: Said;
}

/** Names that mean something to JavaScript objects themselves; libraries skip them in silence, so they end here. */
const unsafeNames = new Set(["__proto__", "constructor", "prototype"]);

/** Thrown through the walk, which ends where a document grows without bound. */
const gaveUp = Symbol("too much");

/**
 * Reads a document into plain values in one walk, each node once. Aliases share the value that they stand for, so what
 * they would come to is counted and not built: a document that grows beyond the bounds ("billion laughs", merges of
 * merges) is given up at the alias that is too much.
 *
 * Merge keys (`<<`) mean what they mean in YAML 1.1: a member that is written wins over one that is merged, and of
 * several sources the earlier wins. kubectl reads them so only where they stand before what is written: otherwise the
 * member that is merged wins there (go-yaml v2), so that such a member is refused if the two differ.
 */
export function plainDocument(document: Document.Parsed, expansion: Expansion): PlainDocument {
  const faults: FormFault[] = [];
  const targets = new Map<Alias, Node>();
  const anchors = new Map<string, Anchored>();

  const fault = (node: unknown, finding: Finding, isAmbiguous = false): void => {
    faults.push({ offset: startOf(node) ?? 0, isAmbiguous, finding });
    if (faults.length >= maxErrors) throw gaveUp;
  };

  function said(node: unknown): Said {
    expansion.steps += 1;
    if (!isNode(node)) return { value: null, size: 1, depth: 1 };
    if (isAlias(node)) return standsFor(node);
    const { anchor } = node;
    if (anchor !== undefined) anchors.set(anchor, { node });
    if (isAmbiguous(node)) fault(node, ambiguous(String(node.source)), true);
    if (isScalar(node) && typeof node.value === "symbol") fault(node, noMergeKey);
    const own = isMap(node) ? mapped(node) : isSeq(node) ? listed(node.items) : scalar(node);
    if (own.depth > maxExpandedDepth) {
      fault(node, tooDeep);
      throw gaveUp;
    }
    if (anchor !== undefined) anchors.set(anchor, { node, said: own });
    return own;
  }

  function standsFor(alias: Alias): Said {
    const target = anchors.get(alias.source);
    if (target?.said === undefined) {
      fault(alias, target === undefined ? noAnchor(alias.source) : circular);
      return { value: null, size: 1, depth: 1 };
    }
    targets.set(alias, target.node);
    expansion.writtenOut += target.said.size;
    if (expansion.writtenOut > maxWrittenOut) {
      fault(alias, tooMuch(alias.source));
      throw gaveUp;
    }
    return target.said;
  }

  function listed(items: readonly unknown[]): Said {
    const all = items.map(said);
    return { value: all.map(({ value }) => value), ...extent(all) };
  }

  function mapped({ items }: YAMLMap): Said {
    const value: Record<string, unknown> = {};
    const names = new Set<string>();
    const all: Said[] = [];
    for (const pair of items) {
      const name = nameOf(pair.key);
      const key = isMergeKey(pair.key) ? scalar(pair.key) : said(pair.key);
      const member = said(pair.value);
      all.push(key, isMergeKey(pair.key) ? raised(member, pair.value) : member);
      if (name === undefined) fault(pair.key, nameless);
      else if (names.has(name)) fault(pair.key, isMergeKey(pair.key) ? mergedTwice : twice(name));
      else if (isMergeKey(pair.key)) merge(pair, member, value, names);
      else if (unsafeNames.has(name)) fault(pair.key, unsafe(name));
      else value[name] = member.value;
      if (name !== undefined) names.add(name);
    }
    return { value, ...extent(all) };
  }

  /** Adds the members of a merge key's sources that are not there; those that are written overwrite them later on. */
  function merge(
    { key, value: node }: Pair,
    { value: merged }: Said,
    into: Record<string, unknown>,
    written: ReadonlySet<string>,
  ): void {
    let differs: string | undefined;
    const several = isSeq(node);
    const sources: readonly unknown[] = several ? node.items : [node];
    for (const [index, source] of sources.entries()) {
      if (!isMap(isAlias(source) ? targets.get(source) : source)) {
        // An alias that stands for nothing has been told already.
        if (!isAlias(source) || targets.has(source)) fault(source ?? key, noMap);
        continue;
      }
      const from = (several ? (merged as readonly unknown[])[index] : merged) as Record<string, unknown>;
      for (const [name, member] of Object.entries(from)) {
        expansion.steps += 1;
        if (!Object.hasOwn(into, name)) into[name] = member;
        else if (written.has(name) && into[name] !== member) differs ??= name;
      }
    }
    if (differs !== undefined) fault(key, mergedLate(differs), true);
  }

  try {
    return { value: said(document.contents).value, faults, targets };
  } catch (thrown) {
    if (thrown !== gaveUp) throw thrown;
    return { value: undefined, faults, targets };
  }
}

const scalar = (node: Node): Said => {
  const [from, to] = node.range ?? [0, 0];
  const value = isScalar(node) && typeof node.value !== "symbol" ? node.value : null;
  return { value, size: 1 + to - from, depth: 1 };
};

const extent = (parts: readonly Said[]): Pick<Said, "size" | "depth"> => ({
  size: parts.reduce((sum, { size }) => sum + size, 1),
  depth: parts.reduce((deepest, { depth }) => Math.max(deepest, depth), 0) + 1,
});

/** Members that are merged stand where the merge key does, one level above its sources, or two where they are a list. */
const raised = ({ value, size, depth }: Said, node: unknown): Said => ({
  value,
  size,
  depth: depth - (isSeq(node) ? 2 : 1),
});

const nameOf = (key: unknown): string | undefined => {
  if (!isScalar(key) || key.value === null) return undefined;
  return typeof key.value === "symbol" ? "<<" : String(key.value);
};

/** YAML 1.1, and kubectl with it, reads a number that begins with a zero as an octal one, YAML 1.2 as a decimal one. */
const isAmbiguous = (node: Node): node is Scalar =>
  isScalar(node) && typeof node.value === "number" && /^[-+]?0[0-9]/.test(node.source ?? "");

/**
 * A merge key is written plain, or with its tag (`!!merge <<`, as yq prints it), for which the `yaml` package has a
 * symbol; in quotes or as `!!str` it is a member of this name.
 */
const isMergeKey = (key: unknown): key is Scalar =>
  isScalar(key) &&
  (typeof key.value === "symbol"
    ? key.source === "<<"
    : key.value === "<<" && key.type === "PLAIN" && key.tag === undefined);

export const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined);

/**
 * The pair that says a member of a map: its own, or that of the first source of its merge key that has one. Each map
 * is looked at once, however often it is merged.
 */
export function memberOf(
  map: YAMLMap,
  name: string,
  targets: PlainDocument["targets"],
  seen: Set<YAMLMap> = new Set(),
): Pair | undefined {
  if (seen.has(map)) return undefined;
  seen.add(map);
  const own = map.items.find(({ key }) => nameOf(key) === name && !isMergeKey(key));
  if (own !== undefined) return own;
  const merged = map.items.find(({ key }) => isMergeKey(key))?.value;
  for (const source of isSeq(merged) ? merged.items : [merged]) {
    const from = isAlias(source) ? targets.get(source) : source;
    const found = isMap(from) ? memberOf(from, name, targets, seen) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

const circular: Finding = {
  path: [],
  expected: "an alias of something that is complete",
  found: "an alias inside its own anchor",
  message: "An alias (*name) stands inside what it stands for; write the value out.",
};

const noAnchor = (name: string): Finding => ({
  path: [],
  expected: "an alias of an anchor before it",
  found: shown(`*${name}`),
  message: `The alias ${shown(`*${name}`)} has no anchor (&name) before it; correct it, or write the value out.`,
});

const tooMuch = (name: string): Finding => ({
  path: [],
  expected: `aliases that come to at most ${maxWrittenOut} characters, written out`,
  found: "more",
  message: `With the alias ${shown(`*${name}`)} this text comes to more than ${maxWrittenOut} characters beyond what is written; use fewer aliases.`,
});

const tooDeep: Finding = {
  path: [],
  expected: `at most ${maxExpandedDepth} levels, aliases written out`,
  found: "more",
  message: `With its aliases written out this is nested deeper than ${maxExpandedDepth} levels; simplify it.`,
};

const noMap: Finding = {
  path: ["<<"],
  expected: "an object, an alias of one, or a list of those",
  found: "something else",
  message:
    "A merge key (<<) takes in the members of objects; write an alias of one, or a list of such aliases.",
};

const mergedTwice: Finding = {
  path: ["<<"],
  expected: "one merge key",
  found: '"<<" again',
  message: "The merge key << stands here twice; write it once, with a list: <<: [*a, *b].",
};

const mergedLate = (name: string): Finding => ({
  path: ["<<"],
  expected: `"<<" before ${shown(name)}`,
  found: `"<<" after it, with another ${shown(name)}`,
  message: `Of the member ${shown(name)}, which is merged (<<) after it was written, kubectl takes what is merged, and YAML 1.1 what is written; write << first, or remove one of the two.`,
});

const noMergeKey: Finding = {
  path: [],
  expected: "the tag !!merge at a merge key (<<) alone",
  found: "!!merge at something else",
  message: "The tag !!merge belongs to a merge key (<<) alone; remove it.",
};

const ambiguous = (source: string): Finding => ({
  path: [],
  expected: "a number without leading zeros",
  found: shown(source),
  message: `${shown(source)} is an octal number to some readers of YAML, kubectl among them, and a decimal one to others; write it without leading zeros, or in quotes if it is a text.`,
});

const nameless: Finding = {
  path: [],
  expected: "a text before the colon",
  found: "something else",
  message: "A member's name must be a text; write one before the colon.",
};

const unsafe = (name: string): Finding => ({
  path: [name],
  expected: "a name that JavaScript does not reserve",
  found: shown(name),
  message: `The member ${shown(name)} can mean nothing here; remove it.`,
});

const twice = (name: string): Finding => ({
  path: [name],
  expected: "each member once",
  found: `${shown(name)} again`,
  message: `The member ${shown(name)} stands here twice; keep one of the two.`,
});
