import { type ReadDocuments, readDocument } from "../schema.ts";

/** An object, or one without members for everything else. */
export const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};

/** A list, or an empty one for everything else. */
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Reads a document that is made of what is left of another one. */
export const readValue = (value: unknown): ReadDocuments =>
  readDocument({ value, origin: { source: "", within: [], locate: () => ({ line: 1, column: 1 }) } });

/** Where an issue stands in a list of the document: the index after `prefix`; undefined: somewhere else. */
export function indexAfter(path: string, prefix: string): number | undefined {
  if (!path.startsWith(`${prefix}[`)) return undefined;
  const index = Number.parseInt(path.slice(prefix.length + 1), 10);
  return Number.isNaN(index) ? undefined : index;
}
