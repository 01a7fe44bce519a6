import type { AuditEntry, AuditMark } from "@tulle/control/api/contract.ts";
import { canonicalJson, digestOf } from "@tulle/mesh-runtime/policy/canonical.ts";

/** What the first entry of a log names as the one before it. */
const beginning = "0".repeat(64);

/** What was found wrong, and where. */
export interface Break {
  readonly sequence: number;
  readonly what: string;
}

/**
 * Walks the chain of the audit log, entry by entry, oldest first. It believes nothing that control says about an
 * entry but the entry itself: hashes are made anew here.
 */
export class AuditChain {
  readonly #looksFor: ReadonlySet<string>;
  #head: AuditMark = { sequence: 0, hash: beginning };
  #entries = 0;
  /** What the first entry that is kept stands on, until a checkpoint has vouched for it. */
  #owed: (AuditMark & { readonly first: number }) | undefined;
  #first = 0;
  readonly #seen = new Map<string, number>();

  /** @param looksFor hashes whose place in the chain is asked for afterwards */
  constructor(looksFor: readonly string[]) {
    this.#looksFor = new Set(looksFor);
  }

  /** The newest entry so far. */
  get head(): AuditMark {
    return this.#head;
  }

  get entries(): number {
    return this.#entries;
  }

  /** The oldest entry that is kept. */
  get first(): number {
    return this.#first;
  }

  /** Sequence of the entry with one of the hashes that were looked for. */
  found(hash: string): number | undefined {
    return this.#seen.get(hash);
  }

  /** Takes the next entry; answers what is wrong with it, if anything. */
  async next(entry: AuditEntry): Promise<Break | undefined> {
    const expected = this.#entries === 0 ? entry.sequence : this.#head.sequence + 1;
    if (entry.sequence !== expected) {
      return {
        sequence: expected,
        what: `entry ${expected} is missing: entry ${entry.sequence} follows ${this.#head.sequence}`,
      };
    }
    const { hash, ...rest } = entry;
    if ((await digestOf(canonicalJson(rest))) !== hash)
      return {
        sequence: expected,
        what: `entry ${expected} was changed: its hash is not that of what it says`,
      };
    if (this.#entries === 0 && expected !== 1) {
      this.#owed = { sequence: expected - 1, hash: entry.previous, first: expected };
    } else if (entry.previous !== this.#head.hash) {
      return { sequence: expected, what: `entry ${expected} does not follow the one before it` };
    }
    if (entry.through?.sequence === this.#owed?.sequence && entry.through?.hash === this.#owed?.hash)
      this.#owed = undefined;
    if (this.#entries === 0) this.#first = expected;
    this.#entries += 1;
    this.#head = { sequence: expected, hash };
    if (this.#looksFor.has(hash)) this.#seen.set(hash, expected);
    return undefined;
  }

  /** What is wrong now that there are no more entries. */
  end(): Break | undefined {
    if (this.#owed === undefined) return undefined;
    const { sequence, first } = this.#owed;
    return {
      sequence,
      what: `the entries before ${first} are missing, and no checkpoint says that they were dropped`,
    };
  }
}
