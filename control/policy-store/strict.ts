import type { Issue } from "../api/contract.ts";
import { documentName, type Edit } from "./revision.ts";

/**
 * The issues of a change whose author wants every reference to resolve: what its own documents leave unresolved is
 * an error, and what it takes from documents of others. What was unresolved before it is not its author's to mend.
 *
 * @param before what was to be said of the documents in force
 */
export function strictly(
  issues: readonly Issue[],
  before: readonly Issue[],
  edits: readonly Edit[],
): readonly Issue[] {
  const own = new Set(edits.map(({ ref }) => documentName(ref)));
  const known = new Set(before.map(identity));
  return issues.map((issue) =>
    issue.unresolved === true && (own.has(issue.document) || !known.has(identity(issue)))
      ? { ...issue, severity: "error" }
      : issue,
  );
}

/** Lines move when a text is written anew; what is said does not. */
export const identity = ({ document, path, message }: Issue): string =>
  JSON.stringify([document, path, message]);
