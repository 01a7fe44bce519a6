import { witType } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import type { PublicJwk, SpiffeId } from "@tulle/mesh-runtime/identity/words.ts";

/** What a Workload Identity Token is made of. */
export interface WitRequest {
  readonly spiffeId: SpiffeId;
  /** The workload's key, parsed; its possession has been proved. */
  readonly publicJwk: PublicJwk;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** How long the token lives, milliseconds; whole seconds of it count. */
  readonly ttlMs: number;
  /** At least 128 bits of randomness. */
  readonly jti: string;
  /** A URI that says who issued it; for people and logs, since keys are never looked up by it. */
  readonly issuer: string;
}

/** Claims of a Workload Identity Token that is also a WIT-SVID (WIMSE workload-creds §3.1, SPIFFE WIT-SVID §3). */
export interface WitClaims {
  readonly iss: string;
  readonly sub: string;
  /** Seconds since the Unix epoch. */
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
  readonly jti: string;
  readonly cnf: { readonly jwk: PublicJwk };
}

/** How long before its issue a token is already valid, seconds: verifiers' clocks may be behind the issuer's. */
const backdateS = 60;

/**
 * The claims of a token. There is no `aud`, because a token that is bound to a key is for everybody, and
 * WIT-SVID forbids one; and no role or right, because the token says who somebody is and policy says the rest.
 */
export function composeWit({ spiffeId, publicJwk, now, ttlMs, jti, issuer }: WitRequest): WitClaims {
  const iat = Math.floor(now / 1_000);
  const { kty, crv, x, y, alg } = publicJwk;
  return {
    iss: issuer,
    sub: spiffeId.uri,
    iat,
    nbf: iat - backdateS,
    exp: iat + Math.floor(ttlMs / 1_000),
    jti,
    // Member by member: whatever else came with the key stays outside.
    cnf: { jwk: { kty, crv, x, y, alg } },
  };
}

/** The protected header of a token: these three members and no others. */
export const witHeader = (
  kid: string,
): { readonly alg: "ES256"; readonly typ: string; readonly kid: string } => ({
  alg: "ES256",
  typ: witType,
  kid,
});
