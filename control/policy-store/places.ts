import { parseDocuments } from "@tulle/mesh-runtime/policy/parse.ts";
import type { Origin, Position } from "@tulle/mesh-runtime/policy/source.ts";

/*
 * Places in documents in force, whose syntax trees are not kept: to find one, a text is read again. A document may have
 * hundreds of warnings, and comments enough to make it take a second, so one look at all documents keeps the trees that
 * it has made, up to a size, and gives up telling lines when it has read too much.
 */

/** Characters of texts whose trees are kept at a time: a tree takes fifty to a hundred times as much. */
const keptCharacters = 1_000_000;
/** Characters that one look reads again: ten of the largest texts, or 10,000 ordinary documents twice. */
const readCharacters = 10_000_000;

/** Where the document begins; what is told of a document that is not read again. */
const top: Position = { line: 1, column: 1 };

interface Look {
  readonly trees: Map<string, Origin | undefined>;
  kept: number;
  read: number;
}

let present: Look | undefined;

/** Does what asks for many places at once, without waiting for anything. */
export function lookingAtPlaces<Found>(look: () => Found): Found {
  if (present !== undefined) return look();
  present = { trees: new Map(), kept: 0, read: 0 };
  try {
    return look();
  } finally {
    present = undefined;
  }
}

/** The place of a member in a text in force. */
export function place(name: string, text: string, ...[path, at]: Parameters<Origin["locate"]>): Position {
  const origin = present === undefined ? originOf(name, text) : originIn(present, name, text);
  return origin?.locate(path, at) ?? top;
}

function originIn(look: Look, name: string, text: string): Origin | undefined {
  if (look.trees.has(text)) return look.trees.get(text);
  if (look.read + text.length > readCharacters) return undefined;
  if (look.kept + text.length > keptCharacters) {
    look.trees.clear();
    look.kept = 0;
  }
  const origin = originOf(name, text);
  look.trees.set(text, origin);
  look.kept += text.length;
  look.read += text.length;
  return origin;
}

const originOf = (name: string, text: string): Origin | undefined =>
  parseDocuments([{ source: name, text }], "in force").parsed[0]?.origin;
