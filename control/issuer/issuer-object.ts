import { DurableObject } from "cloudflare:workers";
import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { importPublicJwk, jwkThumbprint } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { signDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import { verifyWit } from "@tulle/mesh-runtime/identity/svid.ts";
import { type BundleKey, loadBundle } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import type { PublicJwk } from "@tulle/mesh-runtime/identity/words.ts";
import { type Head, headLifeS } from "@tulle/mesh-runtime/policy/snapshot.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import { CompactSign } from "jose";
import type { Env } from "../env.ts";
import { migrate } from "../storage.ts";
import { Admission, type AdmitRequest, type Admitted, type Evidence, type NotAdmitted } from "./admission.ts";
import { composeWit, witHeader } from "./compose.ts";
import type { Federation } from "./federation/federation.ts";
import { Federations, type NewFederation, type NotFederated } from "./federation/federations.ts";
import { handedKeys } from "./handed-keys.ts";
import { inspectWit } from "./inspect.ts";
import { JoinTokens } from "./join-tokens.ts";
import { keyStoreIn } from "./key-store.ts";
import { type Keyring, openKeyring, type RingChange, rotationOf, type SlotView } from "./keyring.ts";
import { issuerTables } from "./migrations.ts";
import type { RegistrationEntry } from "./registration.ts";
import { type NewEntry, Registrations } from "./registrations.ts";
import { published, RevocationList, type Revoked, type RevokedKind } from "./revocations.ts";

/** The public side of the issuer. */
export interface PublicKeys {
  readonly rootJwk: PublicJwk;
  readonly rootKid: string;
  /** The next root key, before it is in use: to be pinned beside the present one. */
  readonly nextRootJwk: PublicJwk | undefined;
  readonly nextRootKid: string | undefined;
  /** Since when it is published, milliseconds since the Unix epoch. */
  readonly nextRootAt: number | undefined;
  readonly slots: readonly SlotView[];
  readonly sequence: number;
  /** Compact JWS. */
  readonly signed: string;
  readonly keys: readonly BundleKey[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** Signed pointers, and which root key signed them until when. */
export interface SignedHeads {
  readonly signed: readonly string[];
  readonly rootKid: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** How many tokens an identity was given, and when the last one; milliseconds since the Unix epoch. */
export interface Issued {
  readonly spiffeId: string;
  readonly count: number;
  readonly lastAt: number;
}

/** The issuer of one trust domain: the root key, the keys that sign tokens, and join tokens. */
export class IssuerObject extends DurableObject<Env> {
  readonly #tokens: JoinTokens;
  readonly #revocations: RevocationList;
  readonly #federations: Federations;
  readonly #registrations: Registrations;
  readonly #admission: Admission;
  #keyring: Keyring | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, issuerTables);
    this.#tokens = new JoinTokens(ctx.storage.sql);
    this.#revocations = new RevocationList(ctx.storage.sql, env.TRUST_DOMAIN);
    const ownKeys = async () => {
      const keyring = await this.#open(Date.now());
      return keyring.ok ? ok(keyring.value.bundle.keys) : keyring;
    };
    this.#federations = new Federations(ctx.storage.sql, env.TRUST_DOMAIN, ownKeys, Math.random);
    this.#registrations = new Registrations(ctx.storage.sql);
    this.#admission = new Admission(ctx.storage.sql, this.#tokens, this.#revocations, this.#registrations);
  }

  /** Issues a token to a workload, once for a proof of possession, once for a join token and once for a nonce. */
  async admit(request: AdmitRequest): Promise<Result<Admitted, NotAdmitted>> {
    const now = Date.now();
    const keyring = await this.#open(now);
    if (!keyring.ok) return no({ kind: "not-ready", detail: keyring.reason });
    const thumbprint = await jwkThumbprint(request.publicJwk);
    if (!(await this.#isBelieved(request, keyring.value, now)))
      return no({ kind: "unbelieved", detail: request.spiffeId.uri });
    const judged = this.#admission.judge(request, thumbprint, now);
    if (!judged.ok) return judged;
    const { ttlMs } = judged.value;
    const wit = await this.#issue(keyring.value, { ...request, ttlMs }, now);
    if (!wit.ok) return no({ kind: "not-ready", detail: wit.reason });
    const { root, bundle } = keyring.value;
    const drawing = { since: this.#revocations.revokedAt(request.spiffeId.uri) ?? 0, now, ttlMs };
    const { TULLE_KEY_SECRET: secret } = this.env;
    const keys =
      secret === undefined ? {} : await handedKeys(request, wit.value, { ...drawing, secret }, root);
    // Last, and nothing is waited for after it: what works once is not lost to a fault of ours, of two who bring the
    // same only one gets through, and who was revoked meanwhile gets nothing.
    const taken = this.#admission.take(request, thumbprint, now);
    if (!taken.ok) return taken;
    this.#count(request.spiffeId.uri, now);
    if (taken.value.entry !== undefined) this.#registrations.count(taken.value.entry, now);
    return ok({ wit: wit.value, rootJwk: root.publicJwk, bundle: bundle.signed, ...keys });
  }

  /** Why evidence is nobody's; undefined where it is somebody's. */
  stranger(evidence: Evidence, service: ServiceKey): NotAdmitted | undefined {
    return this.#admission.stranger(evidence, service, Date.now());
  }

  /** All registration entries, those that are revoked too. */
  entries(): RegistrationEntry[] {
    return this.#registrations.all();
  }

  /** Those of one identity. */
  entriesOf(spiffeId: string): RegistrationEntry[] {
    return this.#registrations.of(spiffeId);
  }

  register(entry: NewEntry): RegistrationEntry | "taken" | "full" {
    return this.#registrations.add(entry, Date.now());
  }

  /**
   * Lets nothing be issued by an entry any more, and no token be believed that its identity was given until now: who
   * has another entry, or is let in without one, gets the next token at once. `undefined` where there is no such entry.
   */
  async revokeEntry(
    id: string,
    by: string,
    reason: string,
  ): Promise<Result<RegistrationEntry | undefined, string>> {
    const now = Date.now();
    const entry = this.#registrations.get(id);
    if (entry === undefined || entry.revokedAt !== undefined) return ok(entry);
    this.#registrations.revoke(id, by, now);
    const { spiffeId } = entry;
    const isDenied = this.#revocations.denied([["spiffeId", spiffeId]]) !== undefined;
    if (entry.issued > 0 && !isDenied) {
      const why = `entry ${id} was revoked${reason === "" ? "" : `: ${reason}`}`;
      const what = { kind: "spiffeId", value: spiffeId, by, reason: why, at: now } as const;
      if (!this.#revocations.add(what, now))
        return no(
          "The entry is revoked, and nothing is issued by it; but the list of revocations is full, so what was issued is believed to its end",
        );
      this.#revocations.lift("spiffeId", spiffeId, now);
      const turned = await this.#turn(now, { kind: "revocations" });
      if (!turned.ok) return turned;
    }
    return ok(this.#registrations.get(id));
  }

  /** Forgets a revoked entry; with its last one an identity is not registered any more. */
  forgetEntry(id: string): "forgotten" | "in force" | "unknown" {
    const entry = this.#registrations.get(id);
    if (entry === undefined) return "unknown";
    if (entry.revokedAt === undefined) return "in force";
    this.#registrations.delete(id);
    return "forgotten";
  }

  /** Signs the pointers to snapshots, in their order. */
  async signHeads(heads: readonly Omit<Head, "iat" | "exp">[]): Promise<Result<SignedHeads, string>> {
    const now = Date.now();
    const keyring = await this.#open(now);
    if (!keyring.ok) return keyring;
    const { root } = keyring.value;
    const iat = Math.floor(now / 1_000);
    const exp = iat + headLifeS;
    const signed = await Promise.all(
      heads.map(({ workload, epoch, digest }) =>
        signDocument(
          { workload, epoch, digest, iat, exp } satisfies Head,
          "tulle-head+jwt",
          root.kid,
          root.privateKey,
        ),
      ),
    );
    return ok({ signed, rootKid: root.kid, expiresAt: exp * 1_000 });
  }

  /** The trust bundle, signed anew when half of its day is over. */
  async bundle(): Promise<Result<PublicKeys, string>> {
    return publicKeys(await this.#open(Date.now()));
  }

  /** Changes the keys as an operator wants, and publishes the result. */
  async changeKeys(change: RingChange): Promise<Result<PublicKeys, string>> {
    return publicKeys(await this.#turn(Date.now(), change));
  }

  /** Everything that is revoked, the newest first, with what was lifted while its tokens could be alive. */
  revoked(): Revoked[] {
    return this.#revocations.all();
  }

  /** Refuses tokens from now on, and issues none, until it is lifted. In force with the next bundle. */
  async revoke(
    what: { readonly kind: RevokedKind; readonly value: string },
    by: string,
    reason: string,
  ): Promise<Result<PublicKeys, string>> {
    const now = Date.now();
    if (!this.#revocations.add({ ...what, by, reason, at: now }, now))
      return no("The list of revocations is full: lift what is no longer needed");
    return publicKeys(await this.#turn(now, { kind: "revocations" }));
  }

  /** False when there is nothing to lift. */
  async lift(kind: RevokedKind, value: string): Promise<Result<boolean, string>> {
    const now = Date.now();
    if (!this.#revocations.lift(kind, value, now)) return ok(false);
    const turned = await this.#turn(now, { kind: "revocations" });
    return turned.ok ? ok(true) : turned;
  }

  /** What is known of other trust domains. */
  federations(): Federation[] {
    return this.#federations.all();
  }

  /** Their names. */
  federated(): string[] {
    return this.#federations.all().map(({ trustDomain }) => trustDomain);
  }

  /** Believes another trust domain from now on, as soon as its keys are known. */
  async federate(wanted: NewFederation): Promise<Result<Federation, NotFederated>> {
    const added = await this.#federations.add(wanted, Date.now());
    await this.#settle();
    return added;
  }

  /** Believes it no more. False where there was nothing to end. */
  async unfederate(trustDomain: string): Promise<Result<boolean, string>> {
    const removed = this.#federations.remove(trustDomain);
    const settled = await this.#settle();
    return settled.ok ? ok(removed) : settled;
  }

  /** Asks the bundle endpoint of a federated trust domain now. `busy`: that has been wanted too often. */
  async refreshFederation(trustDomain: string): Promise<Federation | "busy" | undefined> {
    const found = await this.#federations.refresh(trustDomain, Date.now());
    await this.#settle();
    return found;
  }

  /** Asks the bundle endpoints whose turn it is, and lets go of keys that nobody has seen for too long. */
  override async alarm(): Promise<void> {
    await this.#federations.refreshDue(Date.now());
    await this.#settle();
  }

  /** How many tokens each identity was given. */
  issued(): Issued[] {
    const rows = this.ctx.storage.sql.exec<{ spiffe_id: string; count: number; last_at: number }>(
      "SELECT spiffe_id, count, last_at FROM issued ORDER BY spiffe_id",
    );
    return [...rows].map(({ spiffe_id, count, last_at }) => ({
      spiffeId: spiffe_id,
      count,
      lastAt: last_at,
    }));
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

  /**
   * Whether the token of a renewal is good by the bundle that is in force in this moment. Whoever verified it before knew
   * an older one, or waited since for the rest of the request: meanwhile its identity may have been revoked, and that
   * been lifted for somebody else.
   */
  async #isBelieved(
    { spiffeId, evidence }: AdmitRequest,
    { root, bundle }: Keyring,
    now: number,
  ): Promise<boolean> {
    if (evidence.attestor !== "renewal") return true;
    const key = await importPublicJwk(root.publicJwk);
    const trusted = key.ok ? await loadBundle(bundle.signed, key.value, undefined, now) : key;
    const verified = trusted.ok ? await verifyWit(evidence.wit, trusted.value, now) : trusted;
    return verified.ok && verified.value.id.uri === spiffeId.uri && verified.value.thumbprint === evidence.by;
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
    const { TRUST_DOMAIN: trustDomain } = this.env;
    const inspected = await inspectWit(wit, {
      trustDomain,
      spiffeId,
      publicJwk,
      maxTtlMs: ttlMs,
      now,
      signer,
    });
    return inspected.ok ? ok(wit) : inspected;
  }

  async #open(now: number): Promise<Result<Keyring, string>> {
    if (this.#keyring !== undefined && now < this.#keyring.until) return ok(this.#keyring);
    return this.#turn(now);
  }

  async #turn(now: number, change?: RingChange): Promise<Result<Keyring, string>> {
    const rotation = rotationOf(this.env.TULLE_KEY_ROTATION);
    if (!rotation.ok) return rotation;
    // One at a time: two that open at once would make two roots.
    return this.ctx.blockConcurrencyWhile(async () => {
      const held = this.#keyring;
      if (change === undefined && held !== undefined && now < held.until) return ok(held);
      const settings = {
        trustDomain: this.env.TRUST_DOMAIN,
        secrets: { current: this.env.TULLE_KEY_SECRET, previous: this.env.TULLE_KEY_SECRET_PREVIOUS },
        rotation: rotation.value,
        revoked: this.#revocations.all().flatMap((entry) => published(entry, now, this.env.TRUST_DOMAIN)),
        federated: this.#federations.published(now),
      };
      const opened = await openKeyring(keyStoreIn(this.ctx.storage), settings, now, change);
      if (opened.ok) this.#keyring = opened.value;
      return opened;
    });
  }

  /** Signs the bundle anew where it does not say what is known of other trust domains, and says when to look again. */
  async #settle(): Promise<Result<Keyring, string>> {
    const now = Date.now();
    const wakeAt = this.#federations.wakeAt(now);
    if (wakeAt === undefined) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(wakeAt);
    const opened = await this.#open(now);
    if (!opened.ok) return opened;
    const said = JSON.stringify(opened.value.bundle.federated ?? []);
    return said === JSON.stringify(this.#federations.published(now))
      ? opened
      : this.#turn(now, { kind: "federations" });
  }

  #count(spiffeId: string, now: number): void {
    this.ctx.storage.sql.exec(
      `INSERT INTO issued (spiffe_id, count, last_at) VALUES (?, 1, ?)
       ON CONFLICT (spiffe_id) DO UPDATE SET count = count + 1, last_at = excluded.last_at`,
      ...[spiffeId, now],
    );
  }
}

function publicKeys(keyring: Result<Keyring, string>): Result<PublicKeys, string> {
  if (!keyring.ok) return keyring;
  const { root, nextRoot, slots, bundle } = keyring.value;
  return ok({
    rootJwk: root.publicJwk,
    rootKid: root.kid,
    nextRootJwk: nextRoot?.publicJwk,
    nextRootKid: nextRoot?.kid,
    nextRootAt: nextRoot?.since,
    slots,
    ...bundle,
  });
}
