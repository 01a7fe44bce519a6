import { no, ok, type Result } from "../foundation/result.ts";
import type { SpiffeId } from "./words.ts";

/** SPIFFE-ID §2.3: implementations support 2,048 bytes; nobody generates more. */
const maxLength = 2_048;
/** One class a segment and no nesting, so it cannot backtrack. */
const canonical = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/;
/** RFC 1123 label, as Kubernetes names namespaces and services. */
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Parses a SPIFFE ID, canonical form only: lower-case scheme and trust domain, no percent-encoding, port,
 * user, query or fragment, no empty, "." or ".." segment, no trailing "/". Since only one spelling parses,
 * comparing bytes compares identities (SPIFFE-ID §2; the spec lets parsers fold case, we refuse instead).
 *
 * @returns the ID, or what is required of one
 */
export function parseSpiffeId(text: string): Result<SpiffeId, string> {
  if (text.length > maxLength) return no(`a SPIFFE ID of at most ${maxLength} bytes`);
  const match = canonical.exec(text);
  if (match === null)
    return no(`a SPIFFE ID in canonical form, such as "spiffe://example.org/ns/default/sa/web"`);
  const [, trustDomain = "", path = ""] = match;
  for (const segment of path.split("/")) {
    if (segment === "." || segment === "..") return no(`a SPIFFE ID without "." or ".." segments`);
  }
  return ok({ trustDomain, path, uri: text });
}

/** Whether a text is a trust domain: what may stand between `spiffe://` and the path. */
export function isTrustDomain(text: string): boolean {
  const id = parseSpiffeId(`spiffe://${text}`);
  return id.ok && id.value.path === "";
}

/** Whether a namespace or service may be called so: an RFC 1123 label of 1 to 63 characters. */
export const isWorkloadName = (text: string): boolean => label.test(text);

/**
 * The ID of a workload: `spiffe://<trust domain>/ns/<namespace>/sa/<service>`.
 *
 * @throws TypeError when a part is not valid; callers take names from parsed policy, or check them first
 */
export function workloadId(trustDomain: string, namespace: string, service: string): SpiffeId {
  const parsed = parseSpiffeId(`spiffe://${trustDomain}/ns/${namespace}/sa/${service}`);
  if (!parsed.ok || !isWorkloadName(namespace) || !isWorkloadName(service)) {
    throw new TypeError("Cannot name a workload: namespace and service must be RFC 1123 labels");
  }
  return parsed.value;
}

/** Namespace and service of a workload's ID; undefined for an ID of any other form. */
export function workloadOf(id: SpiffeId): { namespace: string; service: string } | undefined {
  const [empty, ns, namespace = "", sa, service = "", ...more] = id.path.split("/");
  if (empty !== "" || ns !== "ns" || sa !== "sa" || more.length > 0) return undefined;
  return isWorkloadName(namespace) && isWorkloadName(service) ? { namespace, service } : undefined;
}
