import { CompactSign } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import {
  credentialFrom,
  generateKeys,
  jwkThumbprint,
  provePossession,
  renewalDue,
  verifyPossession,
} from "../../../mesh-runtime/identity/credential.ts";
import { caller, makeWit, makeWorld, now, nowS, rawJws, value, type World } from "./fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

describe("generateKeys()", () => {
  test("makes a private key that cannot leave and a public one for cnf", async () => {
    const { privateKey, publicJwk } = await generateKeys();
    expect(privateKey).toMatchObject({ type: "private", extractable: false, usages: ["sign"] });
    await expect(crypto.subtle.exportKey("jwk", privateKey)).rejects.toThrow();
    expect(Object.keys(publicJwk).toSorted()).toEqual(["alg", "crv", "kty", "x", "y"]);
  });
});

describe("possession", () => {
  const made = { workload: "default/web", trustDomain: "example.org", now, jti: "j-1" };
  const expected = { workload: "default/web", trustDomain: "example.org", now };
  const prove = (changed: object = {}) => provePossession({ ...world.keys, ...made, ...changed });
  const isProved = async (jws: string, changed: object = {}) =>
    (await verifyPossession(jws, world.keys.publicJwk, { ...expected, ...changed })).ok;

  test("is shown to the issuer by the key itself", async () => {
    expect(await verifyPossession(await prove(), { ...world.keys.publicJwk, ext: true }, expected)).toEqual({
      ok: true,
      value: {
        publicJwk: world.keys.publicJwk,
        thumbprint: await jwkThumbprint(world.keys.publicJwk),
        jti: "j-1",
      },
    });
  });

  test("may be shown before the trust domain is known", async () => {
    expect(await isProved(await prove({ trustDomain: undefined }))).toBe(true);
  });

  test("binds the join token, and speaks of none where there is none", async () => {
    const withToken = await prove({ joinToken: "token-1" });
    expect(await isProved(withToken, { joinToken: "token-1" })).toBe(true);
    expect(await isProved(withToken, { joinToken: "token-2" })).toBe(false);
    expect(await isProved(withToken)).toBe(false);
    expect(await isProved(await prove(), { joinToken: "token-1" })).toBe(false);
    expect(withToken).not.toContain("token-1");
  });

  test.each([
    ["for another workload", {}, { workload: "default/payments" }],
    ["for another mesh's issuer", { trustDomain: "example.com" }, {}],
    ["made more than a minute ago", { now: now - 61_000 }, {}],
    ["made more than a minute ahead", { now: now + 61_000 }, {}],
    ["without a name of its own", { jti: "" }, {}],
  ])("is not shown by a proof %s", async (_, changed, wanted) => {
    expect(await isProved(await prove(changed), wanted)).toBe(false);
  });

  test("is not shown by another key, whatever the header says", async () => {
    const other = await generateKeys();
    const jws = await provePossession({ ...other, ...made });
    expect(await isProved(jws)).toBe(false);
    const header = JSON.stringify({ alg: "ES256", typ: "tulle-pop+jwt", jwk: other.publicJwk });
    const claims = JSON.stringify({ aud: "/issuer", iat: nowS, jti: "j", sub: "default/web" });
    expect(await isProved(await rawJws(header, claims, other))).toBe(false);
    expect(await isProved(await rawJws(header, claims, world.keys))).toBe(true);
  });

  test.each([
    ["a token's type", `{"alg":"ES256","typ":"wit+jwt"}`],
    ["no type", `{"alg":"ES256"}`],
    ["alg none", `{"alg":"none","typ":"tulle-pop+jwt"}`],
  ])("is not shown by a JWS with %s", async (_, header) => {
    const claims = JSON.stringify({ aud: "/issuer", iat: nowS, jti: "j", sub: "default/web" });
    expect(await isProved(await rawJws(header, claims, world.keys))).toBe(false);
  });

  test("is not shown for a key with its private half, or by something too long", async () => {
    const jws = await prove();
    expect((await verifyPossession(jws, { ...world.keys.publicJwk, d: "AAAA" }, expected)).ok).toBe(false);
    expect((await verifyPossession(jws, undefined, expected)).ok).toBe(false);
    expect(
      await isProved(await prove({ workload: "a".repeat(2_048) }), { workload: "a".repeat(2_048) }),
    ).toBe(false);
  });
});

describe("credentialFrom()", () => {
  test("reads name and life, and draws the time of renewal around half of it", async () => {
    const wit = await makeWit(world);
    const drawn = (random: number) => value(credentialFrom(wit, world.keys, now, () => random));
    expect(drawn(0.5)).toMatchObject({
      id: { uri: caller },
      wit,
      issuedAt: now,
      expiresAt: now + 3_600_000,
      renewAt: now + 1_800_000,
    });
    expect(drawn(0).renewAt).toBe(now + 1_620_000);
    expect(drawn(0.999_999).renewAt).toBeCloseTo(now + 1_980_000, -1);
    expect(renewalDue(drawn(0), now + 1_619_999)).toBe(false);
    expect(renewalDue(drawn(0), now + 1_620_000)).toBe(true);
  });

  test.each([
    ["that is for another key", { cnf: { jwk: undefined } }],
    ["without a name", { sub: undefined }],
    ["with a name that is none", { sub: "web" }],
    ["without its time of issue", { iat: undefined }],
    ["without an end", { exp: undefined }],
    ["that has expired", { iat: nowS - 60, exp: nowS }],
    ["that ends before it begins", { iat: nowS + 60, exp: nowS + 30 }],
  ])("refuses a token %s", async (_, claims) => {
    expect(credentialFrom(await makeWit(world, claims), world.keys, now, () => 0.5).ok).toBe(false);
  });

  test("refuses a token for another isolate's key, and what is no token", async () => {
    const other = await generateKeys();
    expect(credentialFrom(await makeWit(world), other, now, () => 0.5).ok).toBe(false);
    for (const text of ["", "a.b.c", "{}", "a".repeat(5_000)]) {
      expect(credentialFrom(text, world.keys, now, () => 0.5).ok).toBe(false);
    }
    const list = await new CompactSign(new TextEncoder().encode("[]"))
      .setProtectedHeader({ alg: "ES256" })
      .sign(world.issuer.privateKey);
    expect(credentialFrom(list, world.keys, now, () => 0.5).ok).toBe(false);
  });
});
