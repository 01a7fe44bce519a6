import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  visit,
} from "yaml";
import type { Issue } from "./issue.ts";
import {
  type Finding,
  issueAt,
  type Origin,
  type Parsed,
  type Path,
  type Position,
  type Source,
  shown,
} from "./source.ts";
import { composed, type YamlError } from "./yaml-compose.ts";
import { maxDocuments, maxErrors, tokensWithin } from "./yaml-limits.ts";

/** Documents as far as they could be read, and what kept the others from being read. */
export interface ParsedSources {
  readonly parsed: readonly Parsed[];
  readonly issues: readonly Issue[];
}

/** An anchor may stand for so many values, all uses counted; more is a bomb (a "billion laughs"). */
const maxAliasCount = 100;
/** Names that mean something to JavaScript objects themselves; libraries skip them in silence, so they end here. */
const unsafeNames = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Parses texts in YAML 1.2 or JSON, each with any number of documents; the items of a `List` count as
 * documents. Reports everything that is wrong with the form: a text that is too large or not YAML, a
 * member written twice, an alias that grows without bound. A text that does not parse gives no documents
 * at all, because what follows an error is guesswork.
 */
export function parseDocuments(sources: readonly Source[]): ParsedSources {
  const parsed: Parsed[] = [];
  const issues: Issue[] = [];
  for (const source of sources) {
    const found = parseSource(source, maxDocuments - parsed.length);
    parsed.push(...found.parsed);
    issues.push(...found.issues);
  }
  return { parsed, issues };
}

function parseSource({ source, text }: Source, room: number): ParsedSources {
  const lines = new LineCounter();
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const refused = (position: Position, finding: Omit<Finding, "path">): ParsedSources => {
    const origin: Origin = { source, within: [], locate: () => position };
    return { parsed: [], issues: [issueAt(origin, "", { ...finding, path: [] })] };
  };

  const tokens = tokensWithin(text, lines.addNewLine);
  if (!tokens.ok) {
    const { line, expected, found } = tokens.reason;
    const message = `This text exceeds a limit: ${expected}, found ${found}; split or simplify it.`;
    return refused({ line, column: 1 }, { expected, found, message });
  }
  const parsed: Parsed[] = [];
  const issues: Issue[] = [];
  let seen = 0;
  for (const { document, errors } of composed(tokens.value)) {
    const origin = originOf(source, document, place);
    seen += 1;
    const wrong = formIssues(document, errors, origin, place);
    issues.push(...wrong);
    if (wrong.length === 0 && document !== undefined && !isEmpty(document)) {
      const value = plainValue(document);
      if (value.ok) for (const one of unpacked({ value: value.value, origin })) parsed.push(one);
      else issues.push(issueAt(origin, "", value.finding));
    }
    if (Math.max(seen, parsed.length) > room) {
      const expected = `at most ${maxDocuments} documents`;
      const message = `There are too many documents; apply at most ${maxDocuments} at once.`;
      return refused(origin.locate([]), { expected, found: `${maxDocuments + 1} or more`, message });
    }
    if (issues.length >= maxErrors) break;
  }
  return issues.length > 0 ? { parsed: [], issues } : { parsed, issues };
}

/** What the YAML parser says, and what it lets pass: members written twice, and names that are not texts. */
function formIssues(
  document: Document.Parsed | undefined,
  errors: readonly YamlError[],
  origin: Origin,
  place: (offset: number) => Position,
): readonly Issue[] {
  const issues = errors.map(({ message, offset }) =>
    issueAt({ ...origin, locate: () => place(offset) }, "", {
      path: [],
      expected: "YAML 1.2 or JSON",
      found: "text that is neither",
      message: `This is not valid YAML: ${firstLine(message)}.`,
    }),
  );
  if (document === undefined) return issues;
  visit(document, {
    Alias(_key, alias, ancestors) {
      const target = alias.resolve(document);
      if (target === undefined || !ancestors.includes(target)) return;
      issues.push(issueAt({ ...origin, locate: () => place(alias.range?.[0] ?? 0) }, "", circular));
    },
    Map(_key, map) {
      const names = new Set<string>();
      for (const { key } of map.items) {
        if (issues.length >= maxErrors) return;
        const at = { ...origin, locate: () => place((key as Node).range?.[0] ?? 0) };
        const name = isScalar(key) && key.value !== null ? String(key.value) : undefined;
        if (name === undefined) issues.push(issueAt(at, "", nameless));
        else if (unsafeNames.has(name)) issues.push(issueAt(at, "", unsafe(name)));
        else if (names.has(name)) issues.push(issueAt(at, "", twice(name)));
        else names.add(name);
      }
    },
  });
  return issues;
}

const circular: Finding = {
  path: [],
  expected: "an alias of something that is complete",
  found: "an alias inside its own anchor",
  message: "An alias (*name) stands inside what it stands for; write the value out.",
};

const isEmpty = ({ contents }: Document.Parsed): boolean =>
  contents === null || (isScalar(contents) && contents.value === null);

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

type Plain =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly finding: Finding };

function plainValue(document: Document.Parsed): Plain {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount }) };
  } catch {
    // The package throws for an alias without anchor and for one that would grow beyond the bound.
    return {
      ok: false,
      finding: {
        path: [],
        expected: `aliases of anchors that exist, for at most ${maxAliasCount} values`,
        found: "an alias that is neither",
        message: "An alias (*name) has no anchor (&name), or stands for too much; write the value out.",
      },
    };
  }
}

/** The items of a Kubernetes `List`, or the document itself. A `List` in a `List` stays, and is refused by its kind. */
function unpacked(parsed: Parsed): readonly Parsed[] {
  const { value, origin } = parsed;
  if (!isRecord(value) || value.kind !== "List" || !Array.isArray(value.items)) return [parsed];
  return value.items.map((item: unknown, index): Parsed => {
    const within = ["items", index];
    return {
      value: item,
      origin: { ...origin, within, locate: (path, at) => origin.locate([...within, ...path], at) },
    };
  });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function originOf(
  source: string,
  document: Document.Parsed | undefined,
  place: (offset: number) => Position,
): Origin {
  return {
    source,
    within: [],
    locate: (path, at = "value") => place(offsetOf(document, path, at)),
  };
}

/** The offset of a member, or of what it would stand in. */
function offsetOf(document: Document.Parsed | undefined, path: Path, at: "key" | "value"): number {
  let node: unknown = document?.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    if (document !== undefined && isAlias(node)) node = (node as Alias).resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part);
      if (pair === undefined) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === "number" && part < node.items.length) {
      node = node.items[part];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  // A scalar is pointed at itself, a collection at its name: it begins on a line below.
  return at === "value" && isScalar(node) && node.value !== null ? (startOf(node) ?? offset) : offset;
}

const startOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];

const firstLine = (message: string): string => (message.split("\n")[0] ?? "").replace(/[.:]\s*$/, "");
