import { calculateJwkThumbprint } from "jose";
import { describe, expect, test } from "vitest";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import { importPublicJwk, jwkThumbprint, parsePublicJwk } from "../../../mesh-runtime/identity/public-jwk.ts";
import { value } from "./fixture.ts";

/** RFC 7515 Appendix A.3.1. */
const valid = {
  kty: "EC",
  crv: "P-256",
  alg: "ES256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
};

describe("parsePublicJwk()", () => {
  test("takes a P-256 key and leaves out what does not belong there", () => {
    expect(parsePublicJwk({ ...valid, ext: true, key_ops: ["verify"] })).toEqual({ ok: true, value: valid });
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["a list", [valid]],
    ["a text", "key"],
    ["a private key", { ...valid, d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" }],
    ["a symmetric key", { kty: "oct", k: "AAAA", alg: "HS256" }],
    ["no alg", { ...valid, alg: undefined }],
    ["alg none", { ...valid, alg: "none" }],
    ["alg HS256", { ...valid, alg: "HS256" }],
    ["alg ECDH-ES", { ...valid, alg: "ECDH-ES" }],
    ["alg of another curve", { ...valid, alg: "ES384" }],
    ["another kind of key", { ...valid, kty: "RSA" }],
    ["Ed25519", { kty: "OKP", crv: "Ed25519", x: valid.x, alg: "EdDSA" }],
    ["X25519", { kty: "OKP", crv: "X25519", x: valid.x, alg: "ES256" }],
    ["another curve", { ...valid, crv: "P-384" }],
    ["a short coordinate", { ...valid, x: valid.x.slice(1) }],
    ["a padded coordinate", { ...valid, x: `${valid.x}=` }],
    ["a coordinate with spare bits set", { ...valid, x: `${valid.x.slice(0, -1)}V` }],
    ["a coordinate in plain base64", { ...valid, y: valid.y.replace("_", "/") }],
    ["a kid that is a number", { ...valid, kid: 1 }],
  ])("refuses %s", (_, jwk) => {
    expect(parsePublicJwk(jwk).ok).toBe(false);
  });
});

test("importPublicJwk() refuses a point that is not on the curve", async () => {
  const off = value(parsePublicJwk({ ...valid, y: valid.x }));
  expect((await importPublicJwk(off)).ok).toBe(false);
  expect((await importPublicJwk(value(parsePublicJwk(valid)))).ok).toBe(true);
});

test("jwkThumbprint() is RFC 7638's, whatever else the JWK says", async () => {
  const { publicJwk } = await generateKeys();
  expect(await jwkThumbprint(publicJwk)).toBe(await calculateJwkThumbprint({ ...publicJwk }));
  expect(await jwkThumbprint({ ...publicJwk, kid: "other" })).toBe(await jwkThumbprint(publicJwk));
});
