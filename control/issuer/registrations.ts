import type { Attestor, Facts, RegistrationEntry } from "./registration.ts";
import { entitlement, matches } from "./registration.ts";

/** Entries at once, those that are revoked included. */
export const maxEntries = 10_000;

/** What an operator wants registered, read and checked. */
export type NewEntry = Pick<
  RegistrationEntry,
  "spiffeId" | "attestor" | "selectors" | "ttlMs" | "note" | "createdBy"
>;

/** The registration entries of one trust domain, kept. */
export class Registrations {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  all(): RegistrationEntry[] {
    return [...this.#sql.exec<Row>("SELECT * FROM entries ORDER BY spiffe_id, created_at, id")].map(entryOf);
  }

  of(spiffeId: string): RegistrationEntry[] {
    return [...this.#sql.exec<Row>("SELECT * FROM entries WHERE spiffe_id = ?", spiffeId)].map(entryOf);
  }

  get(id: string): RegistrationEntry | undefined {
    const [row] = this.#sql.exec<Row>("SELECT * FROM entries WHERE id = ?", id);
    return row && entryOf(row);
  }

  /** The new entry; `taken` where one in force says the same, `full` where there are too many. */
  add(entry: NewEntry, now: number): RegistrationEntry | "taken" | "full" {
    const { spiffeId, attestor, selectors, ttlMs, note, createdBy } = entry;
    const text = JSON.stringify(selectors);
    const same = this.of(spiffeId).some(
      (each) =>
        each.revokedAt === undefined && each.attestor === attestor && JSON.stringify(each.selectors) === text,
    );
    if (same) return "taken";
    const { count } = this.#sql.exec<{ count: number }>("SELECT COUNT(*) AS count FROM entries").one();
    if (count >= maxEntries) return "full";
    const id = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
    this.#sql.exec(
      `INSERT INTO entries (id, spiffe_id, attestor, selectors, ttl_ms, note, created_at, created_by, issued)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`,
      ...[id, spiffeId, attestor, text, ttlMs ?? null, note, now, createdBy],
    );
    return this.get(id) ?? "full";
  }

  /** By which entry evidence becomes an identity; see {@link entitlement}. */
  entitles(spiffeId: string, attestor: Attestor, facts: Facts): RegistrationEntry | "open" | undefined {
    return entitlement(this.of(spiffeId), attestor, facts);
  }

  /** Whether evidence may become anybody at all: it is good, and asks for the wrong name. */
  knows(attestor: Attestor, facts: Facts): boolean {
    return this.all().some(
      (entry) => entry.attestor === attestor && entry.revokedAt === undefined && matches(entry, facts),
    );
  }

  /** Counts a token that was issued by an entry. */
  count(id: string, now: number): void {
    this.#sql.exec("UPDATE entries SET issued = issued + 1, last_at = ? WHERE id = ?", now, id);
  }

  revoke(id: string, by: string, now: number): void {
    this.#sql.exec("UPDATE entries SET revoked_at = ?, revoked_by = ? WHERE id = ?", now, by, id);
  }

  delete(id: string): void {
    this.#sql.exec("DELETE FROM entries WHERE id = ?", id);
  }
}

type Row = {
  id: string;
  spiffe_id: string;
  attestor: string;
  selectors: string;
  ttl_ms: number | null;
  note: string;
  created_at: number;
  created_by: string;
  issued: number;
  last_at: number | null;
  revoked_at: number | null;
  revoked_by: string | null;
};

const entryOf = (row: Row): RegistrationEntry => ({
  id: row.id,
  spiffeId: row.spiffe_id,
  attestor: row.attestor as Attestor,
  selectors: JSON.parse(row.selectors),
  ttlMs: row.ttl_ms ?? undefined,
  note: row.note,
  createdAt: row.created_at,
  createdBy: row.created_by,
  issued: row.issued,
  lastIssuedAt: row.last_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
  revokedBy: row.revoked_by ?? undefined,
});
