import type { DocumentStatus } from "@tulle/mesh-runtime/policy/status/words.ts";
import { type Document, isMap, isScalar, parseAllDocuments, stringify } from "yaml";

/** What a table shows of a document's conditions; empty for kinds that have none. */
export interface StatusCells {
  readonly accepted: string;
  readonly resolved: string;
}

/** A condition, as far as a table shows it. */
interface Shown {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

/**
 * `True` where a condition holds everywhere, `False (Reason)` where it holds nowhere, and `1 of 2 (Reason)` where it
 * holds at some parents or listeners and not at others, with the first reason.
 */
export function statusCells(status: DocumentStatus | undefined): StatusCells {
  if (status === undefined) return { accepted: "", resolved: "" };
  if ("ancestors" in status) {
    const everywhere = status.ancestors.flatMap(({ conditions }) => conditions);
    return { accepted: summed(everywhere, "Accepted"), resolved: "" };
  }
  const { own, parts } =
    "parents" in status
      ? { own: [], parts: status.parents }
      : { own: status.conditions, parts: status.listeners };
  const everywhere = parts.flatMap(({ conditions }) => conditions);
  return {
    accepted: summed("parents" in status ? everywhere : own, "Accepted"),
    resolved: summed(everywhere, "ResolvedRefs"),
  };
}

/** The condition `Programmed` of a Gateway; empty for others. */
export const programmedCell = (status: DocumentStatus | undefined): string =>
  status !== undefined && "listeners" in status ? summed(status.conditions, "Programmed") : "";

function summed(conditions: readonly Shown[], type: string): string {
  const all = conditions.filter((one) => one.type === type);
  const bad = all.filter(({ status }) => status !== "True");
  const [first] = bad;
  if (first === undefined) return "True";
  return bad.length === all.length
    ? `False (${first.reason})`
    : `${all.length - bad.length} of ${all.length} (${first.reason})`;
}

/**
 * A document as it was written, comments and all, with its status after it. Where nothing can be put behind a text
 * (flow style, a status that stands there already) it is written anew, with the same meaning.
 */
export function withStatus(text: string, status: DocumentStatus): string {
  const json = fromJson(text);
  if (json !== undefined) return `${JSON.stringify({ ...json, status }, null, 2)}\n`;
  const [document, ...more] = documentsIn(text);
  if (document === undefined || more.length > 0 || !isMap(document.contents)) return text;
  const { contents } = document;
  const first = contents.items[0]?.key;
  if (contents.flow !== true && first !== undefined && !document.has("status")) {
    const appended = `${text.endsWith("\n") ? text : `${text}\n`}${block(status, columnOf(text, first))}`;
    // A text that ends its document (`...`) takes nothing more.
    const [whole, ...rest] = documentsIn(appended);
    if (whole?.has("status") && rest.length === 0) return appended;
  }
  document.set("status", document.createNode(status));
  return document.toString({ lineWidth: 0 });
}

/**
 * A document as it was written, with the time since when it has been there in `metadata.creationTimestamp`, as a
 * cluster prints it: with it a document that is brought to another mesh keeps its age. A text that says another time
 * says the true one afterwards.
 */
export function withCreation(text: string, created: string): string {
  const json = fromJson(text);
  if (json !== undefined) {
    const { metadata } = json as { readonly metadata?: object };
    return `${JSON.stringify({ ...json, metadata: { ...metadata, creationTimestamp: created } }, null, 2)}\n`;
  }
  const [document, ...more] = documentsIn(text);
  const metadata = document?.get("metadata");
  if (document === undefined || more.length > 0 || !isMap(metadata)) return text;
  const told = metadata.items.find(({ key }) => isScalar(key) && key.value === creationMember);
  const [first] = metadata.items;
  const at = isScalar(told?.value) ? told.value.range : undefined;
  const start = isScalar(first?.key) ? first.key.range?.[0] : undefined;
  if (told === undefined && start !== undefined) {
    const separator = metadata.flow === true ? ", " : `\n${" ".repeat(columnOf(text, first?.key))}`;
    return ifStill(
      created,
      `${text.slice(0, start)}${creationMember}: "${created}"${separator}${text.slice(start)}`,
      text,
    );
  }
  if (isScalar(told?.value) && told.value.value === created) return text;
  if (at === undefined || at === null) return text;
  return ifStill(created, `${text.slice(0, at[0])}"${created}"${text.slice(at[1])}`, text);
}

const creationMember = "creationTimestamp";

/** A text that was written into, if it says now what it should; otherwise as it was. */
function ifStill(created: string, after: string, before: string): string {
  const [document, ...more] = documentsIn(after);
  return more.length === 0 && document?.getIn(["metadata", creationMember]) === created ? after : before;
}

function documentsIn(text: string): readonly Document.Parsed[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return [];
  return documents;
}

function fromJson(text: string): object | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Flow style of YAML looks like JSON and is none; it is read as YAML.
    return undefined;
  }
}

const block = (status: DocumentStatus, column: number): string =>
  stringify({ status }, { lineWidth: 0, aliasDuplicateObjects: false }).replaceAll(
    /^(?=.)/gm,
    " ".repeat(column),
  );

/** How far a document's members are indented. */
function columnOf(text: string, key: unknown): number {
  const [offset = 0] = (key as { readonly range?: readonly number[] | null }).range ?? [];
  return offset - (text.lastIndexOf("\n", offset - 1) + 1);
}
