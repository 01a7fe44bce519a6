import { base64url, sha256Text } from "@tulle/mesh-runtime/identity/bytes.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";

/** The longest that a join token may wait to be used, milliseconds. */
export const maxTokenTtlMs = 600_000;
/** Tokens that wait at once; whoever may make them should not be able to fill the object. */
const maxTokens = 1_000;

/** One-time join tokens. Kept as SHA-256: what is stored cannot be used. */
export class JoinTokens {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Makes a token of 256 random bits for one service; `undefined` when too many wait already. */
  async make(service: ServiceKey, now: number, ttlMs: number): Promise<string | undefined> {
    const token = `tulle_join_${base64url(crypto.getRandomValues(new Uint8Array(32)))}`;
    const hash = await sha256Text(token);
    this.#sql.exec("DELETE FROM join_tokens WHERE expires_at <= ?", now);
    const waiting = this.#sql
      .exec<{ count: number }>("SELECT COUNT(*) AS count FROM join_tokens")
      .one().count;
    if (waiting >= maxTokens) return undefined;
    const expiresAt = now + Math.min(ttlMs, maxTokenTtlMs);
    this.#sql.exec(
      "INSERT INTO join_tokens (hash, service, expires_at, made_at) VALUES (?, ?, ?, ?)",
      ...[hash, service, expiresAt, now],
    );
    return token;
  }

  /** When a token was made, milliseconds since the Unix epoch; undefined unless it is there, for this service, and in time. */
  madeAt(hash: string, service: ServiceKey, now: number): number | undefined {
    const [row] = this.#sql.exec<{ made_at: number }>(
      "SELECT made_at FROM join_tokens WHERE hash = ? AND service = ? AND expires_at > ?",
      ...[hash, service, now],
    );
    return row?.made_at;
  }

  /**
   * Takes a token: whether it was there, for this service, and in time. One statement, so that of two
   * who bring it at once exactly one has it.
   * @param hash base64url SHA-256 of the token
   */
  take(hash: string, service: ServiceKey, now: number): boolean {
    const taken = this.#sql.exec(
      "DELETE FROM join_tokens WHERE hash = ? AND service = ? AND expires_at > ? RETURNING hash",
      ...[hash, service, now],
    );
    return taken.toArray().length === 1;
  }
}
