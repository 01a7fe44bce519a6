import { maxSealedKeysLength, sealedKeysType, sealKeys } from "@tulle/mesh-runtime/identity/sealed-keys.ts";
import { signDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import type { AdmitRequest, Admitted } from "./admission.ts";
import { type Drawing, sessionKeysFor } from "./session-keys.ts";
import type { SigningKey } from "./signing-ring.ts";

/**
 * The keys for sessions of a service, as who was admitted gets them: over a binding as they are, since that is no network;
 * else sealed for the key of the request and signed by the root key, and none to who has brought no such key. Never fails:
 * nobody is kept out of the mesh for want of these.
 *
 * @param wit the token that was issued
 */
export async function handedKeys(
  { evidence, sealingKey, spiffeId }: AdmitRequest,
  wit: string,
  drawing: Drawing,
  root: SigningKey,
): Promise<Pick<Admitted, "sessionKeys" | "sealedSessionKeys">> {
  const isBound = evidence.attestor === "binding";
  if (!isBound && sealingKey === undefined) return {};
  try {
    const keys = await sessionKeysFor(spiffeId.uri, drawing);
    if (isBound) return { sessionKeys: keys };
    const sealed = sealingKey && (await sealKeys(keys, sealingKey, wit));
    if (!sealed) return {};
    const signed = await signDocument(sealed, sealedKeysType, root.kid, root.privateKey);
    return signed.length > maxSealedKeysLength ? {} : { sealedSessionKeys: signed };
  } catch (error) {
    // Without keys callers sign each request, and nothing else fails. The name alone: a message may quote what it was about.
    const why = error instanceof Error ? error.name : typeof error;
    console.warn(`control: no keys for sessions could be handed to ${spiffeId.uri}: ${why}`);
    return {};
  }
}
