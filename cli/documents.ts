import type { DocumentRef } from "@tulle/control/api/contract.ts";
import { parseAllDocuments } from "yaml";
import { exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { kinds, parseRef } from "./kinds.ts";
import type { Source } from "./sources.ts";

/**
 * The documents that texts name, in the order in which they can be deleted: what refers to others first.
 * Only kind, namespace and name are read; whether the rest is valid does not matter for deleting.
 * @throws Failure (usage) when a text is not YAML or JSON, or a document has no kind or name
 */
export function namesIn(sources: readonly Source[]): readonly DocumentRef[] {
  const refs = sources.flatMap(({ source, text }) => {
    const documents = parseAllDocuments(text, { merge: true });
    if (!Array.isArray(documents)) return [];
    return documents.flatMap((document, at) => {
      const place = `document ${at + 1} of ${source}`;
      const [error] = document.errors;
      if (error !== undefined) throw new Failure(exit.usage, `Cannot read ${place}: ${error.message}`);
      const value: unknown = document.toJS({ maxAliasCount: 100 });
      return value === null ? [] : [refOf(value, place)];
    });
  });
  return refs.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
}

function refOf(value: unknown, place: string): DocumentRef {
  const kind = member(value, "kind");
  const metadata = member(value, "metadata");
  const name = member(metadata, "name");
  const namespace = member(metadata, "namespace");
  if (typeof kind !== "string" || typeof name !== "string")
    throw new Failure(exit.usage, `Cannot tell what ${place} is: it wants kind and metadata.name.`);
  return parseRef(kind, name, typeof namespace === "string" ? namespace : undefined);
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
