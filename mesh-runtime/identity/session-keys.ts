import { no, ok, type Result } from "../foundation/result.ts";
import { base64urlBytes } from "./bytes.ts";
import { keyLeadMs, keyLingerMs } from "./session-profile.ts";

/** A key of a service as the issuer hands it to its isolates: never logged, never stored. */
export interface IssuedSessionKey {
  /** The public half: X25519, 32 bytes in base64url (RFC 7748 §5). */
  readonly publicKey: string;
  /** The private half, likewise. */
  readonly secret: string;
  /** From when until when it is offered to callers, milliseconds since the Unix epoch. */
  readonly from: number;
  readonly until: number;
}

/** A key of this service, which all of its isolates have. */
export interface SessionKey {
  /** The public half in base64url: what callers are told, and what their grants name. */
  readonly name: string;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** Cannot be exported. */
  readonly privateKey: CryptoKey;
  /** From when until when it is offered, milliseconds since the Unix epoch. */
  readonly from: number;
  readonly until: number;
}

export const x25519 = { name: "X25519" } as const;

/** More keys than one credential's life has hours: what is above is left out. */
const mostKeys = 32;

/** Imports what the issuer sent. What cannot be used is left out: without keys this isolate is signed to, no worse. */
export async function importSessionKeys(issued: unknown): Promise<readonly SessionKey[]> {
  if (!Array.isArray(issued)) return [];
  const keys: SessionKey[] = [];
  for (const one of issued.slice(0, mostKeys)) {
    const key = await importSessionKey(one);
    if (key !== undefined) keys.push(key);
  }
  return keys;
}

async function importSessionKey(issued: unknown): Promise<SessionKey | undefined> {
  if (typeof issued !== "object" || issued === null) return undefined;
  const { publicKey: name, secret, from, until } = issued as Readonly<Record<string, unknown>>;
  if (typeof from !== "number" || typeof until !== "number") return undefined;
  const [publicKey, privateBytes] = [keyBytes(name), keyBytes(secret)];
  if (publicKey === undefined || privateBytes === undefined) return undefined;
  try {
    const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8(privateBytes), x25519, false, [
      "deriveBits",
    ]);
    return { name: String(name), publicKey, privateKey, from, until };
  } catch {
    // The runtime may quote what it was given; that it is no key is all that matters here.
    return undefined;
  }
}

/** RFC 8410 §7: the 16 bytes that come before the 32 of an X25519 private key. */
const pkcs8Start = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32];

/** A private key in the form that every runtime imports. */
export const pkcs8 = (secret: Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array([...pkcs8Start, ...secret]);

/** 32 bytes in base64url. The last of 43 digits carries two bits that must be zero, so that one key has one text. */
export const keyForm = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** The 32 bytes of an X25519 key in canonical base64url; undefined where it is anything else. */
export function keyBytes(text: unknown): Uint8Array<ArrayBuffer> | undefined {
  return typeof text === "string" && keyForm.test(text) ? base64urlBytes(text) : undefined;
}

/** What both sides agree on (RFC 7748 §6.1); undefined where the other half is a point of low order, which every runtime refuses. */
export async function agreed(
  ours: CryptoKey,
  theirs: Uint8Array<ArrayBuffer>,
): Promise<ArrayBuffer | undefined> {
  try {
    const algorithm = { ...x25519, public: await crypto.subtle.importKey("raw", theirs, x25519, false, []) };
    return await crypto.subtle.deriveBits(algorithm, ours, 256);
  } catch {
    return undefined;
  }
}

/** The key to offer to callers now; undefined without one. */
export const offered = (keys: readonly SessionKey[], now: number): SessionKey | undefined =>
  keys.find(({ from, until }) => from <= now && now < until);

/** The key that a grant names, if grants for it are still taken. */
export function keyNamed(keys: readonly SessionKey[], name: string, now: number): Result<SessionKey, string> {
  const key = keys.find((one) => one.name === name);
  if (key === undefined) return no("the grant is for a key that this service does not have");
  if (now >= key.until + keyLingerMs) return no("the grant is for a key that has been retired");
  return now < key.from - keyLeadMs ? no("the grant is for a key that is not offered yet") : ok(key);
}
