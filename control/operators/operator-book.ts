import type { OperatorToken, Role } from "../api/contract.ts";
import { type NewToken, type Presented, sameHash } from "./token-form.ts";

/** Tokens at once; a mesh has tens of operators and robots, and a list that anybody reads. */
export const maxOperatorTokens = 200;

/** "Last used" is written at most this often for one token, milliseconds. */
const usedEveryMs = 3_600_000;

/** Names that history gives to others than tokens: the two secrets, KV, and control itself. */
export const reservedNames: readonly string[] = ["operator", "viewer", "kv", "tulle"];

/** A label of RFC 1123 with dots and underscores within: what a table, a log line and a path can show as it is. */
export const tokenName = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

/** Whom a token belongs to. */
export interface TokenHolder {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

/** What a presented token is. One that was never made, was revoked, or has another secret is `unknown` alike. */
export type Standing =
  | { readonly kind: "valid"; readonly holder: TokenHolder }
  | { readonly kind: "expired"; readonly at: number }
  | { readonly kind: "unknown" };

/** Compared with where there is no such token, so that its absence takes as long as a wrong secret. */
const nobody = "0".repeat(64);

type Row = {
  id: string;
  name: string;
  role: Role;
  hash: string;
  created_at: number;
  created_by: string;
  expires_at: number;
  used_at: number;
};

/** The tokens of operators in SQLite. Kept as SHA-256: what is stored opens nothing. */
export class OperatorBook {
  readonly #sql: SqlStorage;

  /** @param sql with the tables of `PolicyObject` */
  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Whose token this is. Notes its use, at most once an hour. */
  judge({ id, hash }: Presented, now: number): Standing {
    const [row] = this.#sql.exec<Row>("SELECT * FROM operator_tokens WHERE id = ?", id);
    const same = sameHash(hash, row?.hash ?? nobody);
    if (row === undefined || !same) return { kind: "unknown" };
    if (row.expires_at <= now) return { kind: "expired", at: row.expires_at };
    if (now - row.used_at >= usedEveryMs)
      this.#sql.exec("UPDATE operator_tokens SET used_at = ? WHERE id = ?", now, id);
    return { kind: "valid", holder: { id, name: row.name, role: row.role } };
  }

  /** Why no token of this name can be made now; `undefined`: it can. */
  obstacle(name: string): "taken" | "full" | undefined {
    const [taken] = this.#sql.exec("SELECT 1 FROM operator_tokens WHERE name = ?", name);
    if (taken !== undefined) return "taken";
    const { count } = this.#sql
      .exec<{ count: number }>("SELECT COUNT(*) AS count FROM operator_tokens")
      .one();
    return count >= maxOperatorTokens ? "full" : undefined;
  }

  add(
    { id, hash }: NewToken,
    of: { readonly name: string; readonly role: Role; readonly by: string; readonly expiresAt: number },
    now: number,
  ): void {
    this.#sql.exec(
      `INSERT INTO operator_tokens (id, name, role, hash, created_at, created_by, expires_at, used_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, 0)`,
      ...[id, of.name, of.role, hash, now, of.by, of.expiresAt],
    );
  }

  /** The token of a name. */
  named(name: string): TokenHolder | undefined {
    const [row] = this.#sql.exec<{ id: string; name: string; role: Role }>(
      "SELECT id, name, role FROM operator_tokens WHERE name = ?",
      name,
    );
    return row;
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM operator_tokens WHERE id = ?", id);
  }

  /** All of them in order of names, without their hashes. */
  list(): OperatorToken[] {
    const rows = this.#sql.exec<Row>("SELECT * FROM operator_tokens ORDER BY name");
    return [...rows].map((row) => ({
      name: row.name,
      role: row.role,
      id: row.id,
      createdAt: new Date(row.created_at).toISOString(),
      createdBy: row.created_by,
      expiresAt: new Date(row.expires_at).toISOString(),
      ...(row.used_at === 0 ? {} : { lastUsedAt: new Date(row.used_at).toISOString() }),
    }));
  }
}
