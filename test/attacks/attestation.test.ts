import { CompactSign } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { serviceOfProps } from "../../control/service-key.ts";
import {
  generateKeys,
  type PossessionExpected,
  provePossession,
  verifyPossession,
  type WorkloadKeys,
} from "../../mesh-runtime/identity/credential.ts";
import { now, nowS, rawJws } from "../unit/identity/fixture.ts";

/*
 * What an attacker tries at the door of the issuer, as far as it is judgement. What takes an issuer with its memory
 * (tokens that are taken at once, proofs that are used twice) is in `test/control`, where there is one.
 */

let keys: WorkloadKeys;
let thief: WorkloadKeys;
beforeAll(async () => {
  [keys, thief] = await Promise.all([generateKeys(), generateKeys()]);
});

describe("71: an attacker with a binding of its own", () => {
  test.each<readonly [string, object]>([
    ["no props", {}],
    ["props of a prototype", Object.create({ service: "payments", namespace: "default" })],
    ["props called as a prototype's", JSON.parse('{"__proto__":{"service":"payments"}}')],
    ["a list", ["payments"]],
    ["a list for a name", { service: ["payments"] }],
    ["a number", { service: 1 }],
    ["an object with a text", { service: { toString: () => "payments" } }],
    ["an empty name", { service: "" }],
    ["a name with a slash", { service: "x/payments" }],
    ["a way up", { service: "../default/payments" }],
    ["a wildcard", { service: "*" }],
    ["capitals", { service: "Payments" }],
    ["a blank behind", { service: "payments " }],
    ["a line feed", { service: "payments\n" }],
    ["a letter that looks alike", { service: "p\u0430yments" }],
    ["64 characters", { service: "a".repeat(64) }],
    ["a namespace that is none", { service: "payments", namespace: "a/b" }],
    ["null for a namespace", { service: "payments", namespace: null }],
  ])("is nobody with %s", (_, props) => {
    expect(serviceOfProps(props)).toBeUndefined();
  });

  test("is what its props say, as one whole name", () => {
    expect(serviceOfProps({ service: "payments" })).toBe("default/payments");
    expect(serviceOfProps({ service: "pay", namespace: "prod" })).toBe("prod/pay");
  });
});

describe("74: an attacker with another's proof of possession", () => {
  const expected: PossessionExpected = { trustDomain: "example.org", workload: "default/web", now };
  const proof = (changed: Readonly<Record<string, unknown>> = {}): Promise<string> =>
    provePossession({
      workload: "default/web",
      trustDomain: "example.org",
      now,
      jti: "j",
      ...keys,
      ...changed,
    });
  const judged = async (
    jws: string,
    jwk: unknown = keys.publicJwk,
    changed: Partial<PossessionExpected> = {},
  ) => (await verifyPossession(jws, jwk, { ...expected, ...changed })).ok;

  test("whoever holds the key is believed, once it says for whom, where and when", async () => {
    expect(await judged(await proof())).toBe(true);
  });

  test.each<
    readonly [
      string,
      () => Promise<readonly [jws: string, jwk?: unknown, changed?: Partial<PossessionExpected>]>,
    ]
  >([
    ["its own key under it", async () => [await proof(), thief.publicJwk]],
    ["a proof by its own key for another's", async () => [await proof({ privateKey: thief.privateKey })]],
    ["a proof of two minutes ago", async () => [await proof({ now: now - 120_000 })]],
    ["a proof for later", async () => [await proof({ now: now + 120_000 })]],
    ["a proof for another workload", async () => [await proof({ workload: "default/pay" })]],
    ["a proof for one whose name begins alike", async () => [await proof({ workload: "default/web2" })]],
    ["a proof for another issuer", async () => [await proof({ trustDomain: "other.org" })]],
    [
      "a proof for another join token",
      async () => [await proof({ joinToken: "a" }), keys.publicJwk, { joinToken: "b" }],
    ],
    [
      "a proof that speaks of no token, and a token",
      async () => [await proof(), keys.publicJwk, { joinToken: "a" }],
    ],
    ["a proof that speaks of a token, and none", async () => [await proof({ joinToken: "a" })]],
    ["a proof without jti", async () => [await proof({ jti: "" })]],
    ["a key with its private half", async () => [await proof(), { ...keys.publicJwk, d: "A".repeat(43) }]],
    ["a symmetric key", async () => [await proof(), { kty: "oct", k: "AAAA", alg: "HS256" }]],
    ["a key off the curve", async () => [await proof(), { ...keys.publicJwk, x: "A".repeat(43) }]],
    ["no key", async () => [await proof(), null]],
    ["nothing", async () => [""]],
    ["3 KB", async () => [`${await proof()}${"A".repeat(3_000)}`]],
    [
      "a token for a proof",
      async () => [
        await new CompactSign(
          new TextEncoder().encode(
            JSON.stringify({ sub: "default/web", aud: "example.org/issuer", iat: nowS, jti: "j" }),
          ),
        )
          .setProtectedHeader({ alg: "ES256", typ: "wit+jwt" })
          .sign(keys.privateKey),
      ],
    ],
    [
      "alg none",
      async () => [
        await rawJws(
          '{"alg":"none","typ":"tulle-pop+jwt"}',
          '{"sub":"default/web","aud":"example.org/issuer"}',
          keys,
        ),
      ],
    ],
  ])("has no use for %s", async (_, make) => {
    expect(await judged(...(await make()))).toBe(false);
  });
});
