import { canonicalJson, digestOf } from "@tulle/mesh-runtime/policy/canonical.ts";
import type { Actor, AuditAction, AuditEntry, AuditMark } from "../api/contract.ts";

/** What stands in `previous` of the very first entry. */
export const beginning = "0".repeat(64);

/** Objects that one entry names; a change of more is named by its digest and its revision. */
const maxObjects = 20;
/** UTF-16 units of an object's name in an entry. */
const maxObject = 512;
/** UTF-16 units of the reason in an entry. */
const maxReason = 1_024;

/** What somebody did or tried, before it has its place in the log. */
export interface Draft {
  readonly actor: Actor;
  readonly action: AuditAction;
  /** Absent: it was done. */
  readonly outcome?: "refused";
  readonly objects: readonly string[];
  readonly revision: { readonly before: number; readonly after: number };
  readonly reason: string;
  /** Of what was, or would have been, changed: see {@link digestOfChange}. */
  readonly digest: string;
  /** Checkpoints alone: the last entry that was dropped. */
  readonly through?: AuditMark;
}

/** An entry as it is kept: its hash, and the canonical JSON of everything else in it. */
export interface Sealed {
  readonly sequence: number;
  readonly hash: string;
  readonly text: string;
}

/**
 * Gives an entry its place: the next sequence after `head`, chained to it by its hash. The hash is SHA-256 over the
 * canonical JSON of all other members, so that no member can be changed, added or taken away unseen.
 * @param now milliseconds since the Unix epoch
 * @param skipped refused attempts that were counted and not written since the entry before
 */
export async function seal(draft: Draft, head: AuditMark, skipped: number, now: number): Promise<Sealed> {
  const { objects } = draft;
  const sequence = head.sequence + 1;
  const entry: Omit<AuditEntry, "hash"> = {
    sequence,
    at: new Date(now).toISOString(),
    actor: draft.actor,
    action: draft.action,
    outcome: draft.outcome ?? "done",
    objects: objects.slice(0, maxObjects).map((name) => name.slice(0, maxObject)),
    ...(objects.length > maxObjects ? { omitted: objects.length - maxObjects } : {}),
    revision: draft.revision,
    reason: draft.reason.slice(0, maxReason),
    digest: draft.digest,
    ...(skipped > 0 ? { skipped } : {}),
    ...(draft.through === undefined ? {} : { through: draft.through }),
    previous: head.hash,
  };
  const text = canonicalJson(entry);
  return { sequence, hash: await digestOf(text), text };
}

/** SHA-256, lower-case hex, over the canonical JSON of what changes: never of a secret. */
export const digestOfChange = (change: unknown): Promise<string> => digestOf(canonicalJson(change));
