import type { AuditAnswer, AuditEntry, AuditMark } from "../api/contract.ts";
import { beginning, type Draft, digestOfChange, type Sealed, seal } from "./entry.ts";

/** How much is kept. */
export interface AuditBounds {
  /** Entries. */
  readonly kept: number;
  /** Of those, how many of the oldest are dropped at once when it is full. */
  readonly dropped: number;
  /** Refused attempts of one actor that are written in an hour; more are counted. */
  readonly refusedPerActor: number;
  /** The same for all actors together. */
  readonly refused: number;
}

/**
 * 100,000 entries are years of a busy mesh, and tens of megabytes. The attempts of one token cannot crowd out those of
 * others, and those of all together cannot turn the log over in less than a month.
 */
export const auditBounds: AuditBounds = {
  kept: 100_000,
  dropped: 10_000,
  refusedPerActor: 20,
  refused: 100,
};

const hourMs = 3_600_000;

/** Which entries are asked for. */
export interface AuditQuery {
  /** Entries with a greater sequence. */
  readonly after?: number;
  readonly limit: number;
  /** Not older than this, milliseconds since the Unix epoch. */
  readonly since?: number;
  readonly actor?: string;
  /** The last ones in place of the first, newest first. */
  readonly newest?: boolean;
}

/**
 * Who changed what, in a chain of hashes. Whatever is changed is changed in the transaction that writes its entry:
 * neither is without the other.
 */
export class AuditLog {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  readonly #bounds: AuditBounds;

  /** @param storage with the tables of `PolicyObject` */
  constructor(storage: DurableObjectStorage, bounds: AuditBounds = auditBounds) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.#bounds = bounds;
  }

  /** The newest entry; sequence 0 before the first. */
  head(): AuditMark {
    const [row] = this.#sql.exec<{ sequence: number; hash: string }>(
      "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1",
    );
    return row ?? { sequence: 0, hash: beginning };
  }

  /**
   * Makes a change and writes its entry, both or neither. Hashing takes an await, so the entry is sealed anew if
   * another one came in between; somebody got ahead each time, so that this ends.
   * @param change may run several times up to its first statement that writes; `undefined`: it was not made after all
   */
  async record<T>(draft: Draft, now: number, change: () => T | undefined): Promise<T | undefined> {
    await this.#makeRoom(now);
    return this.#append(draft, now, change);
  }

  /** Writes that somebody was refused, or only counts it when there have been many. */
  async attempt(draft: Draft, now: number): Promise<void> {
    if (this.#tooMany(draft.actor.name, now)) {
      this.#sql.exec(
        "INSERT INTO audit_skipped (only, count) VALUES (1, 1) ON CONFLICT DO UPDATE SET count = count + 1",
      );
      return;
    }
    await this.record({ ...draft, outcome: "refused" }, now, () => true);
  }

  /** Some entries, and where the chain ends. */
  page({ after = 0, limit, since = 0, actor, newest = false }: AuditQuery): AuditAnswer {
    const rows = this.#sql
      .exec<{ text: string; hash: string }>(
        `SELECT text, hash FROM audit WHERE sequence > ? AND at >= ? AND (? = '' OR actor = ?)
           ORDER BY sequence ${newest ? "DESC" : "ASC"} LIMIT ?`,
        ...[after, since, actor ?? "", actor ?? "", limit + 1],
      )
      .toArray();
    return {
      entries: rows.slice(0, limit).map(({ text, hash }) => ({ ...read(text), hash })),
      more: rows.length > limit,
      head: this.head(),
    };
  }

  async #append<T>(draft: Draft, now: number, change: () => T | undefined): Promise<T | undefined> {
    for (;;) {
      const head = this.head();
      const skipped = this.#skipped();
      const sealed = await seal(draft, head, skipped, now);
      const done = this.#storage.transactionSync(() => {
        if (this.head().hash !== head.hash) return undefined;
        const made = change();
        if (made !== undefined) this.#insert(sealed, draft, skipped, now);
        return { made };
      });
      if (done !== undefined) return done.made;
    }
  }

  #insert({ sequence, hash, text }: Sealed, { actor, outcome }: Draft, skipped: number, now: number): void {
    this.#sql.exec(
      "INSERT INTO audit (sequence, at, actor, refused, text, hash) VALUES (?, ?, ?, ?, ?, ?)",
      ...[sequence, now, actor.name, outcome === "refused" ? 1 : 0, text, hash],
    );
    // Those that were counted while the entry was being hashed stay for the next one.
    if (skipped > 0) this.#sql.exec("UPDATE audit_skipped SET count = count - ?", skipped);
  }

  /**
   * Drops the oldest entries when the log is full, in the transaction that writes a checkpoint: it names the last
   * entry dropped by sequence and hash, and is itself part of the chain, so that a gap without one is tampering.
   */
  async #makeRoom(now: number): Promise<void> {
    const { count, first } = this.#sql
      .exec<{ count: number; first: number }>(
        // One look at each end of the index; both in one SELECT would read every row.
        `SELECT COALESCE((SELECT MAX(sequence) FROM audit) - (SELECT MIN(sequence) FROM audit) + 1, 0) AS count,
           COALESCE((SELECT MIN(sequence) FROM audit), 0) AS first`,
      )
      .one();
    if (count < this.#bounds.kept) return;
    const last = first + this.#bounds.dropped - 1;
    const [through] = this.#sql.exec<{ sequence: number; hash: string }>(
      "SELECT sequence, hash FROM audit WHERE sequence = ?",
      last,
    );
    // Somebody has taken that entry out of the storage. Nothing more goes: `tulle audit verify` shall find the gap.
    if (through === undefined) return;
    const draft: Draft = {
      actor: { name: "tulle", role: "control" },
      action: "audit.checkpoint",
      objects: [`entries ${first} to ${last}`],
      revision: { before: 0, after: 0 },
      reason: `The log keeps ${this.#bounds.kept} entries.`,
      digest: await digestOfChange(through),
      through,
    };
    await this.#append(draft, now, () => {
      // Of two who find it full at once, one drops.
      return this.#sql.exec("DELETE FROM audit WHERE sequence <= ?", last).rowsWritten > 0 ? true : undefined;
    });
  }

  #tooMany(actor: string, now: number): boolean {
    const since = now - hourMs;
    const { own, all } = this.#sql
      .exec<{ own: number; all: number }>(
        `SELECT COALESCE(SUM(actor = ?), 0) AS own, COUNT(*) AS "all" FROM audit WHERE refused = 1 AND at > ?`,
        actor,
        since,
      )
      .one();
    return own >= this.#bounds.refusedPerActor || all >= this.#bounds.refused;
  }

  #skipped(): number {
    const [row] = this.#sql.exec<{ count: number }>("SELECT count FROM audit_skipped");
    return row?.count ?? 0;
  }
}

/** What was stored; what is no JSON any longer is shown as an entry whose hash cannot be right, so that it is found. */
function read(text: string): Omit<AuditEntry, "hash"> {
  try {
    return JSON.parse(text) as Omit<AuditEntry, "hash">;
  } catch {
    return {
      sequence: 0,
      at: "",
      actor: { name: "", role: "control" },
      action: "audit.unreadable",
      outcome: "done",
      objects: [],
      revision: { before: 0, after: 0 },
      reason: "What is stored here is no entry.",
      digest: "",
      previous: "",
    };
  }
}
