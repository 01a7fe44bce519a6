import { beforeAll, describe, expect, test } from "vitest";
import { keySetFault, keysFor, parseKeySet } from "../../../mesh-runtime/identity/key-set.ts";
import { judgeSignature, readToken } from "../../../mesh-runtime/identity/user-token.ts";
import { value } from "./fixture.ts";
import { type IssuerKey, issuerKey, keySetOf, token } from "./users.ts";

let key: IssuerKey;
let rsa: IssuerKey;
beforeAll(async () => {
  [key, rsa] = await Promise.all([issuerKey("a"), issuerKey("r", "RS256")]);
});

const setWith = (...jwks: readonly object[]): string => JSON.stringify({ keys: [key.jwk, ...jwks] });
const counted = (text: string): number => value(parseKeySet(text)).keys.length;

describe("parseKeySet()", () => {
  test.each([
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
  ])("takes a key for %s, with which its tokens verify", async (alg) => {
    const made = await issuerKey("k", alg);
    const set = value(parseKeySet(keySetOf(made)));
    const read = value(readToken(await token(made)));
    expect(await judgeSignature(read, set)).toBeUndefined();
    const stranger = value(readToken(await token(await issuerKey("k", alg))));
    expect(await judgeSignature(stranger, set)).toMatchObject({ fault: "signature" });
  });

  test.each([
    ["for encryption", { use: "enc" }],
    ["for other operations", { key_ops: ["deriveBits"] }],
    ["of a curve that is not known", { crv: "secp256k1" }],
    ["of a kind that is not known", { kty: "AKP" }],
    ["with an algorithm of another kind", { alg: "RS256" }],
    ["with a kid that is no text", { kid: 7 }],
    ["with a kid beyond measure", { kid: "k".repeat(257) }],
    ["with a private half", { d: "AAAA" }],
  ])("passes over a key %s", (_what, change) => {
    expect(counted(setWith({ ...key.jwk, ...change }))).toBe(1);
    expect(parseKeySet(JSON.stringify({ keys: [{ ...key.jwk, ...change }] })).ok).toBe(false);
  });

  test("passes over symmetric keys, and RSA keys that are too short, too long or slow", () => {
    const n = String(rsa.jwk.n);
    expect(
      counted(
        setWith(
          { kty: "oct", k: "c2VjcmV0", alg: "HS256" },
          { ...rsa.jwk, n: n.slice(0, 300) },
          { ...rsa.jwk, n: n.repeat(5) },
          { ...rsa.jwk, e: "AQAB".repeat(20) },
        ),
      ),
    ).toBe(1);
    expect(counted(setWith(rsa.jwk))).toBe(2);
  });

  test("a point that is not on its curve verifies nothing, and hinders no other key", async () => {
    const set = value(parseKeySet(JSON.stringify({ keys: [{ ...key.jwk, y: key.jwk.x }, key.jwk] })));
    expect(await judgeSignature(value(readToken(await token(key))), set)).toBeUndefined();
    const off = value(parseKeySet(JSON.stringify({ keys: [{ ...key.jwk, y: key.jwk.x }] })));
    expect(await judgeSignature(value(readToken(await token(key))), off)).toMatchObject({
      fault: "signature",
    });
  });
});

describe("keysFor()", () => {
  test("gives the keys of a token's algorithm, by its kid where both have one", async () => {
    const unnamed = await issuerKey(undefined);
    const set = value(parseKeySet(keySetOf(key, rsa, unnamed)));
    const found = (alg: string, kid?: string) => keysFor(set, alg, kid).map((held) => held.kid);
    expect(found("ES256", "a")).toEqual(["a", undefined]);
    expect(found("ES256", "b")).toEqual([undefined]);
    expect(found("ES256")).toEqual(["a", undefined]);
    expect(found("RS256", "r")).toEqual(["r"]);
    expect(found("RS512", "r")).toEqual([]);
    expect(found("ES384", "a")).toEqual([]);
    expect(found("HS256", "a")).toEqual([]);
    expect(found("none")).toEqual([]);
    expect(found("toString")).toEqual([]);
  });

  test("an RSA key that names no algorithm verifies with each of its kind", async () => {
    const { alg: _alg, ...open } = rsa.jwk;
    const set = value(parseKeySet(JSON.stringify({ keys: [open] })));
    for (const alg of ["RS256", "PS512"]) expect(keysFor(set, alg, "r")).toHaveLength(1);
    expect(await judgeSignature(value(readToken(await token(rsa))), set)).toBeUndefined();
  });
});

test("a token that names no key is held against sixteen of them at most", async () => {
  const { kid: _kid, ...unnamed } = (await issuerKey("x")).jwk;
  const others = Array.from({ length: 15 }, () => unnamed);
  const text = await token(key, {}, { kid: undefined });
  const judged = (keys: readonly object[]) =>
    judgeSignature(value(readToken(text)), value(parseKeySet(JSON.stringify({ keys }))));
  expect(await judged([...others, key.jwk])).toBeUndefined();
  expect(await judged([...others, unnamed, key.jwk])).toMatchObject({ fault: "key" });
});

describe("keySetFault()", () => {
  test("finds nothing wrong with public keys", () => {
    expect(keySetFault(keySetOf(key, rsa))).toBeUndefined();
  });

  test("tells of a secret, which a document would show to everybody", () => {
    for (const secret of [
      { ...key.jwk, d: "x" },
      { kty: "oct", k: "c2VjcmV0" },
    ])
      expect(keySetFault(setWith(secret))).toBe(
        "it holds a private or symmetric key; write public keys alone",
      );
  });
});
