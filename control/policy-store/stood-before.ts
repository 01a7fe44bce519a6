import type { Issue } from "../api/contract.ts";
import { documentName, type Edit } from "./revision.ts";
import { identity } from "./strict.ts";

/**
 * The issues of a change when what is wrong with the documents in force is no reason to refuse it: this version of
 * Tulle may demand more than the one that took them, and nobody could deny an attacker anything before all of that is
 * mended. What the change's own documents say wrong, or what it makes wrong in others, stays an error.
 *
 * @param before everything that was to be said of the documents in force
 */
export function stoodBefore(
  issues: readonly Issue[],
  before: readonly Issue[],
  edits: readonly Edit[],
): readonly Issue[] {
  const own = new Set(edits.map(({ ref }) => documentName(ref)));
  const known = new Set(before.map(identity));
  return issues.map((issue) =>
    issue.severity === "error" && !own.has(issue.document) && known.has(identity(issue))
      ? { ...issue, severity: "warning", message: `${issue.message} It was so before this change.` }
      : issue,
  );
}
