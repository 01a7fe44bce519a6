import { generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import type { BundleKey } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { readForeignBundle } from "../../../../control/issuer/federation/foreign-bundle.ts";

let theirs: BundleKey;
let more: BundleKey;
let ours: BundleKey;
beforeAll(async () => {
  const named = async (kid: string): Promise<BundleKey> => ({
    ...(await generateKeys()).publicJwk,
    kid,
    use: "wit-svid",
  });
  [theirs, more, ours] = await Promise.all([named("k1"), named("k2"), named("k1")]);
});

const document = (changed: object = {}): string =>
  JSON.stringify({ keys: [theirs], spiffe_sequence: 7, spiffe_refresh_hint: 300, ...changed });
const read = (text: string) => readForeignBundle(text, [ours]);

describe("readForeignBundle()", () => {
  test("reads a SPIFFE bundle, and takes nothing of a key but what verifies", async () => {
    const text = document({
      keys: [{ ...theirs, x5c: ["AAAA"], note: "ours alone" }, more],
      tulle_root: theirs,
    });
    expect(await read(text)).toEqual({
      ok: true,
      value: { sequence: 7, refreshHintMs: 300_000, keys: [theirs, more] },
    });
  });

  test("reads one that says neither sequence nor hint", async () => {
    const found = await read(JSON.stringify({ keys: [] }));
    expect(found).toEqual({ ok: true, value: { sequence: undefined, refreshHintMs: undefined, keys: [] } });
  });

  test("ignores keys that verify nothing here: X.509 and JWT authorities, other curves and kinds", async () => {
    const rsa = { kty: "RSA", use: "x509-svid", n: "AAAA", e: "AQAB", x5c: ["AAAA"] };
    const others = [
      rsa,
      { ...rsa, use: "jwt-svid", kid: "j" },
      { ...more, use: "jwt-svid", kid: "k" },
      { ...more, use: undefined },
      { ...more, crv: "P-384", kid: "p" },
      { kty: "OKP", crv: "Ed25519", x: "AAAA", kid: "d", use: "wit-svid" },
    ];
    expect(await read(document({ keys: [...others, theirs] }))).toMatchObject({
      ok: true,
      value: { keys: [theirs] },
    });
  });

  test.each<[string, () => string]>([
    ["is no JSON", () => "<html>"],
    ["is a list", () => "[]"],
    ["is null", () => "null"],
    ["has no keys", () => document({ keys: undefined })],
    ["has a private key", () => document({ keys: [{ ...theirs, d: "AAAA" }] })],
    [
      "has a private key of another use",
      () => document({ keys: [theirs, { kty: "RSA", use: "x509-svid", n: "A", e: "A", d: "A" }] }),
    ],
    ["has a symmetric key", () => document({ keys: [{ kty: "oct", k: "AAAA", use: "wit-svid", kid: "s" }] })],
    ["has two keys with one kid", () => document({ keys: [theirs, { ...more, kid: theirs.kid }] })],
    ["has one key under two kids", () => document({ keys: [theirs, { ...theirs, kid: "k9" }] })],
    ["has a WIT key without kid", () => document({ keys: [{ ...theirs, kid: undefined }] })],
    [
      "has a kid that would fill our own bundle",
      () => document({ keys: [{ ...theirs, kid: "k".repeat(257) }] }),
    ],
    ["has a key that is no point", () => document({ keys: [{ ...theirs, x: theirs.y }] })],
    ["has an entry that is null", () => document({ keys: [null] })],
    ["has a sequence that is none", () => document({ spiffe_sequence: "7" })],
    ["has a sequence below 0", () => document({ spiffe_sequence: -1 })],
    ["has a hint that is none", () => document({ spiffe_refresh_hint: "5m" })],
    ["has too many entries", () => document({ keys: Array.from({ length: 65 }, () => ({ kty: "x" })) })],
  ])("refuses a bundle that %s", async (_, text) => {
    expect((await read(text())).ok).toBe(false);
  });

  test("refuses a key of our own domain, under whatever name: it is somebody's wrong address, or worse", async () => {
    const found = await read(document({ keys: [theirs, { ...ours, kid: "theirs" }] }));
    expect(found).toEqual({ ok: false, reason: expect.stringContaining("a key of our own trust domain") });
  });

  test("refuses more keys than every isolate shall hold", async () => {
    const many = await Promise.all(
      Array.from({ length: 33 }, async (_, at) => ({
        ...(await generateKeys()).publicJwk,
        kid: `m${at}`,
        use: "wit-svid",
      })),
    );
    expect((await read(document({ keys: many.slice(0, 32) }))).ok).toBe(true);
    expect((await read(document({ keys: many }))).ok).toBe(false);
  });

  test("says nothing of what it read", async () => {
    const found = await read('{"keys": [{"d": "SECRET"');
    expect(JSON.stringify(found)).not.toContain("SECRET");
  });
});
