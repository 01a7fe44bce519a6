import { CompactSign } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { composeWit, type WitClaims, type WitRequest, witHeader } from "../../../control/issuer/compose.ts";
import { inspectWit, type WitExpected } from "../../../control/issuer/inspect.ts";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import { workloadId } from "../../../mesh-runtime/identity/spiffe-id.ts";
import { verifyWit } from "../../../mesh-runtime/identity/svid.ts";
import { makeWorld, now, nowS, value, type World } from "../identity/fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const spiffeId = workloadId("example.org", "default", "web");
const request = (): WitRequest => ({
  spiffeId,
  publicJwk: world.keys.publicJwk,
  now: now + 999,
  ttlMs: 3_600_000,
  jti: "AAAAAAAAAAAAAAAAAAAAAA",
  issuer: "spiffe://example.org",
});
const expected = (): WitExpected => ({
  trustDomain: "example.org",
  spiffeId,
  publicJwk: world.keys.publicJwk,
  maxTtlMs: 3_600_000,
  now: now + 999,
  signer: { kid: "issuer-1", publicJwk: world.issuer.publicJwk },
});

const sign = (claims: object, header: object = witHeader("issuer-1"), by = world.issuer) =>
  new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: "ES256", ...header })
    .sign(by.privateKey);

describe("composeWit()", () => {
  test("says who, by which key and how long, and nothing else", () => {
    expect(composeWit(request())).toEqual({
      iss: "spiffe://example.org",
      sub: "spiffe://example.org/ns/default/sa/web",
      iat: nowS,
      nbf: nowS - 60,
      exp: nowS + 3_600,
      jti: "AAAAAAAAAAAAAAAAAAAAAA",
      cnf: { jwk: world.keys.publicJwk },
    });
  });

  test("leaves out whatever else came with the key", () => {
    const publicJwk = { ...world.keys.publicJwk, kid: "mine", d: "secret" };
    expect(composeWit({ ...request(), publicJwk }).cnf.jwk).toEqual(world.keys.publicJwk);
  });

  test("makes tokens that a workload accepts", async () => {
    const verified = await verifyWit(await sign(composeWit(request())), world.bundle, now);
    expect(value(verified).id).toEqual(spiffeId);
  });
});

describe("inspectWit()", () => {
  test("lets a token out that is as it was decided", async () => {
    expect(await inspectWit(await sign(composeWit(request())), expected())).toEqual({
      ok: true,
      value: undefined,
    });
  });

  test.each<[string, (claims: WitClaims) => object]>([
    ["another workload's name", (claims) => ({ ...claims, sub: "spiffe://example.org/ns/default/sa/admin" })],
    ["a longer life than policy allows", (claims) => ({ ...claims, exp: nowS + 3_601 })],
    ["no end", ({ exp: _, ...claims }) => claims],
    ["no beginning", ({ nbf: _, ...claims }) => claims],
    ["an end in the past", (claims) => ({ ...claims, exp: nowS })],
    ["a beginning in the future", (claims) => ({ ...claims, nbf: nowS + 60 })],
    ["an issue in the future", (claims) => ({ ...claims, iat: nowS + 60 })],
    ["an audience", (claims) => ({ ...claims, aud: "payments" })],
    ["a claim that we never make", (claims) => ({ ...claims, role: "admin" })],
    ["a guessable jti", (claims) => ({ ...claims, jti: "1" })],
    ["no key", ({ cnf: _, ...claims }) => claims],
    ["a key that is null", (claims) => ({ ...claims, cnf: null })],
    ["a private key", (claims) => ({ ...claims, cnf: { jwk: { ...claims.cnf.jwk, d: "AAAA" } } })],
    ["a key without alg", (claims) => ({ ...claims, cnf: { jwk: { ...claims.cnf.jwk, alg: undefined } } })],
  ])("holds a token back with %s", async (_, change) => {
    expect((await inspectWit(await sign(change(composeWit(request()))), expected())).ok).toBe(false);
  });

  test("holds a token back with a name of another trust domain, although that was decided", async () => {
    for (const name of ["partner.example", "example.org.partner.example", "example.or"]) {
      const theirs = workloadId(name, "default", "web");
      const wit = await sign(composeWit({ ...request(), spiffeId: theirs }));
      expect(await inspectWit(wit, { ...expected(), spiffeId: theirs })).toEqual({
        ok: false,
        reason: "Cannot let a token leave: sub must be of the trust domain example.org",
      });
    }
  });

  test("holds a token back for another key than the one that was proved", async () => {
    const { publicJwk } = await generateKeys();
    expect((await inspectWit(await sign(composeWit({ ...request(), publicJwk })), expected())).ok).toBe(
      false,
    );
  });

  test("holds a token back that lives longer than any may, whatever policy says", async () => {
    const long = await sign(composeWit({ ...request(), ttlMs: 86_401_000 }));
    expect((await inspectWit(long, { ...expected(), maxTtlMs: 999_999_999 })).ok).toBe(false);
  });

  test.each([
    ["another kid", { ...witHeader("issuer-2") }],
    ["another type", { typ: "JWT", kid: "issuer-1" }],
    ["a key in its header", { ...witHeader("issuer-1"), jku: "https://example.org" }],
  ])("holds a token back with %s", async (_, header) => {
    expect((await inspectWit(await sign(composeWit(request()), header), expected())).ok).toBe(false);
  });

  test("holds a token back that the published key does not verify, and what is none", async () => {
    const strange = await sign(composeWit(request()), witHeader("issuer-1"), await generateKeys());
    for (const text of [strange, "", "a.b.c", await sign({ filler: "a".repeat(4_096) })]) {
      expect((await inspectWit(text, expected())).ok).toBe(false);
    }
  });

  test("never repeats the token in its reason", async () => {
    const leaky = await sign({ ...composeWit(request()), sub: "spiffe://SECRET/a", jti: "SECRET" });
    expect(JSON.stringify(await inspectWit(leaky, expected()))).not.toContain("SECRET");
  });
});
