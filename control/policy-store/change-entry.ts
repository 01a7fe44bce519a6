import type { AuditAction, Change } from "../api/contract.ts";
import { type Draft, digestOfChange } from "../audit/entry.ts";
import { documentName, type Edit } from "./revision.ts";
import type { Authored, ChangeOutcome } from "./words.ts";

/** What the audit log says of a change: each document that it touches, and the digest of its text afterwards. */
export async function draftOf(
  { actor, action, reason }: Authored & { readonly action: AuditAction },
  edits: readonly (Edit & { readonly digest: string })[],
  changes: readonly Change[],
  base: number,
): Promise<Draft> {
  const touched = changes.filter((change) => change.action !== "unchanged").map(documentName);
  return {
    actor,
    action,
    reason,
    objects: touched,
    revision: { before: base, after: base + 1 },
    digest: await digestOfChange(
      edits.map(({ ref, text, digest }) => ({
        document: documentName(ref),
        digest: text === undefined ? null : digest,
      })),
    ),
  };
}

/** The answer to a change that was planned on another revision than is in force. */
export const moved = (revision: number, expected: number): ChangeOutcome => ({
  kind: "conflict",
  revision,
  detail: `Expected revision ${expected}, found ${revision}: somebody has changed policy meanwhile. Look at tulle history, then try again.`,
});
