import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { signDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import { type BundleKey, type BundlePayload, bundleType } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { maxWitLifetimeMs, witLeewayMs } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import { type KeySlot, type RotationPolicy, signingSlot, step, withKey } from "./signing-keys.ts";
import { makeKey, openKey, type SigningKey, type StoredKey } from "./signing-ring.ts";

/** How signing keys follow each other, milliseconds. */
export const rotation: RotationPolicy = {
  /** A key that leaked unnoticed is worth a month at most. */
  activeMs: 30 * 86_400_000,
  /** Isolates learn of a bundle with their next report, and cold ones from KV within minutes. */
  publishAheadMs: 2 * 3_600_000,
  lingerMs: maxWitLifetimeMs + witLeewayMs,
};

/** How long a signed bundle is believed, milliseconds; it is signed anew at half of it. */
const bundleLifeMs = 86_400_000;

/** The issuer's keys, opened: what one object holds in memory. Replaced whole. */
export interface Keyring {
  readonly root: SigningKey;
  readonly signer: SigningKey;
  readonly bundle: SignedBundle;
  /** When the keyring has to be looked at again, milliseconds since the Unix epoch. */
  readonly until: number;
}

export interface SignedBundle {
  readonly sequence: number;
  /** Compact JWS. */
  readonly signed: string;
  readonly keys: readonly BundleKey[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** Where a keyring is kept. */
export interface KeyStore {
  read<T>(name: "root" | "slots" | "bundle"): T | undefined;
  /** All or nothing. */
  write(facts: {
    readonly root: StoredKey;
    readonly slots: readonly KeySlot<StoredKey>[];
    readonly bundle: SignedBundle;
  }): void;
}

/**
 * Opens the stored keys, makes what is missing, moves the rotation on to `now`, and signs a new bundle when the
 * keys or the time demand one. Stores before it answers, so that no key signs that could be lost.
 *
 * @param secret the Worker's secret; without it, or with another one than before, nothing is opened and nothing changed
 */
export async function openKeyring(
  store: KeyStore,
  trustDomain: string,
  secret: string | undefined,
  now: number,
): Promise<Result<Keyring, string>> {
  if (secret === undefined || secret === "") return no("The secret TULLE_KEY_SECRET is not set");
  const storedRoot = store.read<StoredKey>("root");
  const root = storedRoot === undefined ? await makeKey(secret) : ok(storedRoot);
  if (!root.ok) return root;
  const rootKey = await openKey(root.value, secret);
  if (!rootKey.ok) return rootKey;

  const turned = await turn(store.read<readonly KeySlot<StoredKey>[]>("slots") ?? [], secret, now);
  if (!turned.ok) return turned;
  const { slots, changed, nextAt } = turned.value;
  const active = signingSlot(slots);
  if (active === undefined) return no("There is no active signing key");
  const signer = await openKey(active.key, secret);
  if (!signer.ok) return signer;

  const held = store.read<SignedBundle>("bundle");
  const isFresh =
    storedRoot !== undefined && held !== undefined && !changed && held.expiresAt - now > bundleLifeMs / 2;
  const bundle = isFresh
    ? held
    : await signBundle(rootKey.value, slots, trustDomain, (held?.sequence ?? 0) + 1, now);
  if (!isFresh) store.write({ root: root.value, slots, bundle });
  const until = Math.min(nextAt, bundle.expiresAt - bundleLifeMs / 2);
  return ok({ root: rootKey.value, signer: signer.value, bundle, until });
}

async function turn(
  stored: readonly KeySlot<StoredKey>[],
  secret: string,
  now: number,
): Promise<Result<{ slots: readonly KeySlot<StoredKey>[]; changed: boolean; nextAt: number }, string>> {
  const moved = step(stored, now, rotation);
  if (!moved.wantsKey) return ok(moved);
  const made = await makeKey(secret);
  if (!made.ok) return made;
  const slots = withKey(moved.slots, made.value.kid, made.value, now);
  return ok({ slots, changed: true, nextAt: step(slots, now, rotation).nextAt });
}

async function signBundle(
  root: SigningKey,
  slots: readonly KeySlot<StoredKey>[],
  trustDomain: string,
  sequence: number,
  now: number,
): Promise<SignedBundle> {
  const keys = slots.map(({ kid, key }): BundleKey => ({ ...key.publicJwk, kid, use: "wit-svid" }));
  const iat = Math.floor(now / 1_000);
  const payload: BundlePayload = {
    trustDomain,
    sequence,
    iat,
    exp: iat + bundleLifeMs / 1_000,
    keys,
    revoked: [],
  };
  const signed = await signDocument(payload, bundleType, root.kid, root.privateKey);
  return { sequence, signed, keys, expiresAt: payload.exp * 1_000 };
}
