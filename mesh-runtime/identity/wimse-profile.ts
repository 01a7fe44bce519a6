import { header, meshPrefix } from "../foundation/headers.ts";

/*
 * Names and limits of the WIMSE profile, all in one place because the drafts still move. Written against
 * draft-ietf-wimse-workload-creds-02 and draft-ietf-wimse-http-signature-06 (over RFC 9421), and SPIFFE's
 * WIT-SVID of 2026-07.
 */

/** `typ` of a Workload Identity Token (workload-creds §3.1). */
export const witType = "wit+jwt";
/** Longest token that is looked at, characters; ours have about 600. */
export const maxWitLength = 4_096;
/** How far clocks may differ where a token's `exp` and `nbf` are judged, milliseconds (WIT-SVID §4: up to a couple of minutes). */
export const witLeewayMs = 60_000;
/** Longest life of a token, milliseconds: "minutes to hours" (WIT-SVID §4). */
export const maxWitLifetimeMs = 86_400_000;

/** The label we sign under. Labels carry no meaning (RFC 9421 §4.1): verifying goes by the tag. */
export const signatureLabel = "wimse";
/** `tag` of a request's proof (http-signature §3). */
export const signatureTag = "wimse-workload-to-workload";

/** How long a proof is valid, seconds. It is made for one attempt and used at once. */
export const proofValidityS = 30;
/** The longest validity that is accepted of others, seconds. */
export const maxProofValidityS = 60;
/** How far ahead of ours a signer's clock may be, milliseconds. */
export const proofSkewMs = 5_000;
/** How long any proof can still be valid when it arrives, milliseconds. */
export const longestProofMs = maxProofValidityS * 1_000 + proofSkewMs;
/** Longest nonce, characters. */
export const maxNonceLength = 64;
/** Longest header section that a proof is believed with, characters of names and values: what Cloudflare takes of a request (128 KB). */
export const maxHeadLength = 131_072;
/** Longest `Signature-Input` and `Signature` that are looked at, characters. */
export const maxSignatureInputLength = 4_096;
export const maxSignatureLength = 2_048;
/** Most components that one proof may cover. */
export const maxComponents = 64;

export const methodComponent = "@method";
export const targetComponent = "@request-target";

/**
 * Whether a request's header must be covered by the proof when it is there: those that http-signature §3
 * lists, and every header of the mesh's own but the one that only responses carry.
 */
export function mustBeCovered(name: string): boolean {
  switch (name) {
    case "content-type":
    case header.contentDigest:
    case "authorization":
    case "txn-token":
    case header.identityToken:
      return true;
    case header.circuits:
      return false;
    default:
      return name.startsWith(meshPrefix);
  }
}
