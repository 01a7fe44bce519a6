import { no, ok, type Result } from "../foundation/result.ts";
import { base64url, base64urlBytes, sha256Text } from "./bytes.ts";
import {
  agreed,
  type IssuedSessionKey,
  importSessionKeys,
  keyBytes,
  type SessionKey,
  x25519,
} from "./session-keys.ts";
import { openDocument } from "./signed-document.ts";

/*
 * A service's keys for sessions on their way over a network. Two things protect them, and neither does for the other: they
 * are sealed for a key of this one join, so that nobody on the way reads them, and the root key signs them, so that whoever
 * stands in for control cannot send some that he made himself: they decide whom an isolate believes.
 *
 * Sealed as HPKE's base mode is (RFC 9180 §5.1.1), with what WebCrypto has: an ephemeral X25519 half, HKDF-SHA-256 bound to
 * both halves and to the token that they come with, AES-256-GCM.
 */

/** `typ` of sealed keys, which the root key signs. */
export const sealedKeysType = "tulle-session-keys+jwt";
/** Longest document that is made, or looked at, characters: the keys of a day and more have about 9,000. */
export const maxSealedKeysLength = 16_384;

/** What the root key signs: exactly these. */
export interface SealedKeys {
  /** base64url SHA-256 of the token that the keys come with (as `wth` of WPT §3). */
  readonly wth: string;
  /** The sealing key of the join, as its text. */
  readonly sk: string;
  /** `v1.<ephemeral half>.<iv>.<ciphertext>`, each in base64url. */
  readonly sealed: string;
}

/**
 * Seals keys for a join.
 *
 * @param sealingKey as the join's proof of possession names it
 * @param wit the token that was issued to it
 * @returns undefined where that is no key to agree anything with (RFC 7748 §6.1)
 */
export async function sealKeys(
  keys: readonly IssuedSessionKey[],
  sealingKey: string,
  wit: string,
): Promise<SealedKeys | undefined> {
  const theirs = keyBytes(sealingKey);
  if (theirs === undefined) return undefined;
  const { publicKey, privateKey } = (await crypto.subtle.generateKey(x25519, false, [
    "deriveBits",
  ])) as CryptoKeyPair;
  const shared = await agreed(privateKey, theirs);
  if (shared === undefined) return undefined;
  const bound = { epk: await textOf(publicKey), sk: sealingKey, wth: await sha256Text(wit) };
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const text = new TextEncoder().encode(JSON.stringify(keys));
  const key = await sealFrom(shared, bound, "encrypt");
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt(gcm(iv, bound), key, text));
  const { epk, sk, wth } = bound;
  return { wth, sk, sealed: `v1.${epk}.${base64url(iv)}.${base64url(ciphertext)}` };
}

/** What opens the keys of one join, and of no other. */
export interface Opener {
  /** For the join request, and its proof of possession. */
  readonly sealingKey: string;
  /**
   * Verifies and opens what came with a token. Checks, in this order: size; type and signature; members of exactly our
   * form; that it is for this token and for this join; then the seal, and that there are keys in it.
   *
   * @param document as it came; it may be anything
   * @param roots the root keys that are believed
   */
  open(
    document: unknown,
    wit: string,
    roots: readonly CryptoKey[],
  ): Promise<Result<readonly SessionKey[], string>>;
}

export type MakeOpener = () => Promise<Opener>;

/**
 * Makes an opener for one join. Its private half cannot be exported, and ends with it.
 *
 * @throws where the runtime has no X25519
 */
export const makeOpener: MakeOpener = async () => {
  const { publicKey, privateKey } = (await crypto.subtle.generateKey(x25519, false, [
    "deriveBits",
  ])) as CryptoKeyPair;
  const sealingKey = await textOf(publicKey);
  return {
    sealingKey,
    async open(document, wit, roots) {
      if (typeof document !== "string") return no("sealed keys are a text");
      const opened = await openDocument<Partial<SealedKeys>>(
        document,
        sealedKeysType,
        roots,
        maxSealedKeysLength,
      );
      if (!opened.ok) return opened;
      const { wth, sk, sealed, ...more } = opened.value;
      if (typeof sealed !== "string" || Object.keys(more).length > 0)
        return no("sealed keys have exactly wth, sk and sealed");
      if (wth !== (await sha256Text(wit))) return no("the keys are for another token");
      if (sk !== sealingKey) return no("the keys are sealed for another key");
      const keys = await unsealed(sealed, privateKey, { sk, wth });
      return keys.length > 0 ? ok(keys) : no("the seal has no keys in it, or does not open");
    },
  };
};

const sealedForm = /^v1\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]+)$/;

async function unsealed(
  sealed: string,
  privateKey: CryptoKey,
  { sk, wth }: Pick<SealedKeys, "sk" | "wth">,
): Promise<readonly SessionKey[]> {
  const [, epk = "", iv = "", ciphertext = ""] = sealedForm.exec(sealed) ?? [];
  const theirs = keyBytes(epk);
  const shared = theirs && (await agreed(privateKey, theirs));
  if (shared === undefined) return [];
  const bound = { epk, sk, wth };
  try {
    const key = await sealFrom(shared, bound, "decrypt");
    const algorithm = gcm(base64urlBytes(iv), bound);
    const text = await crypto.subtle.decrypt(algorithm, key, base64urlBytes(ciphertext));
    return await importSessionKeys(JSON.parse(new TextDecoder().decode(text)));
  } catch {
    // The runtime and JSON.parse may quote what they read, secrets here; that nothing can be had of it is all that matters.
    return [];
  }
}

/** What a seal is bound to; each of 43 characters. */
type Bound = Pick<SealedKeys, "sk" | "wth"> & { readonly epk: string };

/** The key of one seal (HKDF, RFC 5869): for this purpose, these two halves and this token alone. */
async function sealFrom(
  shared: ArrayBuffer,
  { epk, sk, wth }: Bound,
  usage: "encrypt" | "decrypt",
): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const encoder = new TextEncoder();
  const salt = encoder.encode("tulle sealed session keys v1");
  const info = encoder.encode(`${epk} ${sk} ${wth}`);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info };
  return crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, [usage]);
}

const gcm = (iv: Uint8Array<ArrayBuffer>, { wth }: Bound) => ({
  name: "AES-GCM",
  iv,
  additionalData: new TextEncoder().encode(wth),
});

/** The public half as text. Some runtimes' types do not tell that "raw" gives bytes. */
const textOf = async (publicKey: CryptoKey): Promise<string> =>
  base64url(new Uint8Array((await crypto.subtle.exportKey("raw", publicKey)) as ArrayBuffer));
