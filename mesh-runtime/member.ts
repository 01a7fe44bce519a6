import { no, ok, type Result } from "./foundation/result.ts";
import { openDocument } from "./identity/signed-document.ts";
import { loadBundle, type TrustBundle } from "./identity/trust-bundle.ts";
import type { Credential, PublicJwk } from "./identity/words.ts";
import { load } from "./policy/load.ts";
import type { Loaded } from "./policy/loaded.ts";
import type { Head } from "./policy/snapshot.ts";

/** What an isolate can start from when control does not answer: signed documents from KV under a pinned root. */
export interface ColdStart {
  readonly rootJwk: PublicJwk;
  readonly bundle: string;
  readonly head: string;
  readonly snapshot: string;
}

/** What this isolate holds once it belongs to the mesh. Replaced whole, never changed in place. */
export interface Member {
  readonly loaded: Loaded;
  readonly trust: TrustBundle;
  readonly rootKey: CryptoKey;
  readonly rootJwk: PublicJwk;
  /** Undefined after a start without control: verifying works, signing has to wait. */
  readonly credential: Credential | undefined;
}

/** What an isolate has already, against which news is judged. */
export interface Held {
  readonly member: Member | undefined;
  /** `namespace/name` where it is configured; empty where control knows it from the binding. */
  readonly workload: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Signed documents that together make a member. */
export type Parts = Omit<ColdStart, "snapshot"> & { readonly snapshot: string | undefined };

/** Verifies signed documents and makes a member of them: all or nothing. */
export async function open(
  { rootJwk, bundle, head, snapshot }: Parts,
  held: Held,
): Promise<Result<Omit<Member, "credential">, string>> {
  const { member, now } = held;
  const rootKey = member?.rootKey ?? (await importRoot(rootJwk));
  const trust = await loadBundle(bundle, rootKey, member?.trust, now);
  if (!trust.ok) return trust;
  const loaded = await follow(head, snapshot, rootKey, trust.value.trustDomain, held);
  return loaded.ok ? ok({ loaded: loaded.value, trust: trust.value, rootKey, rootJwk }) : loaded;
}

/** From a signed head and the snapshot that it names to tables; those in force where the digest is theirs. */
export async function follow(
  signedHead: string,
  snapshot: string | undefined,
  rootKey: CryptoKey,
  trustDomain: string,
  held: Held,
): Promise<Result<Loaded, string>> {
  const head = await openDocument<Head>(signedHead, "tulle-head+jwt", rootKey);
  if (!head.ok) return no(`the signed head cannot be verified: ${head.reason}`);
  const { workload, epoch, digest } = head.value;
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
    trust: come.trust.sequence >= held.trust.sequence ? come.trust : held.trust,
    credential: come.credential ?? held.credential,
  };
}

function importRoot({ kty, crv, x, y }: PublicJwk): Promise<CryptoKey> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return crypto.subtle.importKey("jwk", { kty, crv, x, y }, algorithm, false, ["verify"]);
}
