import type { Issue } from "../api/contract.ts";

/** What is known about one key in KV. */
export interface KvEntry {
  /** Digest of what was written there last; empty: nothing, or the key was deleted. */
  readonly written: string;
  /** Digest of the last text by somebody else that was judged; empty: none. */
  readonly foreign: string;
  /** Why that text is not in force; absent: it was adopted, or it has been overruled since. */
  readonly issues?: readonly Issue[];
  /** The revision against which it was judged. */
  readonly judgedAt: number;
}

type Row = { key: string; written_digest: string; foreign_digest: string; issues: string; judged_at: number };

/** Remembers what this worker wrote to KV and what it has judged there, so that neither is taken for news. */
export class KvBook {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  entries(): ReadonlyMap<string, KvEntry> {
    const rows = this.#sql.exec<Row>("SELECT * FROM kv_entries");
    return new Map([...rows].map((row) => [row.key, entryOf(row)]));
  }

  entry(key: string): KvEntry | undefined {
    const [row] = this.#sql.exec<Row>("SELECT * FROM kv_entries WHERE key = ?", key);
    return row && entryOf(row);
  }

  /** This worker has written `digest` there; empty: it has deleted the key. */
  wrote(key: string, digest: string): void {
    this.#sql.exec(
      `INSERT INTO kv_entries (key, written_digest) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET written_digest = excluded.written_digest`,
      ...[key, digest],
    );
  }

  /** A text by somebody else was judged; without issues it was adopted. */
  judged(key: string, digest: string, issues: readonly Issue[], revision: number): void {
    this.#sql.exec(
      `INSERT INTO kv_entries (key, foreign_digest, issues, judged_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET foreign_digest = excluded.foreign_digest,
         issues = excluded.issues, judged_at = excluded.judged_at`,
      ...[key, digest, issues.length === 0 ? "" : JSON.stringify(issues), revision],
    );
  }

  /** KV shows the text in force: whatever was judged there before is history, and would be news if it came again. */
  confirmed(key: string, digest: string): void {
    this.#sql.exec(
      `INSERT INTO kv_entries (key, written_digest) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET written_digest = excluded.written_digest, foreign_digest = '', issues = ''`,
      ...[key, digest],
    );
  }

  /** A document was changed through the API: a refused text under its key may be overwritten now. */
  overrule(key: string): void {
    this.#sql.exec("UPDATE kv_entries SET issues = '' WHERE key = ?", key);
  }

  /** KV does not show what was written: it has to be written again. */
  lost(key: string): void {
    this.#sql.exec("UPDATE kv_entries SET written_digest = '?' WHERE key = ? AND written_digest <> ''", key);
  }

  /** The key is gone, and nothing is left to say about it. */
  forget(key: string): void {
    this.#sql.exec("DELETE FROM kv_entries WHERE key = ?", key);
  }
}

const entryOf = (row: Row): KvEntry => ({
  written: row.written_digest,
  foreign: row.foreign_digest,
  judgedAt: row.judged_at,
  ...(row.issues === "" ? {} : { issues: JSON.parse(row.issues) as Issue[] }),
});
