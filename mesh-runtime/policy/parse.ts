import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter } from "yaml";
import type { Issue } from "./issue.ts";
import {
  type Finding,
  issueAt,
  type Origin,
  type Parsed,
  type Path,
  type Position,
  type Source,
} from "./source.ts";
import { composed, type YamlError } from "./yaml-compose.ts";
import {
  maxDocuments,
  maxErrors,
  maxWrittenOut,
  type Room,
  roomOfChange,
  tokensWithin,
} from "./yaml-limits.ts";
import { type Expansion, memberOf, type PlainDocument, plainDocument, startOf } from "./yaml-plain.ts";

/** Documents as far as they could be read, and what kept the others from being read. */
export interface ParsedSources {
  readonly parsed: readonly Parsed[];
  readonly issues: readonly Issue[];
}

/**
 * Parses texts in YAML 1.2 or JSON, each with any number of documents; the items of a `List` count as
 * documents. Reports everything that is wrong with the form: a text that is too large or not YAML, a
 * member written twice, an alias that grows without bound. A text that does not parse gives no documents
 * at all, because what follows an error is guesswork.
 *
 * @param reading `in force` takes what only other readers of YAML would read otherwise, because an earlier version did,
 * and any number of tokens
 * @param room shared by all texts of one change, where they are not given together
 */
export function parseDocuments(
  sources: readonly Source[],
  reading: "applied" | "in force" = "applied",
  room: Room = roomOfChange(),
): ParsedSources {
  const parsed: Parsed[] = [];
  const issues: Issue[] = [];
  for (const source of sources) {
    const found = parseSource(
      source,
      maxDocuments - parsed.length,
      reading === "in force" ? undefined : room,
    );
    parsed.push(...found.parsed);
    issues.push(...found.issues);
  }
  return { parsed, issues };
}

/** @param room absent: what is read is in force */
function parseSource({ source, text }: Source, mostDocuments: number, room: Room | undefined): ParsedSources {
  const lines = new LineCounter();
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const refused = (position: Position, finding: Omit<Finding, "path">): ParsedSources => {
    const origin: Origin = { source, within: [], locate: () => position };
    return { parsed: [], issues: [issueAt(origin, "", { ...finding, path: [] })] };
  };

  const tokens = tokensWithin(text, lines.addNewLine, room);
  if (!tokens.ok) {
    const { line, expected, found } = tokens.reason;
    const message = `This text exceeds a limit: ${expected}, found ${found}; split or simplify it.`;
    return refused({ line, column: 1 }, { expected, found, message });
  }
  const parsed: Parsed[] = [];
  const issues: Issue[] = [];
  const expansion: Expansion = { writtenOut: 0, steps: 0 };
  let seen = 0;
  for (const { document, errors } of composed(tokens.value)) {
    const plain = document && plainDocument(document, expansion);
    const origin = originOf(source, document, plain?.targets ?? new Map(), place);
    seen += 1;
    const wrong = [
      ...parserIssues(errors, origin, place),
      ...(plain?.faults ?? [])
        .filter(({ isAmbiguous }) => !(isAmbiguous && room === undefined))
        .map(({ offset, finding }) => issueAt({ ...origin, locate: () => place(offset) }, "", finding)),
    ];
    issues.push(...wrong);
    if (wrong.length === 0 && document !== undefined && !isEmpty(document)) {
      for (const one of unpacked({ value: plain?.value, origin })) parsed.push(one);
    }
    if (Math.max(seen, parsed.length) > mostDocuments) {
      const expected = `at most ${maxDocuments} documents`;
      const message = `There are too many documents; apply at most ${maxDocuments} at once.`;
      return refused(origin.locate([]), { expected, found: `${maxDocuments + 1} or more`, message });
    }
    if (issues.length >= maxErrors || expansion.writtenOut > maxWrittenOut) break;
  }
  return issues.length > 0 ? { parsed: [], issues } : { parsed, issues };
}

/** What the YAML parser says. */
const parserIssues = (
  errors: readonly YamlError[],
  origin: Origin,
  place: (offset: number) => Position,
): readonly Issue[] =>
  errors.map(({ message, offset }) =>
    issueAt({ ...origin, locate: () => place(offset) }, "", {
      path: [],
      expected: "YAML 1.2 or JSON",
      found: "text that is neither",
      message: `This is not valid YAML: ${firstLine(message)}.`,
    }),
  );

const isEmpty = ({ contents }: Document.Parsed): boolean =>
  contents === null || (isScalar(contents) && contents.value === null);

/** The items of a Kubernetes list (`List`, `HTTPRouteList`), or the document itself. A `List` in a `List` stays, and is refused by its kind. */
function unpacked(parsed: Parsed): readonly Parsed[] {
  const { value, origin } = parsed;
  if (!isRecord(value) || !Array.isArray(value.items)) return [parsed];
  if (typeof value.kind !== "string" || !value.kind.endsWith("List")) return [parsed];
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
  targets: PlainDocument["targets"],
  place: (offset: number) => Position,
): Origin {
  return {
    source,
    within: [],
    locate: (path, at = "value") => place(offsetOf(document, targets, path, at)),
  };
}

/** The offset of a member, or of what it would stand in; of what came in by an alias or merge key, where it is written. */
function offsetOf(
  document: Document.Parsed | undefined,
  targets: PlainDocument["targets"],
  path: Path,
  at: "key" | "value",
): number {
  let node: unknown = document?.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = targets.get(node);
    if (isMap(node)) {
      const pair = memberOf(node, String(part), targets);
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

const firstLine = (message: string): string => (message.split("\n")[0] ?? "").replace(/[.:]\s*$/, "");
