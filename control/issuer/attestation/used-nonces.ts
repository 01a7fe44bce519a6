/** Which nonces have been used, kept for as long as they could be used again: over a restart too. */
export class UsedNonces {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /**
   * Uses a nonce: whether this is the first time. One statement, so that of two who bring it at once exactly one has
   * it. Only for whoever a registration entry lets in: what strangers send is not kept.
   *
   * @param until when it expires, milliseconds since the Unix epoch
   */
  take(nonce: string, until: number, now: number): boolean {
    this.#sql.exec("DELETE FROM used_nonces WHERE until <= ?", now);
    const taken = this.#sql.exec(
      "INSERT INTO used_nonces (nonce, until) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING nonce",
      ...[nonce, until],
    );
    return taken.toArray().length === 1;
  }
}
