import { no, ok, type Result } from "./foundation/result.ts";
import { importPublicJwk, sameKey } from "./identity/public-jwk.ts";
import { openDocument } from "./identity/signed-document.ts";
import { loadBundle, type TrustBundle } from "./identity/trust-bundle.ts";
import type { Credential, PublicJwk } from "./identity/words.ts";
import { load } from "./policy/load.ts";
import type { Loaded } from "./policy/loaded.ts";
import { type Head, headLifeS } from "./policy/snapshot.ts";

/** What an isolate can start from when control does not answer: signed documents from KV under a pinned root. */
export interface ColdStart {
  readonly bundle: string;
  readonly head: string;
  readonly snapshot: string;
}

/** What this isolate holds once it belongs to the mesh. Replaced whole, never changed in place. */
export interface Member {
  readonly loaded: Loaded;
  readonly trust: TrustBundle;
  /** Whose signatures on bundles and heads count: the pinned ones, or those that control has told. */
  readonly roots: readonly Root[];
  /** Undefined after a start without control: verifying works, signing has to wait. */
  readonly credential: Credential | undefined;
}

/** A key that signs bundles and heads: two while the root rolls. */
export interface Root {
  readonly jwk: PublicJwk;
  readonly key: CryptoKey;
}

/** What an isolate has already, against which news is judged. */
export interface Held {
  readonly member: Member | undefined;
  /** `namespace/name` where it is configured; empty where control knows it from the binding. */
  readonly workload: string;
  /** Root keys pinned at deploy time; undefined: those that control tells are taken. */
  readonly pinned: readonly PublicJwk[] | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Signed documents that together make a member. */
export type Parts = Omit<ColdStart, "snapshot"> & {
  readonly snapshot: string | undefined;
  /** What control says is the root key; undefined where nobody says so. */
  readonly rootJwk: PublicJwk | undefined;
};

/** Why signed documents were not taken: which of them, and one sentence. */
export interface NotTaken {
  readonly what: "root" | "bundle" | "snapshot";
  readonly why: string;
}

/** Verifies signed documents and makes a member of them: all or nothing. */
export async function open(
  { rootJwk, bundle, head, snapshot }: Parts,
  held: Held,
): Promise<Result<Omit<Member, "credential">, NotTaken>> {
  const roots = await rootsFor(rootJwk, held);
  if (!roots.ok) return no({ what: "root", why: roots.reason });
  const trusted = await trust(bundle, roots.value, held);
  if (!trusted.ok) return no({ what: "bundle", why: trusted.reason });
  const loaded = await follow(head, snapshot, trusted.value, held);
  return loaded.ok
    ? ok({ loaded: loaded.value, ...trusted.value })
    : no({ what: "snapshot", why: loaded.reason });
}

/** The root keys to verify with, before anything has been verified. */
async function rootsFor(told: PublicJwk | undefined, held: Held): Promise<Result<readonly Root[], string>> {
  const { member, pinned } = held;
  const known = member?.roots.map(({ jwk }) => jwk) ?? pinned ?? (told === undefined ? [] : [told]);
  if (told !== undefined && !known.some((root) => sameKey(root, told)))
    return no("the root key that control told is not a pinned one");
  return member === undefined ? importRoots(known) : ok(member.roots);
}

/** What a bundle makes trusted. */
export type Trusted = Pick<Member, "trust" | "roots">;

/**
 * Verifies a bundle, and takes the root keys that it names where none are pinned: so the root can roll, and one
 * that has been left behind signs nothing for us any more.
 */
export async function trust(
  bundle: string,
  roots: readonly Root[],
  { member, pinned, now }: Pick<Held, "member" | "pinned" | "now">,
): Promise<Result<Trusted, string>> {
  const keys = roots.map(({ key }) => key);
  const loaded = await loadBundle(bundle, keys, member?.trust, now);
  if (!loaded.ok) return loaded;
  const named = loaded.value.roots;
  if (pinned !== undefined || named.length === 0 || isSame(named, roots))
    return ok({ trust: loaded.value, roots });
  const next = await importRoots(named);
  return next.ok ? ok({ trust: loaded.value, roots: next.value }) : next;
}

const isSame = (named: readonly PublicJwk[], roots: readonly Root[]): boolean =>
  named.length === roots.length && named.every((jwk) => roots.some((root) => sameKey(root.jwk, jwk)));

/** The next root key that the bundle names, by its member `x`, if it is believed here: control waits for that. */
export function nextRootOf({ trust, roots }: Trusted): string | undefined {
  const next = trust.roots.length > 1 ? trust.roots.at(-1) : undefined;
  return next !== undefined && roots.some(({ jwk }) => sameKey(jwk, next)) ? next.x : undefined;
}

async function importRoots(jwks: readonly PublicJwk[]): Promise<Result<readonly Root[], string>> {
  const roots: Root[] = [];
  for (const jwk of jwks) {
    const key = await importPublicJwk(jwk);
    if (!key.ok) return no(`a root key must be ${key.reason}`);
    roots.push({ jwk, key: key.value });
  }
  return ok(roots);
}

/**
 * From a signed head and the snapshot that it names to tables; those in force where the digest is theirs. A head
 * ends: whoever can write to KV could otherwise keep one that he likes, and new isolates would start on it for ever.
 */
export async function follow(
  signedHead: string,
  snapshot: string | undefined,
  { roots, trust: { trustDomain } }: Trusted,
  held: Held,
): Promise<Result<Loaded, string>> {
  const keys = roots.map(({ key }) => key);
  const head = await openDocument<Head>(signedHead, "tulle-head+jwt", keys);
  if (!head.ok) return no(`the signed head cannot be verified: ${head.reason}`);
  const { workload, epoch, digest, iat, exp = iat + headLifeS } = head.value;
  // Written so that what is no number has expired.
  if (!(exp * 1_000 > held.now)) return no(`the head of epoch ${epoch} has expired`);
  const inForce = held.member?.loaded;
  if (inForce !== undefined && workload !== inForce.snapshot.workload)
    return no(`the head is for ${workload}`);
  if (inForce !== undefined && epoch < inForce.epoch)
    return no(`epoch ${epoch} is older than ${inForce.epoch}, the one in force`);
  if (held.workload !== "" && workload !== held.workload) return no(`the head is for ${workload}`);
  if (inForce !== undefined && inForce.digest === digest) return ok({ ...inForce, epoch });
  if (snapshot === undefined) return no(`the snapshot of epoch ${epoch} is missing`);
  const loaded = await load(snapshot, { epoch, digest }, workload);
  if (loaded.ok && loaded.value.snapshot.trustDomain !== trustDomain) {
    return no("the snapshot and the trust bundle are of different trust domains");
  }
  return loaded;
}

/** Of two states the newer of each part: while one was verified, another may have come into force. */
export function newer(held: Member | undefined, come: Member): Member {
  if (held === undefined) return come;
  return {
    ...held,
    loaded: come.loaded.epoch >= held.loaded.epoch ? come.loaded : held.loaded,
    ...(come.trust.sequence >= held.trust.sequence
      ? { trust: come.trust, roots: come.roots }
      : { trust: held.trust, roots: held.roots }),
    credential: come.credential ?? held.credential,
  };
}
