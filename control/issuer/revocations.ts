import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { parseSpiffeId } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import { maxRevocations, type Revocation } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { maxWitLifetimeMs, witLeewayMs } from "@tulle/mesh-runtime/identity/wimse-profile.ts";

/** What can be revoked: all tokens of an identity, one token by its `jti`, one key by its RFC 7638 thumbprint. */
export type RevokedKind = "spiffeId" | "jti" | "thumbprint";

export interface Revoked {
  readonly kind: RevokedKind;
  readonly value: string;
  /** When, and lifted when; milliseconds since the Unix epoch. */
  readonly at: number;
  readonly liftedAt: number | undefined;
  readonly by: string;
  readonly reason: string;
}

/**
 * How long after a revocation a token that it is about could still be believed, milliseconds. Session keys that came with
 * one of ours end long before: those live for hours (`entryTtl`).
 */
const outliveMs = maxWitLifetimeMs + witLeewayMs;
/** UTF-16 units that revocations may take in the bundle: a row of SQLite holds 2 MB, and base64 takes a third more. */
const maxRevocationsLength = 1_000_000;
const thumbprint = /^[A-Za-z0-9_-]{43}$/;
const jti = /^[\x21-\x7e]{1,128}$/;

/** Whether a value can be revoked; otherwise what is required of it. */
export function readRevoked(kind: RevokedKind, value: string): Result<undefined, string> {
  switch (kind) {
    case "spiffeId": {
      const id = parseSpiffeId(value);
      return id.ok ? ok(undefined) : no(`spiffeId must be ${id.reason}`);
    }
    case "jti":
      return jti.test(value) ? ok(undefined) : no("jti must have 1 to 128 visible ASCII characters");
    case "thumbprint":
      return thumbprint.test(value)
        ? ok(undefined)
        : no("thumbprint must be 43 characters of base64url (RFC 7638)");
  }
}

/**
 * Whether an entry can be forgotten: no token that it is about can be alive any more. A denied identity is
 * remembered until it is lifted, however long that takes, because the issuer asks.
 */
export function hasRunOut({ kind, at, liftedAt }: Revoked, now: number): boolean {
  if (kind === "spiffeId" && liftedAt === undefined) return false;
  return at + outliveMs <= now;
}

/** Whether the issuer refuses to issue: until somebody lifts it. */
export const denies = ({ liftedAt }: Revoked): boolean => liftedAt === undefined;

/**
 * What a bundle says of an entry; nothing once no token that it is about can be alive. A lifted identity keeps its
 * not-before time: the workload gets new tokens, and those that were stolen before stay refused. Whose issuer is
 * another one gets new tokens whatever we say, so all of them are refused until it is lifted.
 */
export function published(entry: Revoked, now: number, trustDomain: string): readonly Revocation[] {
  const { kind, value, at } = entry;
  if (kind === "spiffeId" && denies(entry) && !value.startsWith(`spiffe://${trustDomain}/`))
    return [{ sub: value }];
  if (at + outliveMs <= now) return [];
  switch (kind) {
    case "spiffeId":
      // Tokens say whole seconds: one that was issued in this very second is meant too.
      return [{ sub: value, before: Math.floor(at / 1_000) + 1 }];
    case "jti":
      return [{ jti: value }];
    case "thumbprint":
      return [{ jkt: value }];
  }
}

/** Whether one more entry fits into what every isolate has to hold. */
export function fitsInBundle(entries: readonly Revoked[], now: number, trustDomain: string): boolean {
  const list = entries.flatMap((entry) => published(entry, now, trustDomain));
  return entries.length <= maxRevocations && JSON.stringify(list).length <= maxRevocationsLength;
}

/** The revocations of one trust domain, kept. */
export class RevocationList {
  readonly #sql: SqlStorage;
  readonly #trustDomain: string;

  /** @param trustDomain the one that the issuer issues for */
  constructor(sql: SqlStorage, trustDomain: string) {
    this.#sql = sql;
    this.#trustDomain = trustDomain;
  }

  all(): Revoked[] {
    const rows = this.#sql.exec<Row>("SELECT * FROM revocations ORDER BY at DESC, kind, value");
    return [...rows].map(({ lifted_at, kind, ...row }) => ({
      ...row,
      kind: kind as RevokedKind,
      liftedAt: lifted_at ?? undefined,
    }));
  }

  /** The first that is denied. */
  denied(candidates: readonly (readonly [RevokedKind, string])[]): RevokedKind | undefined {
    const found = candidates.find(([kind, value]) => {
      const [row] = this.#sql.exec(
        "SELECT 1 FROM revocations WHERE kind = ? AND value = ? AND lifted_at IS NULL",
        ...[kind, value],
      );
      return row !== undefined;
    });
    return found?.[0];
  }

  /** When an identity was revoked last, milliseconds since the Unix epoch, lifted or not; undefined where that has run out. */
  revokedAt(spiffeId: string): number | undefined {
    const [row] = this.#sql.exec<{ at: number }>(
      "SELECT at FROM revocations WHERE kind = 'spiffeId' AND value = ?",
      spiffeId,
    );
    return row?.at;
  }

  /** False when the list is full. What is revoked again is revoked from now on. */
  add(entry: Omit<Revoked, "liftedAt">, now: number): boolean {
    this.sweep(now);
    const { kind, value, at, by, reason } = entry;
    const others = this.all().filter((each) => each.kind !== kind || each.value !== value);
    if (!fitsInBundle([...others, { ...entry, liftedAt: undefined }], now, this.#trustDomain)) return false;
    this.#sql.exec(
      "INSERT OR REPLACE INTO revocations (kind, value, at, lifted_at, by, reason) VALUES (?, ?, ?, NULL, ?, ?)",
      ...[kind, value, at, by, reason],
    );
    return true;
  }

  /** Whether there was something to lift. */
  lift(kind: RevokedKind, value: string, now: number): boolean {
    const lifted =
      kind === "spiffeId"
        ? this.#sql.exec(
            "UPDATE revocations SET lifted_at = ? WHERE kind = ? AND value = ? AND lifted_at IS NULL RETURNING at",
            ...[now, kind, value],
          )
        : this.#sql.exec("DELETE FROM revocations WHERE kind = ? AND value = ? RETURNING at", kind, value);
    return lifted.toArray().length > 0;
  }

  /** Forgets what has run out. */
  sweep(now: number): void {
    for (const entry of this.all()) {
      if (!hasRunOut(entry, now)) continue;
      this.#sql.exec("DELETE FROM revocations WHERE kind = ? AND value = ?", entry.kind, entry.value);
    }
  }
}

type Row = {
  kind: string;
  value: string;
  at: number;
  lifted_at: number | null;
  by: string;
  reason: string;
};
