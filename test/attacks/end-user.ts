import { base64url, CompactSign } from "jose";
import { expect } from "vitest";
import { makeWorld, now } from "../unit/identity/fixture.ts";
import { honest, issuer, issuerKey, keySetOf, keysUrl } from "../unit/identity/users.ts";
import { allowAll, policy, service } from "../unit/policy/writing.ts";
import { type Isolate, isolate, loadedPolicy, type Seen } from "./journey.ts";

/*
 * End users as an attacker plays them, against a worker of STRICT policy with real keys: every forged, stolen or
 * misplaced token is refused, and nothing of it comes to the application.
 */

/** Another issuer, whose tokens are believed in one header. */
export const other = "https://other.example.com";
const otherKeys = "https://other.example.com/keys";
/** What the worker is told of its users. */
export const documents = [
  service("web", "{evidence: binding}"),
  service("payments", "{evidence: binding}"),
  policy("MeshConfig", "mesh", "{trustDomain: example.org}"),
  allowAll(),
  policy(
    "RequestAuthentication",
    "users",
    `{targetRefs: [{kind: Service, name: payments}], jwtRules: [
      {issuer: "${issuer}", audiences: [shop], jwksUri: "${keysUrl}",
       fromHeaders: [{name: authorization, prefix: "Bearer "}, {name: x-token}], fromCookies: [session], fromParams: [access_token],
       outputClaimToHeaders: [{header: x-user, claim: sub}, {header: x-admin, claim: admin}, {header: x-name, claim: name}],
       outputPayloadToHeader: x-payload},
      {issuer: "${other}", jwksUri: "${otherKeys}", fromHeaders: [{name: x-other}]}]}`,
  ),
];

/** Whom the isolate believes among workloads, and the keys of issuers: `stolen` has the `kid` of `key`, and is another. */
export const [world, key, rsa, foreign, stolen] = await Promise.all([
  makeWorld(),
  issuerKey("k1"),
  issuerKey("k2", "RS256"),
  issuerKey("k3"),
  issuerKey("k1"),
]);

/** The worker, anew. */
export async function payments(): Promise<Isolate> {
  const loaded = await loadedPolicy((snapshot) => snapshot, documents);
  const there = isolate(loaded, () => world.bundle);
  there.users.servers.answer(keysUrl, keySetOf(key, rsa));
  there.users.servers.answer(otherKeys, keySetOf(foreign));
  return there;
}

/** Who calls it, as the binding tells. */
export const caller = { service: "web", namespace: "default" };

/** What becomes of a request with these headers. */
export async function tried(
  headers: HeadersInit,
  path = "/charge",
  there?: Isolate,
  at = now,
): Promise<Seen> {
  const request = new Request(`https://payments${path}`, { headers });
  return (there ?? (await payments())).arrive(request, at, caller);
}

/** The header that carries a token. */
export const bearing = (text: string): HeadersInit => ({ authorization: `Bearer ${text}` });

/** 401, and the application not called. */
export function expectRefused(seen: Seen, error = "invalid_token"): void {
  expect([seen.status, seen.problem]).toEqual([401, "invalid-token"]);
  expect(seen.headers.get("www-authenticate")).toBe(`Bearer realm="tulle", error="${error}"`);
  expect(seen.handled).toBeUndefined();
  expect(JSON.parse(seen.body)).toEqual({
    type: "https://tulle.dev/problems/invalid-token",
    title: "The token of the end user is not valid",
    status: 401,
  });
}

/** A token with a header and a signature of the attacker's choice. */
export const handmade = (header: object, claims: object = honest, signature = "AAAA"): string =>
  [JSON.stringify(header), JSON.stringify(claims)]
    .map((part) => base64url.encode(part))
    .concat(signature)
    .join(".");

/** The honest claims under a MAC. */
export const withSecret = async (secret: Uint8Array, kid: string): Promise<string> =>
  new CompactSign(new TextEncoder().encode(JSON.stringify(honest)))
    .setProtectedHeader({ alg: "HS256", kid })
    .sign(secret);
