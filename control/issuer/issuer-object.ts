import { DurableObject } from "cloudflare:workers";
import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { signDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import type { BundleKey } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import type { PublicJwk, SpiffeId } from "@tulle/mesh-runtime/identity/words.ts";
import type { Head } from "@tulle/mesh-runtime/policy/snapshot.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import { CompactSign } from "jose";
import type { Env } from "../env.ts";
import { migrate } from "../storage.ts";
import { composeWit, witHeader } from "./compose.ts";
import { inspectWit } from "./inspect.ts";
import { JoinTokens } from "./join-tokens.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { issuerTables } from "./migrations.ts";

/** What a workload that was attested, or brings a join token, wants. */
export interface AdmitRequest {
  readonly spiffeId: SpiffeId;
  readonly service: ServiceKey;
  /** The key whose possession was proved, and the proof's `jti`. */
  readonly publicJwk: PublicJwk;
  readonly possessionJti: string;
  /** How long the token shall live, milliseconds. */
  readonly ttlMs: number;
  /** base64url SHA-256 of the join token, where that is the evidence. */
  readonly tokenHash?: string;
}

export interface Admitted {
  readonly wit: string;
  readonly rootJwk: PublicJwk;
  readonly bundle: string;
}

/** Why nobody was admitted. */
export interface NotAdmitted {
  readonly kind: "not-ready" | "bad-token" | "bad-possession";
  readonly detail: string;
}

/** The public side of the issuer. */
export interface PublicKeys {
  readonly rootJwk: PublicJwk;
  readonly sequence: number;
  /** Compact JWS. */
  readonly signed: string;
  readonly keys: readonly BundleKey[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** How long a proof of possession is remembered: it is valid for a minute before and after its time, milliseconds. */
const possessionMs = 120_000;
const maxPossessions = 100_000;

/** The issuer of one trust domain: the root key, the keys that sign tokens, and join tokens. */
export class IssuerObject extends DurableObject<Env> {
  readonly #tokens: JoinTokens;
  /** In memory only: a proof that comes again after a restart yields a token for the key that made it, of no use to another. */
  readonly #possessions = new Map<string, number>();
  #keyring: Keyring | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, issuerTables);
    this.#tokens = new JoinTokens(ctx.storage.sql);
  }

  /** Issues a token to a workload, once for a proof of possession and once for a join token. */
  async admit(request: AdmitRequest): Promise<Result<Admitted, NotAdmitted>> {
    const now = Date.now();
    // Before the join token is taken: it would be lost if nothing could be issued.
    const keyring = await this.#open(now);
    if (!keyring.ok) return no({ kind: "not-ready", detail: keyring.reason });
    // Before the proof is remembered: anybody can make proofs, and strangers must not fill the memory of them.
    if (request.tokenHash !== undefined && !this.#tokens.take(request.tokenHash, request.service, now)) {
      return no({ kind: "bad-token", detail: "the join token is not valid" });
    }
    if (!this.#firstTime(request.possessionJti, now)) {
      return no({ kind: "bad-possession", detail: "the proof of possession has been used" });
    }
    const wit = await this.#issue(keyring.value, request, now);
    if (!wit.ok) return no({ kind: "not-ready", detail: wit.reason });
    const { root, bundle } = keyring.value;
    return ok({ wit: wit.value, rootJwk: root.publicJwk, bundle: bundle.signed });
  }

  /** Signs the pointers to snapshots, in their order. */
  async signHeads(heads: readonly Omit<Head, "iat">[]): Promise<Result<string[], string>> {
    const now = Date.now();
    const keyring = await this.#open(now);
    if (!keyring.ok) return keyring;
    const { root } = keyring.value;
    const iat = Math.floor(now / 1_000);
    return ok(
      await Promise.all(
        heads.map(({ workload, epoch, digest }) =>
          signDocument(
            { workload, epoch, digest, iat } satisfies Head,
            "tulle-head+jwt",
            root.kid,
            root.privateKey,
          ),
        ),
      ),
    );
  }

  /** The trust bundle, signed anew when half of its day is over. */
  async bundle(): Promise<Result<PublicKeys, string>> {
    const keyring = await this.#open(Date.now());
    if (!keyring.ok) return keyring;
    const { root, bundle } = keyring.value;
    return ok({ rootJwk: root.publicJwk, ...bundle });
  }

  /** The sequence of the newest bundle; 0 while there is none. */
  async bundleSequence(): Promise<number> {
    const keyring = await this.#open(Date.now());
    return keyring.ok ? keyring.value.bundle.sequence : 0;
  }

  /** A one-time join token for a service, or why there is none. */
  async joinToken(
    service: ServiceKey,
    ttlMs: number,
  ): Promise<Result<{ token: string; expiresAt: number }, string>> {
    const now = Date.now();
    const token = await this.#tokens.make(service, now, ttlMs);
    return token === undefined
      ? no("Too many join tokens wait to be used")
      : ok({ token, expiresAt: now + ttlMs });
  }

  /** The time by this object's clock, milliseconds since the Unix epoch. */
  time(): number {
    return Date.now();
  }

  async #issue(keyring: Keyring, request: AdmitRequest, now: number): Promise<Result<string, string>> {
    const { spiffeId, publicJwk, ttlMs } = request;
    const { signer } = keyring;
    const claims = composeWit({
      spiffeId,
      publicJwk,
      now,
      ttlMs,
      jti: crypto.randomUUID().replaceAll("-", ""),
      issuer: `spiffe://${spiffeId.trustDomain}`,
    });
    const wit = await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader(witHeader(signer.kid))
      .sign(signer.privateKey);
    const inspected = await inspectWit(wit, { spiffeId, publicJwk, maxTtlMs: ttlMs, now, signer });
    return inspected.ok ? ok(wit) : inspected;
  }

  async #open(now: number): Promise<Result<Keyring, string>> {
    if (this.#keyring !== undefined && now < this.#keyring.until) return ok(this.#keyring);
    // One at a time: two that open at once would make two roots.
    return this.ctx.blockConcurrencyWhile(async () => {
      if (this.#keyring !== undefined && now < this.#keyring.until) return ok(this.#keyring);
      const opened = await openKeyring(this.#store(), this.env.TRUST_DOMAIN, this.env.TULLE_KEY_SECRET, now);
      if (opened.ok) this.#keyring = opened.value;
      return opened;
    });
  }

  #store() {
    const { storage } = this.ctx;
    return {
      read: <T>(name: string): T | undefined => {
        const [row] = storage.sql.exec<{ value: string }>("SELECT value FROM facts WHERE name = ?", name);
        return row && (JSON.parse(row.value) as T);
      },
      write: (facts: object): void => {
        storage.transactionSync(() => {
          for (const [name, value] of Object.entries(facts)) {
            storage.sql.exec(
              "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)",
              name,
              JSON.stringify(value),
            );
          }
        });
      },
    };
  }

  /** Whether this proof of possession comes for the first time. When too many are remembered, nobody's does. */
  #firstTime(jti: string, now: number): boolean {
    for (const [old, until] of this.#possessions) {
      if (until > now) break;
      this.#possessions.delete(old);
    }
    if (this.#possessions.has(jti) || this.#possessions.size >= maxPossessions) return false;
    this.#possessions.set(jti, now + possessionMs);
    return true;
  }
}
