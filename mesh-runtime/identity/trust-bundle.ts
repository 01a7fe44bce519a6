import { no, ok, type Result } from "../foundation/result.ts";
import { holdsSecret, importPublicJwk, parsePublicJwk } from "./public-jwk.ts";
import { openDocument } from "./signed-document.ts";
import { isTrustDomain } from "./spiffe-id.ts";
import type { PublicJwk } from "./words.ts";

/** `typ` of the signed trust bundle. */
export const bundleType = "tulle-bundle+jwt";

/** A signing key as it is published: SPIFFE Trust Domain and Bundle §4, WIT-SVID §6. */
export type BundleKey = PublicJwk & { readonly kid: string; readonly use: "wit-svid" };

/** What is no longer believed although it was signed: one token, one key, or all of a workload's tokens up to a time. */
export type Revocation =
  | { readonly jti: string }
  /** RFC 7638 thumbprint of the workload's key. */
  | { readonly jkt: string }
  /** Tokens issued before `before` (seconds since the Unix epoch); absent: all of them. */
  | { readonly sub: string; readonly before?: number };

/**
 * What the root key signs. The lifetime should be no shorter than a credential's: after `exp` no token is
 * verified that was not verified before.
 */
export interface BundlePayload {
  readonly trustDomain: string;
  /** Increases with every change, and with every renewal of `exp`. */
  readonly sequence: number;
  /** Seconds since the Unix epoch. */
  readonly iat: number;
  readonly exp: number;
  readonly keys: readonly BundleKey[];
  readonly revoked: readonly Revocation[];
  /** The keys that sign bundles and heads from now on: the one in use, and the next one before it is. */
  readonly roots?: readonly PublicJwk[];
  /** The keys of other trust domains, each for itself; absent where an operator has configured none. */
  readonly federated?: readonly FederatedKeys[];
}

/** The keys that verify the tokens of one other trust domain, and of no other. */
export interface FederatedKeys {
  readonly trustDomain: string;
  readonly keys: readonly BundleKey[];
}

/** The public keys of one trust domain, ready for use. Bundles are never merged. */
export interface TrustBundle {
  readonly trustDomain: string;
  readonly sequence: number;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  readonly keys: ReadonlyMap<string, CryptoKey>;
  readonly revoked: Revoked;
  /** Root keys that this bundle names, for who has pinned none; empty where it names none. */
  readonly roots: readonly PublicJwk[];
  /**
   * Bundles of other trust domains, by their names. What this one revokes they revoke too, and they end with it.
   * Absent where there are none, so that it costs nothing to look.
   */
  readonly federated?: ReadonlyMap<string, TrustBundle>;
}

export interface Revoked {
  readonly tokens: ReadonlySet<string>;
  /** Thumbprints. */
  readonly keys: ReadonlySet<string>;
  /** By URI: tokens issued before so many seconds since the Unix epoch. */
  readonly workloads: ReadonlyMap<string, number>;
}

const maxKeys = 64;
/**
 * Longest `kid`, characters. Whatever another trust domain publishes stands in our own bundle, which must stay small
 * enough to be stored, and goes to every isolate.
 */
const maxKidLength = 256;
const maxRoots = 4;
/** Most trust domains that one bundle can know besides its own. */
export const maxFederated = 32;
/** Most entries of a list of revocations. */
export const maxRevocations = 10_000;
/** The largest signed bundle that is looked at, characters: ten thousand revocations of usual length fit. */
const maxBundleLength = 2_097_152;

/**
 * Verifies a signed trust bundle and makes keys of it, all or nothing.
 *
 * Refuses what no root key signed, an expired one, one of another trust domain than the one held,
 * a lower sequence than the one held (a rollback through KV), two keys with one `kid` or one key under
 * two, secret members, more than {@link maxRevocations}, and a revocation that it cannot read. Ignores keys of another `use` or kind, as SPIFFE demands. An empty list
 * of keys is a bundle: everything is revoked. The keys of other trust domains are read by the same rules, each domain's
 * for itself: one `kid` in two of them is two keys.
 *
 * @param held the bundle in force, if there is one
 * @param now milliseconds since the Unix epoch
 */
export async function loadBundle(
  jws: string,
  rootKeys: CryptoKey | readonly CryptoKey[],
  held: TrustBundle | undefined,
  now: number,
): Promise<Result<TrustBundle, string>> {
  const opened = await openDocument<Record<string, unknown>>(jws, bundleType, rootKeys, maxBundleLength);
  if (!opened.ok) return refused(opened.reason);
  const { trustDomain, sequence, exp, keys, revoked, roots, federated } = opened.value;
  if (typeof trustDomain !== "string" || !isTrustDomain(trustDomain)) {
    return refused("its trust domain is not one");
  }
  if (!Number.isSafeInteger(sequence)) return refused("its sequence is not an integer");
  if (typeof exp !== "number" || exp * 1_000 <= now) return refused("it has expired");
  const bundle = { trustDomain, sequence: Number(sequence), expiresAt: exp * 1_000 };
  if (held !== undefined && held.trustDomain !== trustDomain) {
    return refused(`trust domain must be ${held.trustDomain}, found ${trustDomain}`);
  }
  if (held !== undefined && bundle.sequence < held.sequence) {
    return refused(`sequence must be at least ${held.sequence}, found ${bundle.sequence}`);
  }
  const imported = await importBundleKeys(keys);
  if (!imported.ok) return imported;
  const list = readRevoked(revoked);
  if (!list.ok) return list;
  const named = readRoots(roots);
  if (!named.ok) return named;
  const own: TrustBundle = { ...bundle, keys: imported.value, revoked: list.value, roots: named.value };
  return federated === undefined ? ok(own) : withFederated(own, federated);
}

/** The bundle with those of other trust domains beside it, all or nothing. */
async function withFederated(own: TrustBundle, list: unknown): Promise<Result<TrustBundle, string>> {
  if (!Array.isArray(list) || list.length > maxFederated)
    return refused(`it must name at most ${maxFederated} other trust domains`);
  const federated = new Map<string, TrustBundle>();
  for (const entry of list as readonly unknown[]) {
    const { trustDomain, keys } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof trustDomain !== "string" || !isTrustDomain(trustDomain))
      return refused("another trust domain is not one");
    if (trustDomain === own.trustDomain || federated.has(trustDomain))
      return refused(`the trust domain ${trustDomain} stands in it twice`);
    const imported = await importBundleKeys(keys);
    if (!imported.ok) return imported;
    federated.set(trustDomain, { ...own, trustDomain, keys: imported.value, roots: [] });
  }
  return ok({ ...own, federated });
}

function readRoots(list: unknown): Result<readonly PublicJwk[], string> {
  if (list === undefined) return ok([]);
  if (!Array.isArray(list) || list.length > maxRoots)
    return refused(`it must name at most ${maxRoots} roots`);
  const roots: PublicJwk[] = [];
  for (const entry of list as readonly unknown[]) {
    const jwk = parsePublicJwk(entry);
    if (!jwk.ok) return refused(`a root must be ${jwk.reason}`);
    roots.push(jwk.value);
  }
  return ok(roots);
}

/** Reads the keys of a bundle, all or nothing; by `kid`, those that are of use here. See {@link loadBundle}. */
export async function importBundleKeys(
  list: unknown,
): Promise<Result<ReadonlyMap<string, CryptoKey>, string>> {
  if (!Array.isArray(list) || list.length > maxKeys)
    return refused(`it must have a list of at most ${maxKeys} keys`);
  const kids = new Set<string>();
  const points = new Set<string>();
  const keys = new Map<string, CryptoKey>();
  for (const entry of list as readonly unknown[]) {
    if (typeof entry !== "object" || entry === null) return refused("a key must be an object");
    if (holdsSecret(entry)) return refused("a key holds secret members");
    const jwk = entry as Readonly<Record<string, unknown>>;
    const { kid, use, alg = "ES256" } = jwk;
    if (typeof kid === "string") {
      if (kids.has(kid)) return refused("two keys have one kid");
      kids.add(kid);
    }
    if (use !== "wit-svid" || jwk.kty !== "EC" || jwk.crv !== "P-256") continue;
    if (typeof kid !== "string" || kid === "") return refused("a key has no kid");
    if (kid.length > maxKidLength) return refused(`a kid is longer than ${maxKidLength} characters`);
    const parsed = parsePublicJwk({ ...jwk, alg });
    const key = parsed.ok ? await importPublicJwk(parsed.value) : parsed;
    if (!key.ok) return refused(`a key must be ${key.reason}`);
    const point = `${String(jwk.x)}.${String(jwk.y)}`;
    if (points.has(point)) return refused("one key has two kids");
    points.add(point);
    keys.set(kid, key.value);
  }
  return ok(keys);
}

function readRevoked(list: unknown): Result<Revoked, string> {
  if (!Array.isArray(list) || list.length > maxRevocations)
    return refused(`it must have a list of at most ${maxRevocations} revocations`);
  const tokens = new Set<string>();
  const keys = new Set<string>();
  const workloads = new Map<string, number>();
  for (const entry of list as readonly unknown[]) {
    const {
      jti,
      jkt,
      sub,
      before = Number.POSITIVE_INFINITY,
    } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof jti === "string") tokens.add(jti);
    else if (typeof jkt === "string") keys.add(jkt);
    else if (typeof sub === "string" && typeof before === "number") {
      workloads.set(sub, Math.max(before, workloads.get(sub) ?? Number.NEGATIVE_INFINITY));
    } else return refused("a revocation must name a jti, a jkt or a sub");
  }
  return ok({ tokens, keys, workloads });
}

const refused = (why: string): { readonly ok: false; readonly reason: string } =>
  no(`Cannot load the trust bundle: ${why}`);
