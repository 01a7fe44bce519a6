import { Composer, type CST, type Document } from "yaml";
import { maxErrors } from "./yaml-limits.ts";

/** What the YAML parser has against a text, and where. */
export interface YamlError {
  readonly message: string;
  readonly offset: number;
}

/** One document as composed, with everything that the parser has against it. Absent where the text was given up. */
export interface Composed {
  readonly document?: Document.Parsed;
  readonly errors: readonly YamlError[];
}

/** Thrown through the composer, which has no other way to be stopped. */
const gaveUp = Symbol("too many errors");

/**
 * Composes documents, and gives up a text with too many errors: each costs the composer a tenth of a
 * millisecond, so that a megabyte of brackets would take half a minute. The composer's callback is not
 * part of the package's types; should it move, the bound is gone and the result the same.
 */
export function* composed(tokens: readonly CST.Token[]): Generator<Composed> {
  // Whether names are unique is for others to see: the package compares each with each.
  const composer = new Composer({ uniqueKeys: false });
  const onError: unknown = Reflect.get(composer, "onError");
  const errors: YamlError[] = [];
  const record = (message: string, offset: number): void => {
    if (errors.length === maxErrors) throw gaveUp;
    errors.push({ message, offset });
  };
  if (typeof onError === "function") {
    Reflect.set(composer, "onError", (source: unknown, code: unknown, message: unknown, warning: unknown) => {
      record(String(message), offsetOf(source));
      onError.call(composer, source, code, message, warning);
    });
  }
  try {
    for (const token of tokens) {
      if (token.type === "error") record(token.message, token.offset);
      for (const document of composer.next(token)) yield withErrors(document);
    }
    for (const document of composer.end()) yield withErrors(document);
  } catch (thrown) {
    if (thrown !== gaveUp) throw thrown;
    yield { errors };
  }
}

const withErrors = (document: Document.Parsed): Composed => ({
  document,
  errors: [...document.errors.slice(0, maxErrors), ...document.warnings.slice(0, maxErrors)].map(
    ({ message, pos }) => ({ message, offset: pos[0] }),
  ),
});

/** The composer names a place by an offset, a range, or something that has an offset. */
function offsetOf(source: unknown): number {
  if (typeof source === "number") return source;
  if (Array.isArray(source)) return Number(source[0]);
  return Number((source as { readonly offset?: unknown } | null)?.offset ?? 0);
}
