import { no, ok, type Result } from "../foundation/result.ts";
import { base64, sha256 } from "./bytes.ts";

/** Longest `Content-Digest` that is looked at, characters: sha-256 and sha-512 with room to spare. */
const maxLength = 512;
/** One dictionary member that is a byte sequence without parameters (RFC 8941 §3.2, §3.3.5). */
const member =
  /^[ \t]*([a-z*][a-z0-9_.*-]{0,31})=:((?:[A-Za-z0-9+/]{4}){0,43}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?):[ \t]*$/;

/** The `Content-Digest` of a body, sha-256 (RFC 9530 §2). */
export async function contentDigest(body: Uint8Array): Promise<string> {
  return `sha-256=:${base64(await sha256(body))}:`;
}

/** The `Content-Digest` of no bytes at all. */
export const digestOfNothing = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

/**
 * Reads a `Content-Digest` strictly: every member a byte sequence without parameters, no algorithm twice
 * (RFC 8941 would let the last one win, and two readers could then disagree), and sha-256 among them. Other
 * algorithms beside it are not looked at; alone they are refused, the deprecated ones (RFC 9530 §6) and sha-512 alike.
 *
 * @returns the sha-256 member, base64
 */
export function parseContentDigest(value: string): Result<string, string> {
  if (value.length > maxLength) return no(`Content-Digest is longer than ${maxLength} characters`);
  const members = new Map<string, string>();
  for (const part of value.split(",")) {
    const match = member.exec(part);
    if (match === null) return no("Content-Digest is not a dictionary of byte sequences");
    const [, algorithm = "", digest = ""] = match;
    if (members.has(algorithm)) return no("Content-Digest names an algorithm twice");
    members.set(algorithm, digest);
  }
  const digest = members.get("sha-256");
  return digest === undefined ? no("Content-Digest has no sha-256") : ok(digest);
}

/** Whether a body is the one that a `Content-Digest` speaks of; the reason why not, or undefined. */
export async function mismatch(value: string, body: Uint8Array): Promise<string | undefined> {
  const stated = parseContentDigest(value);
  if (!stated.ok) return stated.reason;
  // Texts, not bytes: so a second spelling of the same bytes (spare bits set, padding left out) is refused.
  return stated.value === base64(await sha256(body))
    ? undefined
    : "the body is not the one of Content-Digest";
}
