import { headLifeS } from "@tulle/mesh-runtime/policy/snapshot.ts";
import type { HeadRow } from "./shelf.ts";

/** Heads are signed anew at half of their life, milliseconds: KV then holds one that lasts for days at any time. */
const renewHeadsMs = (headLifeS * 1_000) / 2;

/**
 * Whether a head is to be signed: it never was, has used up half of its life, or a former root key signed it.
 * @param rootKid of the root key in use, where it is known
 */
export const isDue = ({ signed, signedUntil, signedBy }: HeadRow, now: number, rootKid?: string): boolean =>
  signed === undefined ||
  signedUntil - now <= renewHeadsMs ||
  (rootKid !== undefined && signedBy !== rootKid);
