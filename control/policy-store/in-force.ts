import type { Written } from "@tulle/mesh-runtime/policy/documents.ts";
import { parseDocuments } from "@tulle/mesh-runtime/policy/parse.ts";
import { salvaged } from "@tulle/mesh-runtime/policy/refused/salvage.ts";
import type { Salvaged } from "@tulle/mesh-runtime/policy/refused/words.ts";
import { readDocument } from "@tulle/mesh-runtime/policy/schema.ts";
import type { Issue } from "../api/contract.ts";
import { place } from "./places.ts";
import { documentRef, type Texts } from "./revision.ts";

/** A text that is in force, read again: as it says, or with everything that is wrong with it. */
export type ReadAgain =
  | { readonly ok: true; readonly written: Written }
  | { readonly ok: false; readonly value: unknown; readonly issues: readonly Issue[] };

/** Reads a text that is in force again. It was valid for the version of Tulle that took it. */
export function readAgain(name: string, text: string): ReadAgain {
  const { parsed, issues } = parseDocuments([{ source: name, text }], "in force");
  const [only, ...more] = parsed;
  const read = only && readDocument(only);
  const [written] = read?.written ?? [];
  const found = [...issues, ...(read?.issues ?? [])];
  if (written !== undefined && found.length === 0 && more.length === 0)
    return { ok: true, written: settled(written, name, text) };
  const value = more.length === 0 ? only?.value : undefined;
  return { ok: false, value, issues: found.length > 0 ? found : [notOne(name, parsed.length)] };
}

/** What holds in place of a text in force that this version refuses. */
export function standIn(name: string, { value, issues }: ReadAgain & { ok: false }, texts: Texts): Salvaged {
  const ref = documentRef(name);
  const ofNamespace = `Service/${ref.namespace}/`;
  const services = [...texts.keys()]
    .filter((each) => each.startsWith(ofNamespace))
    .map((each) => each.slice(ofNamespace.length));
  return salvaged({ ...ref, value, issues, services });
}

/** The document without its syntax tree, which is many times its size: a place in it is looked for when one is asked for. */
export const settled = ({ document }: Written, name: string, text: string): Written => ({
  document,
  origin: { source: name, within: [], locate: (path, at) => place(name, text, path, at) },
});

const notOne = (name: string, found: number): Issue => ({
  severity: "error",
  source: name,
  line: 1,
  column: 1,
  document: name,
  path: "",
  expected: "one document",
  found: `${found}`,
  message: `There must be one document, found ${found}.`,
});
