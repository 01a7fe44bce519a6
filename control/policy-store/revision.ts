import type { Written } from "@tulle/mesh-runtime/policy/documents.ts";
import type { Change, DocumentRef } from "../api/contract.ts";
import { unifiedDiff } from "./line-diff.ts";

/** The texts in force, by `kind/namespace/name`. */
export type Texts = ReadonlyMap<string, string>;

/** What shall become of one document; `undefined`: it is deleted. */
export interface Edit {
  readonly ref: DocumentRef;
  readonly text: string | undefined;
  /** As the schema read it, with the place in the source that it came in; absent for what is only taken back. */
  readonly written?: Written;
  /** The revision that this edit takes back. */
  readonly undoes?: number;
}

/** `kind/namespace/name`: how documents are told apart, and what messages call them. */
export const documentName = ({ kind, namespace, name }: DocumentRef): string =>
  `${kind}/${namespace}/${name}`;

/** Reads what {@link documentName} wrote. */
export function documentRef(of: string): DocumentRef {
  const [kind = "", namespace = "", name = ""] = of.split("/");
  return { kind, namespace, name };
}

/** The texts after some edits, in the order of their names. Of two edits of one document the later one counts. */
export function edited(texts: Texts, edits: readonly Edit[]): Texts {
  const next = new Map(texts);
  for (const { ref, text } of edits) {
    if (text === undefined) next.delete(documentName(ref));
    else next.set(documentName(ref), text);
  }
  return new Map([...next].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What some edits change, one entry a document, in the order of their names; also what stays as it is. */
export function changesOf(texts: Texts, edits: readonly Edit[]): Change[] {
  const last = new Map(edits.map((edit) => [documentName(edit.ref), edit]));
  return [...last]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, { ref, text }]): Change[] => {
      const before = texts.get(name);
      if (before === undefined && text === undefined) return [];
      return [{ ...refOf(ref), action: actionOf(before, text), diff: unifiedDiff(name, before, text) }];
    });
}

/** Whether anything would be different afterwards. */
export const isChange = (changes: readonly Change[]): boolean =>
  changes.some(({ action }) => action !== "unchanged");

/** What takes a revision back: each document that it touched gets the text that it had before. */
export const undoing = (
  revision: number,
  touched: readonly { readonly ref: DocumentRef; readonly before: string | undefined }[],
): Edit[] => touched.map(({ ref, before }) => ({ ref, text: before, undoes: revision }));

function actionOf(before: string | undefined, after: string | undefined): Change["action"] {
  if (before === after) return "unchanged";
  if (before === undefined) return "created";
  return after === undefined ? "deleted" : "changed";
}

const refOf = ({ kind, namespace, name }: DocumentRef): DocumentRef => ({ kind, namespace, name });
