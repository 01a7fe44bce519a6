/*
 * Names and limits of session proofs, a profile of our own over RFC 9421: one signature by the workload's key vouches for
 * a key agreement (the grant), and a MAC under the agreed key proves each request. Neither WIMSE nor SPIFFE defines a MAC
 * proof; WIT-SVID §5 admits one that is rooted in the token's key.
 */

/** `tag` of a request's proof by session. */
export const sessionTag = "tulle-session-v1";
/** `typ` of a grant. */
export const grantType = "tulle-session+jwt";
/** How long a session lives, seconds; longer ones are refused. */
export const grantLifeS = 600;
/** Longest grant that is looked at, characters; ours have about 560, more with long names. */
export const maxGrantLength = 3_072;
/** Bytes of a MAC: HMAC-SHA-256 (RFC 9421 §3.3.3). */
export const macBytes = 32;

/** How long one key of a service is offered to callers, milliseconds. */
export const keyEpochMs = 3_600_000;
/** How long after that grants for it are taken: one that was heard of in the last minute, and a session's life. */
export const keyLingerMs = grantLifeS * 1_000 + 60_000;
/** How much earlier grants for it are taken, because clocks differ. */
export const keyLeadMs = 60_000;
