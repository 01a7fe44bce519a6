import { parseDocuments } from "@tulle/mesh-runtime/policy/parse.ts";
import type { Parsed } from "@tulle/mesh-runtime/policy/source.ts";

/** A document marker: at the beginning of a line it is one wherever it stands, even in a block of text (YAML 1.2.2 §9.1.2). */
const marker = /^(?:---|\.\.\.)(?=[ \t\r\n]|$)/gm;

/**
 * The text of each document of a source, comments included, in the order in which they parse. The items of a
 * `List` have no text of their own and are written as JSON.
 * @param parsed what {@link parseDocuments} made of the whole
 */
export function documentTexts(text: string, parsed: readonly Parsed[]): readonly string[] {
  if (parsed.length === 1 && parsed[0]?.origin.within.length === 0 && text.search(marker) < 0) return [text];
  const parts = text.split(marker).flatMap((part) => textsOf(part));
  // Directives and the like: what cannot be cut is written anew, with the same meaning.
  return parts.length === parsed.length ? parts : parsed.map(({ value }) => written(value));
}

function textsOf(part: string): readonly string[] {
  const { parsed, issues } = parseDocuments([{ source: "", text: part }]);
  if (issues.length > 0) return [];
  const [only] = parsed;
  if (parsed.length === 1 && only?.origin.within.length === 0)
    return [`${part.replace(/^\s*\n/, "").trimEnd()}\n`];
  return parsed.map(({ value }) => written(value));
}

const written = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
