import { type Catalog, catalogOf, type MeshOptions } from "../catalog.ts";
import { nameOf, type PolicyDocument, type Written } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { type Finding, issueAt, type Origin, type Path, placeOf } from "../source.ts";

/** All documents together, as the checks see them. */
export interface CheckedMesh {
  readonly written: readonly Written[];
  readonly catalog: Catalog;
  readonly options: MeshOptions;
  /** The issue for a finding in a document. */
  readonly issue: (document: PolicyDocument, finding: Finding) => Issue;
  /** `source:line` of a member of a document. */
  readonly place: (document: PolicyDocument, path: Path) => string;
}

/** One check: everything that it finds. */
export type Check = (mesh: CheckedMesh) => Iterable<Issue>;

/** Where a document is from that nobody wrote down. */
const nowhere: Origin = { source: "", within: [], locate: () => ({ line: 1, column: 1 }) };

/** Files documents for the checks. */
export function checkedMesh(written: readonly Written[], options: MeshOptions): CheckedMesh {
  const origins = new Map(written.map(({ document, origin }) => [document, origin]));
  const originOf = (document: PolicyDocument): Origin => origins.get(document) ?? nowhere;
  return {
    written,
    options,
    catalog: catalogOf(
      written.map(({ document }) => document),
      options,
    ),
    issue: (document, finding) => issueAt(originOf(document), nameOf(document), finding),
    place: (document, path) => placeOf(originOf(document), path),
  };
}

/**
 * Tells about the second and every further item that shares a key with an earlier one.
 * @param found makes the issue for the later one, given the earlier one
 */
export function* collisions<Item>(
  items: Iterable<Item>,
  key: (item: Item) => string | undefined,
  found: (later: Item, earlier: Item, key: string) => Issue,
): Generator<Issue> {
  const seen = new Map<string, Item>();
  for (const item of items) {
    const name = key(item);
    if (name === undefined) continue;
    const earlier = seen.get(name);
    if (earlier === undefined) seen.set(name, item);
    else yield found(item, earlier, name);
  }
}

/** Members of a way through the mesh that a message names. */
const maxShownMembers = 8;

/** A way through the mesh, short enough for a message. */
export const shortened = (way: readonly string[]): readonly string[] =>
  way.length <= maxShownMembers ? way : [...way.slice(0, maxShownMembers - 2), "…", way.at(-1) ?? ""];
