import { decodeJwt, decodeProtectedHeader } from "jose";
import {
  boundKey,
  bundleFor,
  type Claims,
  inForce,
  lifetime,
  openedWith,
  shape,
  signingKey,
  subject,
  unrevoked,
  type VerifiedWit,
  withoutAudience,
} from "../svid.ts";
import type { TrustBundle } from "../trust-bundle.ts";
import { type Findings, stated, timeText } from "./findings.ts";

/** The checks of `verifyWit`, in its order. Undefined where one fails. */
export async function tellToken(
  findings: Findings,
  wit: string,
  trusted: TrustBundle,
  now: number,
): Promise<VerifiedWit | undefined> {
  const bundle = bundleFor(wit, trusted);
  const shaped = shape(wit);
  findings.tellResult("token: form", "RFC 7515 §3.1", [], shaped);
  const current = inForce(bundle, now);
  findings.tellResult(
    "trust bundle",
    "SPIFFE Trust Domain and Bundle §4",
    bundleText(bundle, trusted, now),
    current,
  );
  const key = signingKey(wit, bundle);
  const isOurs = key.ok || key.reason.outdated === true;
  findings.tellResult("token: header", "WIT-SVID §3; RFC 8725 §3.1", headerText(wit), isOurs ? passed : key);
  findings.tellResult("token: signing key", "WIT-SVID §6", [], key);
  const opened = key.ok ? await openedWith(key.value, wit) : undefined;
  findings.tellResult("token: signature", "RFC 7515 §5.2", [], opened);

  // What nobody signed is told all the same, and said to be so: it shows who the caller wants to be.
  const claims: Claims = opened?.ok ? opened.value : unverified(wit);
  const mark = opened?.ok ? "" : " (not verified)";
  const id = subject(claims, bundle);
  findings.tellResult("token: subject", "SPIFFE-ID §2", [`sub ${stated(claims.sub)}${mark}`], id);
  const bound = withoutAudience(claims);
  findings.tellResult("token: no audience", "WIT-SVID §3", [], bound);
  const life = lifetime(claims, now);
  findings.tellResult("token: lifetime", "WIT-SVID §4", lifeText(claims, now), life);
  const proof = await boundKey(claims);
  const thumbprint = proof.ok ? [`thumbprint ${proof.value.thumbprint}${mark}`] : [];
  findings.tellResult("token: bound key", "RFC 7800; WIMSE workload-creds §3.1", thumbprint, proof);
  const listed = id.ok && proof.ok ? unrevoked(claims, id.value, proof.value.thumbprint, bundle) : undefined;
  findings.tellResult("token: not revoked", "", [`jti ${stated(claims.jti)}${mark}`], listed);

  if (!shaped.ok || !current.ok || !opened?.ok || !id.ok || !bound.ok) return undefined;
  if (!life.ok || !proof.ok || !listed?.ok) return undefined;
  return { id: id.value, ...proof.value, expiresAt: life.value };
}

const passed = { ok: true, value: undefined } as const;

function bundleText(
  { trustDomain, keys }: TrustBundle,
  trusted: TrustBundle,
  now: number,
): readonly string[] {
  const { sequence, expiresAt, federated } = trusted;
  const others = [trusted.trustDomain, ...(federated?.keys() ?? [])].filter((each) => each !== trustDomain);
  const names = [...keys.keys()].map(stated).join(", ");
  return [
    `${trustDomain}${others.length === 0 ? "" : ` (there are ${others.join(", ")}, too)`}, sequence ${sequence}`,
    timeText("valid until", expiresAt, now),
    keys.size === 0 ? "no keys: everything is revoked" : `keys ${names}`,
  ];
}

function headerText(wit: string): readonly string[] {
  try {
    return Object.entries(decodeProtectedHeader(wit)).map(
      ([name, value]) => `${stated(name)} ${stated(value)}`,
    );
  } catch {
    // No header that anybody could read; the check itself says so.
    return [];
  }
}

function unverified(wit: string): Claims {
  try {
    return decodeJwt(wit);
  } catch {
    // No claims that anybody could read; an earlier check has said so.
    return {};
  }
}

const lifeText = ({ iat, nbf, exp }: Claims, now: number): readonly string[] =>
  Object.entries({ issued: iat, "valid from": nbf, expires: exp }).flatMap(([what, value]) => {
    if (value === undefined) return [];
    return [typeof value === "number" ? timeText(what, value * 1_000, now) : `${what} ${stated(value)}`];
  });
