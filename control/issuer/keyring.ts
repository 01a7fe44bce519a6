import { parseDuration } from "@tulle/mesh-runtime/foundation/duration.ts";
import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { signDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import {
  type BundleKey,
  type BundlePayload,
  bundleType,
  type FederatedKeys,
  type Revocation,
} from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { maxWitLifetimeMs, witLeewayMs } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import {
  hastened,
  type KeySlot,
  movesAt,
  type RotationPolicy,
  type SlotState,
  signingSlot,
  step,
  withKey,
  withoutKey,
} from "./signing-keys.ts";
import { makeKey, openKey, resealed, type Secrets, type SigningKey, type StoredKey } from "./signing-ring.ts";

/** How often others should look for a new bundle, milliseconds (SPIFFE Trust Domain and Bundle §4.1.2). */
export const refreshHintMs = 300_000;

/** How signing keys follow each other, milliseconds. */
export const rotation: RotationPolicy = {
  /** A key that leaked unnoticed is worth a month at most. */
  activeMs: 30 * 86_400_000,
  /**
   * Five refresh hints (SPIFFE recommends three to five). Isolates at work learn of a bundle with their next report,
   * those that slept ask when they meet a key that they do not know.
   */
  publishAheadMs: 5 * refreshHintMs,
  lingerMs: maxWitLifetimeMs + witLeewayMs,
};

/** Shorter than this, more keys would linger than a bundle may hold, milliseconds. */
const minActiveMs = 3_600_000;
const maxActiveMs = 9_600 * 3_600_000;

/** The rotation with another period, such as `720h`; absent or empty: thirty days. */
export function rotationOf(period: string | undefined): Result<RotationPolicy, string> {
  if (period === undefined || period === "") return ok(rotation);
  const parsed = parseDuration(period);
  return parsed.ok && parsed.value >= minActiveMs && parsed.value <= maxActiveMs
    ? ok({ ...rotation, activeMs: parsed.value })
    : no("The variable TULLE_KEY_ROTATION must be a duration from 1h to 9600h, such as 720h");
}

/** How long a signed bundle is believed, milliseconds; it is signed anew at half of it. */
export const bundleLifeMs = 86_400_000;

/** The issuer's keys, opened: what one object holds in memory. Replaced whole. */
export interface Keyring {
  readonly root: SigningKey;
  /** Published for pinning since then (milliseconds since the Unix epoch), not in use yet. */
  readonly nextRoot: (Pick<SigningKey, "kid" | "publicJwk"> & { readonly since: number }) | undefined;
  readonly signer: SigningKey;
  readonly slots: readonly SlotView[];
  readonly bundle: SignedBundle;
  /** When the keyring has to be looked at again, milliseconds since the Unix epoch. */
  readonly until: number;
}

/** A signing key as operators see it. Times in milliseconds since the Unix epoch. */
export interface SlotView {
  readonly kid: string;
  readonly state: SlotState;
  readonly since: number;
  /** When it moves on to the next state, or out of the bundle. */
  readonly movesAt: number;
}

export interface SignedBundle {
  readonly sequence: number;
  /** Compact JWS. */
  readonly signed: string;
  readonly keys: readonly BundleKey[];
  /** Those of other trust domains; absent where there are none. */
  readonly federated?: readonly FederatedKeys[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** Where a keyring is kept. */
export interface KeyStore {
  read<T>(name: keyof StoredRing): T | null | undefined;
  /** All or nothing. */
  write(facts: StoredRing): void;
}

export interface StoredRing {
  readonly root: StoredKey;
  readonly nextRoot: StoredKey | null;
  /** Since when the next root key is published, milliseconds since the Unix epoch. */
  readonly nextRootAt: number | null;
  readonly slots: readonly KeySlot<StoredKey>[];
  readonly bundle: SignedBundle;
}

/** What an issuer is told from outside. */
export interface RingSettings {
  readonly trustDomain: string;
  readonly secrets: Secrets;
  readonly rotation: RotationPolicy;
  /** What the bundle shall say is revoked. Entries that have run out leave it when it is signed anew. */
  readonly revoked: readonly Revocation[];
  /** The keys of other trust domains, each for itself. */
  readonly federated: readonly FederatedKeys[];
}

/** What an operator wants changed. */
export type RingChange =
  /** A next signing key, in use as soon as it has been published for long enough. */
  | { readonly kind: "rotate" }
  /** A signing key leaked: out of the bundle at once. */
  | { readonly kind: "revoke"; readonly kid: string }
  /** A next root key, published for pinning. */
  | { readonly kind: "prepare-root" }
  /** The next root key signs from now on. */
  | { readonly kind: "roll-root" }
  /** The list of revocations is another one. */
  | { readonly kind: "revocations" }
  /** What is known of other trust domains is another thing. */
  | { readonly kind: "federations" };

/**
 * Opens the stored keys, makes what is missing, moves the rotation on to `now`, and signs a new bundle when the
 * keys, the change or the time demand one. Stores before it answers, so that no key signs that could be lost.
 * Keys that rest under the previous secret are encrypted under the present one first.
 *
 * Without the secret, or with neither of those that the keys rest under, nothing is opened and nothing changed.
 */
export async function openKeyring(
  store: KeyStore,
  settings: RingSettings,
  now: number,
  change?: RingChange,
): Promise<Result<Keyring, string>> {
  const { secrets, rotation } = settings;
  if (secrets.current === undefined || secrets.current === "")
    return no("The secret TULLE_KEY_SECRET is not set");
  const secret = secrets.current;
  const stored = await restored(store, secret, secrets.previous);
  if (!stored.ok) return stored;
  const roots = await rooted(stored.value, secret, change);
  if (!roots.ok) return roots;
  const { root, nextRoot } = roots.value;
  const rootKey = await openKey(root, secret);
  if (!rootKey.ok) return rootKey;
  // Where nobody wrote down since when it is published, that is counted from now.
  const isNamed = nextRoot !== null && nextRoot.kid === stored.value.nextRoot?.kid;
  const nextRootAt = nextRoot === null ? null : ((isNamed ? stored.value.nextRootAt : null) ?? now);

  const wanted = changed(stored.value.slots, change, now);
  if (!wanted.ok) return wanted;
  const turned = await turn(wanted.value, secret, rotation, change?.kind === "rotate", now);
  if (!turned.ok) return turned;
  const { slots, isNew, nextAt } = turned.value;
  const active = signingSlot(slots);
  if (active === undefined) return no("There is no active signing key");
  const signer = await openKey(active.key, secret);
  if (!signer.ok) return signer;

  const held = stored.value.bundle;
  const isFresh =
    held !== undefined &&
    stored.value.root !== undefined &&
    change === undefined &&
    !isNew &&
    held.expiresAt - now > bundleLifeMs / 2;
  const content = { ...settings, slots, roots: nextRoot === null ? [root] : [root, nextRoot] };
  const bundle = isFresh ? held : await signBundle(rootKey.value, content, (held?.sequence ?? 0) + 1, now);
  if (!isFresh || stored.value.resealed || nextRootAt !== stored.value.nextRootAt)
    store.write({ root, nextRoot, nextRootAt, slots, bundle });
  return ok({
    root: rootKey.value,
    nextRoot:
      nextRoot === null
        ? undefined
        : { kid: nextRoot.kid, publicJwk: nextRoot.publicJwk, since: nextRootAt ?? now },
    signer: signer.value,
    slots: slots.map((slot) => ({
      kid: slot.kid,
      state: slot.state,
      since: slot.since,
      movesAt: movesAt(slots, slot, rotation),
    })),
    bundle,
    until: Math.min(nextAt, bundle.expiresAt - bundleLifeMs / 2),
  });
}

interface Restored {
  readonly root: StoredKey | undefined;
  readonly nextRoot: StoredKey | null;
  readonly nextRootAt: number | null;
  readonly slots: readonly KeySlot<StoredKey>[];
  readonly bundle: SignedBundle | undefined;
  /** Whether keys rested under the previous secret and are to be written under the present one. */
  readonly resealed: boolean;
}

/** What is stored, under the present secret. */
async function restored(
  store: KeyStore,
  secret: string,
  previous: string | undefined,
): Promise<Result<Restored, string>> {
  const root = store.read<StoredKey>("root") ?? undefined;
  const nextRoot = store.read<StoredKey>("nextRoot") ?? null;
  const nextRootAt = store.read<number>("nextRootAt") ?? null;
  const slots = store.read<readonly KeySlot<StoredKey>[]>("slots") ?? [];
  const bundle = store.read<SignedBundle>("bundle") ?? undefined;
  const asStored = { root, nextRoot, nextRootAt, slots, bundle, resealed: false };
  if (root === undefined || previous === undefined || previous === "") return ok(asStored);
  // They are written all together, so one tells for all.
  if ((await openKey(root, secret)).ok) return ok(asStored);
  const all = await resealed(
    [root, ...(nextRoot === null ? [] : [nextRoot]), ...slots.map(({ key }) => key)],
    previous,
    secret,
  );
  if (!all.ok) return all;
  const again = (key: StoredKey): StoredKey => all.value.get(key.kid) ?? key;
  return ok({
    root: again(root),
    nextRoot: nextRoot === null ? null : again(nextRoot),
    nextRootAt,
    slots: slots.map((slot) => ({ ...slot, key: again(slot.key) })),
    bundle,
    resealed: true,
  });
}

/** The root keys after the change. The first one is in use at once; later ones are published first, for pinning. */
async function rooted(
  stored: Restored,
  secret: string,
  change: RingChange | undefined,
): Promise<Result<{ root: StoredKey; nextRoot: StoredKey | null }, string>> {
  const { nextRoot } = stored;
  if (change?.kind === "roll-root") {
    return nextRoot === null
      ? no("There is no next root key: prepare one, and pin it, first")
      : ok({ root: nextRoot, nextRoot: null });
  }
  const root = stored.root === undefined ? await makeKey(secret) : ok(stored.root);
  if (!root.ok) return root;
  if (change?.kind !== "prepare-root" || nextRoot !== null) return ok({ root: root.value, nextRoot });
  const made = await makeKey(secret);
  return made.ok ? ok({ root: root.value, nextRoot: made.value }) : made;
}

function changed(
  slots: readonly KeySlot<StoredKey>[],
  change: RingChange | undefined,
  now: number,
): Result<readonly KeySlot<StoredKey>[], string> {
  if (change?.kind === "rotate") return ok(hastened(slots));
  if (change?.kind !== "revoke") return ok(slots);
  const left = withoutKey(slots, change.kid, now);
  return left === slots ? no("There is no signing key of this kid") : ok(left);
}

async function turn(
  stored: readonly KeySlot<StoredKey>[],
  secret: string,
  rotation: RotationPolicy,
  urgent: boolean,
  now: number,
): Promise<Result<{ slots: readonly KeySlot<StoredKey>[]; isNew: boolean; nextAt: number }, string>> {
  const moved = step(stored, now, rotation);
  // Before it was moved on: one that was known already signs now, and no further one is wanted.
  const isThere = stored.some(({ state }) => state === "prepared");
  if (!moved.wantsKey && (!urgent || isThere)) return ok({ ...moved, isNew: moved.changed });
  const made = await makeKey(secret);
  if (!made.ok) return made;
  const added = withKey(moved.slots, made.value.kid, made.value, now);
  const slots = urgent ? hastened(added) : added;
  return ok({ slots, isNew: true, nextAt: step(slots, now, rotation).nextAt });
}

interface Content {
  readonly trustDomain: string;
  readonly slots: readonly KeySlot<StoredKey>[];
  readonly roots: readonly StoredKey[];
  readonly revoked: readonly Revocation[];
  readonly federated: readonly FederatedKeys[];
}

async function signBundle(
  root: SigningKey,
  { trustDomain, slots, roots, revoked, federated }: Content,
  sequence: number,
  now: number,
): Promise<SignedBundle> {
  const keys = slots.map(({ kid, key }): BundleKey => ({ ...key.publicJwk, kid, use: "wit-svid" }));
  const iat = Math.floor(now / 1_000);
  const others = federated.length === 0 ? {} : { federated };
  const payload: BundlePayload = {
    trustDomain,
    sequence,
    iat,
    exp: iat + bundleLifeMs / 1_000,
    keys,
    revoked,
    roots: roots.map(({ publicJwk }) => publicJwk),
    ...others,
  };
  const signed = await signDocument(payload, bundleType, root.kid, root.privateKey);
  return { sequence, signed, keys, ...others, expiresAt: payload.exp * 1_000 };
}
