import type { ColdStart } from "../../index.ts";
import { type MeshBindings, pinnedRoots } from "./bindings.ts";

/**
 * What KV holds for this workload, for an isolate that starts while control is down. Only with a pinned
 * root key: without one, whoever can write to KV could name any key as the root.
 */
export async function coldStart(bindings: MeshBindings): Promise<ColdStart | undefined> {
  const { TULLE_KV: kv, TULLE_WORKLOAD: workload } = bindings;
  const roots = pinnedRoots(bindings);
  const isPinned = roots.ok && roots.value !== undefined;
  if (kv === undefined || !isPinned || workload === undefined) return undefined;
  const [bundle, head] = await Promise.all([kv.get("bundle"), kv.get(`heads/${workload}`)]);
  if (bundle === null || head === null) return undefined;
  const digest = claimedDigest(head);
  const snapshot = digest === undefined ? null : await kv.get(`snapshots/${digest}`, { cacheTtl: 86_400 });
  return snapshot === null ? undefined : { bundle, head, snapshot };
}

/** The digest that a head names, read before its signature is verified: used only to know which key to read. */
function claimedDigest(head: string): string | undefined {
  const [, payload = ""] = head.split(".");
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    const digest = (claims as { digest?: unknown } | null)?.digest;
    return typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
  } catch {
    // Not a JWS: the caller treats it as nothing found, and verification would have refused it.
    return undefined;
  }
}
