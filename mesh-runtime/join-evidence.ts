import { jwkThumbprint, provePossession, type WorkloadKeys } from "./identity/credential.ts";
import type { JoinRequest } from "./workload-contract.ts";

/** What a join is made of, apart from who makes it. */
export interface JoinEvidence extends WorkloadKeys {
  readonly workload: string;
  readonly trustDomain: string | undefined;
  /** A one-time join token, if one is still to be used. */
  readonly joinToken: string | undefined;
  /** What the platform says of the new key, if it vouches for this process. */
  readonly idToken: string | undefined;
  /** What keys for sessions are to be sealed for, where the answer comes over a network. */
  readonly sealingKey?: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly jti: string;
}

type Shown = Pick<
  JoinRequest,
  "publicJwk" | "possession" | "workload" | "joinToken" | "idToken" | "sealingKey"
>;

/** The evidence as a join request carries it: one token at most, and a proof of possession that binds it, and the sealing key. */
export async function evidence(of: JoinEvidence): Promise<Shown> {
  const { joinToken, idToken, sealingKey, publicJwk, workload, ...rest } = of;
  const token = idToken ?? joinToken;
  const bound = token === undefined ? {} : { joinToken: token };
  const sealing = sealingKey === undefined ? {} : { sealingKey };
  const possession = await provePossession({ ...rest, publicJwk, workload, ...bound, ...sealing });
  return { publicJwk, possession, workload, ...(idToken === undefined ? bound : { idToken }), ...sealing };
}

/**
 * Has the platform vouch for a new key, where it can.
 *
 * @throws what the platform throws, and an Error where it says nothing
 */
export async function vouched(
  attest: ((thumbprint: string) => Promise<string>) | undefined,
  { publicJwk }: WorkloadKeys,
): Promise<{ readonly idToken: string | undefined }> {
  return { idToken: attest && (await attest(await jwkThumbprint(publicJwk))) };
}
