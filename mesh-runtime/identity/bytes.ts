/** Base64 with padding (RFC 4648 §4), as structured fields write byte sequences. */
export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode.apply(null, bytes as unknown as number[]));
}

/** Base64url without padding (RFC 4648 §5), as JOSE writes everything. For short values: keys, hashes. */
export function base64url(bytes: Uint8Array): string {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** SHA-256 of bytes. */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  // The type admits shared memory, which no body and no encoder of ours ever is.
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** SHA-256 of a text's UTF-8 bytes, base64url: `jkt`, `th` and the like. */
export async function sha256Text(text: string): Promise<string> {
  return base64url(await sha256(new TextEncoder().encode(text)));
}

/**
 * The bytes of base64url without padding.
 * @param text of base64url characters alone, which the caller has made sure of
 */
export function base64urlBytes(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
