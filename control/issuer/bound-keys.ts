import type { Attestor } from "./registration.ts";

/** How often keys that are free again are swept out, milliseconds. */
const sweepEveryMs = 600_000;

/** Whose each key is, for as long as a token for it can be alive: one key is never two workloads. */
export class BoundKeys {
  readonly #sql: SqlStorage;
  #sweepAt = 0;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /**
   * Binds a key to an identity; false where it is bound to another one.
   *
   * @param thumbprint RFC 7638
   * @param attestor by which evidence it is given a token
   * @param until when the token for it has ended, milliseconds since the Unix epoch
   */
  bind(thumbprint: string, spiffeId: string, attestor: Attestor, until: number, now: number): boolean {
    if (now >= this.#sweepAt) {
      this.#sql.exec("DELETE FROM bound_keys WHERE until <= ?", now);
      this.#sweepAt = now + sweepEveryMs;
    }
    const bound = this.#sql.exec(
      `INSERT INTO bound_keys (thumbprint, spiffe_id, until, attestor) VALUES (?1, ?2, ?3, ?5)
       ON CONFLICT (thumbprint) DO UPDATE
         SET spiffe_id = excluded.spiffe_id, until = max(until, excluded.until), attestor = excluded.attestor
       WHERE spiffe_id = excluded.spiffe_id OR until <= ?4 RETURNING thumbprint`,
      ...[thumbprint, spiffeId, until, now, attestor],
    );
    return bound.toArray().length === 1;
  }

  /** By which evidence a key was given its token; undefined where nobody knows of it. */
  attestorOf(thumbprint: string): Attestor | undefined {
    const [row] = this.#sql.exec<{ attestor: string }>(
      "SELECT attestor FROM bound_keys WHERE thumbprint = ?",
      thumbprint,
    );
    return row?.attestor as Attestor | undefined;
  }
}
