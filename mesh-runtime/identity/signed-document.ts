import { CompactSign, compactVerify, decodeProtectedHeader } from "jose";
import { no, ok, type Result } from "../foundation/result.ts";

/** The largest document that is looked at, where nobody says otherwise, characters. */
const maxDocumentLength = 262_144;

/**
 * Signs a document with the mesh's root key: compact JWS, ES256. KV carries heads and bundles, and whoever
 * can write KV must not be able to change them; neither SPIFFE nor WIMSE signs a bundle itself.
 *
 * @param typ what the document is, such as `tulle-head+jwt`; a signature for one kind never opens another
 */
export function signDocument(
  payload: object,
  typ: string,
  kid: string,
  privateKey: CryptoKey,
): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: "ES256", typ, kid })
    .sign(privateKey);
}

/**
 * Opens a document that was signed by a root key. The keys, two while the root rolls, are given, never found by anything in the
 * header; `typ` must be exactly the expected one (RFC 8725 §3.11) and `alg` ES256.
 *
 * @returns the payload as it was signed, its shape unchecked, or why it cannot be trusted
 */
export async function openDocument<Payload extends object>(
  jws: string,
  typ: string,
  rootKeys: CryptoKey | readonly CryptoKey[],
  maxLength = maxDocumentLength,
): Promise<Result<Payload, string>> {
  if (jws.length > maxLength) return no(`a document of at most ${maxLength} characters is required`);
  if ("type" in rootKeys) return openWith<Payload>(jws, typ, rootKeys);
  let opened: Result<Payload, string> = no("there is no root key");
  for (const key of rootKeys) {
    opened = await openWith<Payload>(jws, typ, key);
    if (opened.ok) return opened;
  }
  return opened;
}

async function openWith<Payload extends object>(
  jws: string,
  typ: string,
  rootKey: CryptoKey,
): Promise<Result<Payload, string>> {
  try {
    const header = decodeProtectedHeader(jws);
    if (header.typ !== typ) return no(`a document of type ${typ} is required`);
    const { payload } = await compactVerify(jws, rootKey, { algorithms: ["ES256"] });
    const value: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return no("its payload is not an object");
    return ok(value as Payload);
  } catch {
    // jose and JSON.parse quote what they read; whatever they say, it is not a document of this root.
    return no("the root key did not sign it");
  }
}
