import type { Federation } from "./federation.ts";

/** The federations of one trust domain, kept. */
export class FederationBook {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** In the order of their names. */
  all(): Federation[] {
    const rows = this.#sql.exec<Row>("SELECT federation FROM federations ORDER BY trust_domain");
    return [...rows].map(opened);
  }

  get(trustDomain: string): Federation | undefined {
    const rows = this.#sql.exec<Row>(
      "SELECT federation FROM federations WHERE trust_domain = ?",
      trustDomain,
    );
    return rows.toArray().map(opened)[0];
  }

  put(federation: Federation): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO federations (trust_domain, federation) VALUES (?, ?)",
      ...[federation.trustDomain, JSON.stringify(federation)],
    );
  }

  /** Whether there was one. */
  delete(trustDomain: string): boolean {
    return (
      this.#sql
        .exec("DELETE FROM federations WHERE trust_domain = ? RETURNING trust_domain", trustDomain)
        .toArray().length > 0
    );
  }
}

type Row = { federation: string };

/** JSON has no `undefined`: what was it is absent, and reads as it. */
const opened = ({ federation }: Row): Federation => JSON.parse(federation) as Federation;
