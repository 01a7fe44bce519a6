import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import { loadBundle, type TrustBundle } from "../../../mesh-runtime/identity/trust-bundle.ts";
import { bundlePayload, makeWorld, now, nowS, signBundle, value, type World } from "./fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

/** Loads a valid bundle with some members replaced. */
async function load(changed: Readonly<Record<string, unknown>> = {}, held?: TrustBundle, at = now) {
  const jws = await signBundle(world.root, { ...bundlePayload(world.issuer), ...changed });
  return loadBundle(jws, world.rootKey, held, at);
}
const key = () => ({ ...world.issuer.publicJwk, kid: "issuer-1", use: "wit-svid" });
const root = () => world.root.publicJwk;

describe("loadBundle()", () => {
  test("makes keys of what the root signed", async () => {
    const bundle = value(await load());
    expect(bundle).toMatchObject({
      trustDomain: "example.org",
      sequence: 7,
      expiresAt: (nowS + 86_400) * 1_000,
    });
    expect([...bundle.keys.keys()]).toEqual(["issuer-1"]);
  });

  test("names the roots that it names, and none where it names none", async () => {
    const { publicJwk } = await generateKeys();
    expect(value(await load({ roots: [root(), { ...publicJwk, use: "sig" }] })).roots).toEqual([
      root(),
      publicJwk,
    ]);
    expect(value(await load()).roots).toEqual([]);
  });

  test("takes a key's name of 256 characters", async () => {
    const kid = "k".repeat(256);
    expect([...value(await load({ keys: [{ ...key(), kid }] })).keys.keys()]).toEqual([kid]);
  });

  test("takes an empty list of keys: everything is revoked", async () => {
    expect(value(await load({ keys: [] })).keys.size).toBe(0);
  });

  test("ignores keys of another use, another kind or curve, and without use", async () => {
    const others = [
      { ...key(), kid: "a", use: "jwt-svid" },
      { ...key(), kid: "b", use: undefined },
      { ...key(), kid: "c", use: "sig" },
      { kty: "OKP", crv: "Ed25519", x: "AAAA", kid: "d", use: "wit-svid" },
      { ...key(), crv: "P-384", kid: "e" },
      { kty: "unheard-of", kid: "f", use: "wit-svid" },
    ];
    expect([...value(await load({ keys: [key(), ...others] })).keys.keys()]).toEqual(["issuer-1"]);
  });

  test.each([
    ["a key is named twice", { keys: () => [key(), key()] }],
    ["a key of another use has a name that is taken", { keys: () => [key(), { ...key(), use: "jwt-svid" }] }],
    ["a key is private", { keys: () => [{ ...key(), d: "AAAA" }] }],
    ["a key that would be ignored is private", { keys: () => [{ ...key(), use: "sig", d: "AAAA" }] }],
    ["a key is symmetric", { keys: () => [{ kty: "oct", k: "AAAA", kid: "x", use: "wit-svid" }] }],
    ["a key has no name", { keys: () => [{ ...key(), kid: undefined }] }],
    ["a key's name is a number", { keys: () => [{ ...key(), kid: 1 }] }],
    ["a key's point is off the curve", { keys: () => [{ ...key(), x: key().y }] }],
    ["a key is for another algorithm", { keys: () => [{ ...key(), alg: "ES384" }] }],
    ["a key is null", { keys: () => [null] }],
    [
      "there are too many keys",
      { keys: () => Array.from({ length: 65 }, (_, at) => ({ ...key(), kid: `k${at}` })) },
    ],
    ["a key's name is longer than 256 characters", { keys: () => [{ ...key(), kid: "k".repeat(257) }] }],
    ["keys are missing", { keys: () => undefined }],
    ["roots are no list", { roots: () => ({ 0: root() }) }],
    ["there are more than 4 roots", { roots: () => Array.from({ length: 5 }, root) }],
    ["a root is private", { roots: () => [root(), { ...root(), d: "AAAA" }] }],
    ["a root is null", { roots: () => [null] }],
    ["revocations are missing", { revoked: () => undefined }],
    ["a revocation names nothing it knows", { revoked: () => [{ serial: "1" }] }],
    ["a revocation is null", { revoked: () => [null] }],
    ["a revocation's time is a text", { revoked: () => [{ sub: "spiffe://example.org/a", before: "now" }] }],
    ["the trust domain is not one", { trustDomain: () => "Example.org" }],
    ["the trust domain is empty", { trustDomain: () => "" }],
    ["the trust domain hides a path", { trustDomain: () => "example.org/ns" }],
    ["the sequence is a fraction", { sequence: () => 7.5 }],
    ["the sequence is a text", { sequence: () => "8" }],
    ["there is no expiry", { exp: () => undefined }],
  ])("refuses a bundle when %s", async (_, changed) => {
    const made = Object.fromEntries(Object.entries(changed).map(([name, make]) => [name, make()]));
    expect((await load(made)).ok).toBe(false);
  });

  test("refuses an expired one, from the very moment", async () => {
    const at = (nowS + 86_400) * 1_000;
    expect((await load({}, undefined, at - 1)).ok).toBe(true);
    expect((await load({}, undefined, at)).ok).toBe(false);
  });

  test("refuses a rollback, takes the same sequence and a higher one", async () => {
    expect((await load({ sequence: 6 }, world.bundle)).ok).toBe(false);
    expect((await load({ sequence: 7 }, world.bundle)).ok).toBe(true);
    expect((await load({ sequence: 8 }, world.bundle)).ok).toBe(true);
  });

  test("refuses another trust domain than the one held", async () => {
    const loaded = await load({ trustDomain: "example.com", sequence: 8 }, world.bundle);
    expect(loaded).toEqual({
      ok: false,
      reason: expect.stringContaining("must be example.org, found example.com"),
    });
  });

  test("refuses what another key than the root signed", async () => {
    const jws = await signBundle(await generateKeys(), bundlePayload(world.issuer));
    expect((await loadBundle(jws, world.rootKey, undefined, now)).ok).toBe(false);
  });

  test("reads revocations, and the latest time for a workload wins", async () => {
    const sub = "spiffe://example.org/ns/default/sa/web";
    const revoked = [{ jti: "t" }, { jkt: "k" }, { sub, before: 20 }, { sub, before: 10 }];
    expect(value(await load({ revoked })).revoked).toEqual({
      tokens: new Set(["t"]),
      keys: new Set(["k"]),
      workloads: new Map([[sub, 20]]),
    });
  });
});
