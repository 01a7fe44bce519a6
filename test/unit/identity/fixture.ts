import { base64url, CompactSign } from "jose";
import type { Result } from "../../../mesh-runtime/foundation/result.ts";
import {
  credentialFrom,
  generateKeys,
  type WorkloadKeys,
} from "../../../mesh-runtime/identity/credential.ts";
import {
  type ProvenMessage,
  signMessage,
  type Verifier,
  verifyMessage,
} from "../../../mesh-runtime/identity/proof.ts";
import { importPublicJwk } from "../../../mesh-runtime/identity/public-jwk.ts";
import { ReplayWindow } from "../../../mesh-runtime/identity/replay.ts";
import { signDocument } from "../../../mesh-runtime/identity/signed-document.ts";
import { WitCache } from "../../../mesh-runtime/identity/svid.ts";
import {
  type BundlePayload,
  bundleType,
  loadBundle,
  type TrustBundle,
} from "../../../mesh-runtime/identity/trust-bundle.ts";
import type { Credential } from "../../../mesh-runtime/identity/words.ts";

/** The time of every test, milliseconds since the Unix epoch. */
export const now = 1_790_000_000_000;
export const nowS = now / 1_000;

export const self = "spiffe://example.org/ns/default/sa/payments";
export const caller = "spiffe://example.org/ns/default/sa/web";

/** The value of a result that must be one. */
export function value<Value>(result: Result<Value, unknown>): Value {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.reason)}`);
  return result.value;
}

/** A small mesh's keys and papers. */
export interface World {
  readonly root: WorkloadKeys;
  readonly rootKey: CryptoKey;
  readonly issuer: WorkloadKeys;
  readonly keys: WorkloadKeys;
  readonly bundle: TrustBundle;
  readonly credential: Credential;
}

export const publicKeyOf = async (keys: WorkloadKeys): Promise<CryptoKey> =>
  value(await importPublicJwk(keys.publicJwk));

export async function makeWorld(): Promise<World> {
  const [root, issuer, keys] = await Promise.all([generateKeys(), generateKeys(), generateKeys()]);
  const rootKey = await publicKeyOf(root);
  const bundle = value(
    await loadBundle(await signBundle(root, bundlePayload(issuer)), rootKey, undefined, now),
  );
  const credential = value(credentialFrom(await makeWit({ issuer, keys }), keys, now, () => 0.5));
  return { root, rootKey, issuer, keys, bundle, credential };
}

export const bundlePayload = (issuer: WorkloadKeys): BundlePayload => ({
  trustDomain: "example.org",
  sequence: 7,
  iat: nowS,
  exp: nowS + 86_400,
  keys: [{ ...issuer.publicJwk, kid: "issuer-1", use: "wit-svid" }],
  revoked: [],
});

export const signBundle = (root: WorkloadKeys, payload: object): Promise<string> =>
  signDocument(payload, bundleType, "root-1", root.privateKey);

export const validClaims = (keys: WorkloadKeys) => ({
  iss: "https://issuer.example.org",
  sub: caller as unknown,
  iat: nowS as unknown,
  nbf: nowS - 60,
  exp: (nowS + 3_600) as unknown,
  jti: "AAAAAAAAAAAAAAAAAAAAAA",
  cnf: { jwk: keys.publicJwk } as unknown,
});

export const validHeader = { alg: "ES256", typ: "wit+jwt", kid: "issuer-1" };

/** A token; `claims` and `header` replace members of a valid one, undefined removes them. */
export function makeWit(
  { issuer, keys }: Pick<World, "issuer" | "keys">,
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify({ ...validClaims(keys), ...claims })))
    .setProtectedHeader({ ...validHeader, ...header })
    .sign(issuer.privateKey);
}

/** A JWS of exactly this header and payload text, ES256-signed whatever the header says. */
export async function rawJws(header: string, payload: string, keys: WorkloadKeys): Promise<string> {
  const input = `${base64url.encode(header)}.${base64url.encode(payload)}`;
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, keys.privateKey, new TextEncoder().encode(input));
  return `${input}.${base64url.encode(new Uint8Array(signature))}`;
}

export interface Signed {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

export const validMessage = (
  headers: Record<string, string> = { "content-type": "application/json", "tulle-hops": "1" },
): Signed => ({
  method: "POST",
  url: "https://payments/charge?amount=3&note=",
  headers: new Headers(headers),
});

let nonces = 0;

/** A message with a valid proof on it. */
export async function signedMessage(
  world: World,
  message: Signed = validMessage(),
  at = now,
): Promise<Signed> {
  const proof = { audience: self, credential: world.credential, now: at, nonce: `nonce-${nonces++}` };
  value(await signMessage(message, proof));
  return message;
}

export const verifier = (world: World, changed: Partial<Verifier> = {}): Verifier => ({
  audience: self,
  bundle: world.bundle,
  cache: new WitCache(),
  replay: new ReplayWindow(),
  now,
  ...changed,
});

/** "accepted", or the step that refused. */
export async function outcome(message: ProvenMessage, by: Verifier): Promise<string> {
  const verified = await verifyMessage(message, by);
  return verified.ok ? "accepted" : verified.reason.step;
}

/** Signs a message with parameters and components of one's own choice, correctly, over the text as given. */
export async function signedWith(
  world: World,
  message: Signed,
  parameters: string,
  base: string,
): Promise<Signed> {
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const text = new TextEncoder().encode(`${base}\n"@signature-params": ${parameters}`);
  const signature = new Uint8Array(await crypto.subtle.sign(algorithm, world.keys.privateKey, text));
  message.headers.set("workload-identity-token", world.credential.wit);
  message.headers.set("signature-input", `wimse=${parameters}`);
  message.headers.set("signature", `wimse=:${btoa(String.fromCharCode(...signature))}:`);
  return message;
}
