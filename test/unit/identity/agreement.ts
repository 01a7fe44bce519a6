import { base64url } from "jose";
import {
  type IssuedSessionKey,
  importSessionKeys,
  type SessionKey,
} from "../../../mesh-runtime/identity/session-keys.ts";
import { caller, now, nowS, rawJws, self, type World } from "./fixture.ts";

/*
 * The agreement of a session by a second implementation, which refuses nothing: whatever grant a caller likes, over
 * whatever halves of whatever keys.
 */

const x25519 = { name: "X25519" };
const encoder = new TextEncoder();

/** A key of `payments`, as the issuer hands it out. */
export async function issuedKey(from = now - 600_000, until = now + 3_000_000): Promise<IssuedSessionKey> {
  const pair = (await crypto.subtle.generateKey(x25519, true, ["deriveBits"])) as CryptoKeyPair;
  const { x = "", d = "" } = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as JsonWebKey;
  return { publicKey: x, secret: d, from, until };
}

export async function sessionKey(from?: number, until?: number): Promise<SessionKey> {
  const [key] = await importSessionKeys([await issuedKey(from, until)]);
  if (key === undefined) throw new Error("the key cannot be imported");
  return key;
}

/** A key pair of one session. */
export async function half(): Promise<{ readonly text: string; readonly privateKey: CryptoKey }> {
  const pair = (await crypto.subtle.generateKey(x25519, true, ["deriveBits"])) as CryptoKeyPair;
  const { x = "" } = (await crypto.subtle.exportKey("jwk", pair.publicKey)) as JsonWebKey;
  return { text: x, privateKey: pair.privateKey };
}

export interface ForgedGrant {
  readonly header?: string;
  /** In the place of sound ones; undefined leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The payload, in another form. */
  readonly payload?: (text: string) => string;
  /** Whose key signs the grant. @default the token's */
  readonly signer?: CryptoKey;
  /** The grant as text, in another form. */
  readonly text?: (grant: string) => string;
  /** The token that it belongs to. */
  readonly wit?: string;
  /** The half that the MAC's key is really agreed with. @default the one in the grant */
  readonly half?: { readonly text: string; readonly privateKey: CryptoKey };
  /** Who is said to have agreed, in the key. */
  readonly names?: { readonly caller?: string; readonly audience?: string };
  readonly direction?: string;
}

/** A grant for a service's key, and the raw key of the MACs that go with it. */
export async function grantFor(
  world: World,
  theirs: Pick<SessionKey, "name" | "publicKey">,
  forged: ForgedGrant = {},
): Promise<{ readonly grant: string; readonly mac: Uint8Array<ArrayBuffer> }> {
  const wit = forged.wit ?? world.credential.wit;
  const own = forged.half ?? (await half());
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(wit)));
  const sound = {
    aud: self,
    epk: own.text,
    dk: theirs.name,
    iat: nowS,
    exp: nowS + 600,
    wth: base64url.encode(hash),
  };
  const claims = Object.fromEntries(
    Object.entries({ ...sound, ...forged.claims }).filter(([, value]) => value !== undefined),
  );
  const text = JSON.stringify(claims);
  const header = forged.header ?? '{"alg":"ES256","typ":"tulle-session+jwt"}';
  const privateKey = forged.signer ?? world.keys.privateKey;
  const signed = await rawJws(header, forged.payload?.(text) ?? text, { ...world.keys, privateKey });
  const grant = forged.text?.(signed) ?? signed;
  const shared = await agreedBytes(own.privateKey, theirs.publicKey);
  const { caller: from = caller, audience = self } = forged.names ?? {};
  const direction = forged.direction ?? "request";
  const info = new Uint8Array([
    ...encoder.encode(`tulle/1 ${direction} ${from.length} ${from} ${audience.length} ${audience} `),
    ...theirs.publicKey,
  ]);
  const salt = await crypto.subtle.digest("SHA-256", encoder.encode(`tulle-session-v1 ${grant}`));
  const material = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveBits"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info };
  return { grant, mac: new Uint8Array(await crypto.subtle.deriveBits(derivation, material, 256)) };
}

async function agreedBytes(ours: CryptoKey, theirs: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const algorithm = { ...x25519, public: await crypto.subtle.importKey("raw", theirs, x25519, false, []) };
  return crypto.subtle.deriveBits(algorithm, ours, 256);
}

/** HMAC-SHA-256 of a text. */
export async function macOf(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, hmac, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
}
