import { base64url, CompactEncrypt, CompactSign } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys, jwkThumbprint } from "../../../mesh-runtime/identity/credential.ts";
import { type VerifiedWit, verifyWit, WitCache } from "../../../mesh-runtime/identity/svid.ts";
import {
  loadBundle,
  type Revocation,
  type TrustBundle,
} from "../../../mesh-runtime/identity/trust-bundle.ts";
import wimse from "../../vectors/wimse.json" with { type: "json" };
import {
  bundlePayload,
  caller,
  makeWit,
  makeWorld,
  now,
  nowS,
  rawJws,
  signBundle,
  validClaims,
  validHeader,
  value,
  type World,
} from "./fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

/** "accepted", or the step that refused. */
async function judged(wit: string, bundle: TrustBundle = world.bundle, at = now): Promise<string> {
  const verified = await verifyWit(wit, bundle, at);
  return verified.ok ? "accepted" : verified.reason.step;
}
const withClaims = (claims: Readonly<Record<string, unknown>>) => makeWit(world, claims);
const withHeader = (header: string) => rawJws(header, JSON.stringify(validClaims(world.keys)), world.issuer);

async function bundleWith(changed: Readonly<Record<string, unknown>>): Promise<TrustBundle> {
  const jws = await signBundle(world.root, { ...bundlePayload(world.issuer), ...changed });
  return value(await loadBundle(jws, world.rootKey, undefined, now));
}

describe("verifyWit()", () => {
  test("says who the token is for, by which key, and how long", async () => {
    const verified = value(await verifyWit(await makeWit(world), world.bundle, now));
    expect(verified.id.uri).toBe(caller);
    expect(verified.thumbprint).toBe(await jwkThumbprint(world.keys.publicJwk));
    expect(verified.expiresAt).toBe((nowS + 3_600) * 1_000);
    expect(verified.proofKey).toMatchObject({ extractable: false, usages: ["verify"] });
  });

  test.each([
    ["alg none", { ...validHeader, alg: "none" }],
    ["alg None", { ...validHeader, alg: "None" }],
    ["alg HS256", { ...validHeader, alg: "HS256" }],
    ["alg ES384", { ...validHeader, alg: "ES384" }],
    ["alg RS256", { ...validHeader, alg: "RS256" }],
    ["alg EdDSA", { ...validHeader, alg: "EdDSA" }],
    ["no alg", { ...validHeader, alg: undefined }],
    ["a list of algs", { ...validHeader, alg: ["ES256"] }],
    ["typ JWT", { ...validHeader, typ: "JWT" }],
    ["typ wpt+jwt", { ...validHeader, typ: "wpt+jwt" }],
    ["typ in upper case", { ...validHeader, typ: "WIT+JWT" }],
    ["the long form of typ", { ...validHeader, typ: "application/wit+jwt" }],
    ["no typ", { ...validHeader, typ: undefined }],
    ["no kid", { ...validHeader, kid: undefined }],
    ["an unknown kid", { ...validHeader, kid: "issuer-2" }],
    ["a kid that is a number", { ...validHeader, kid: 1 }],
    ["a kid from the prototype", { ...validHeader, kid: "__proto__" }],
    ["a kid that is a path", { ...validHeader, kid: "../../issuer-1" }],
    ["a kid that is SQL", { ...validHeader, kid: "issuer-1' OR '1'='1" }],
    ["a header key jku", { ...validHeader, jku: "https://attacker.example/keys" }],
    ["a header key x5u", { ...validHeader, x5u: "https://attacker.example/cert" }],
    ["a header key x5c", { ...validHeader, x5c: ["AAAA"] }],
    ["an unknown critical member", { ...validHeader, crit: ["exp"], exp: 1 }],
    ["an unencoded payload", { ...validHeader, crit: ["b64"], b64: false }],
    ["a zip member", { ...validHeader, zip: "DEF" }],
  ])("refuses %s in the header", async (_, header) => {
    expect(await judged(await withHeader(JSON.stringify(header)))).toBe("token");
  });

  test("refuses a header key jwk, although it would verify", async () => {
    const attacker = await generateKeys();
    const header = JSON.stringify({ ...validHeader, jwk: attacker.publicJwk });
    expect(await judged(await rawJws(header, JSON.stringify(validClaims(world.keys)), attacker))).toBe(
      "token",
    );
  });

  test("refuses HS256 keyed with the issuer's public key in any spelling", async () => {
    for (const secret of [JSON.stringify(world.issuer.publicJwk), world.issuer.publicJwk.x]) {
      const bytes = new TextEncoder().encode(secret.padEnd(32));
      const jws = await new CompactSign(new TextEncoder().encode(JSON.stringify(validClaims(world.keys))))
        .setProtectedHeader({ ...validHeader, alg: "HS256" })
        .sign(bytes);
      expect(await judged(jws)).toBe("token");
    }
  });

  test("refuses a token that another key than the kid's signed", async () => {
    expect(await judged(await makeWit({ issuer: await generateKeys(), keys: world.keys }))).toBe("token");
  });

  test("refuses every text that is not one plain compact JWS", async () => {
    const wit = await makeWit(world);
    const [header = "", payload = "", signature = ""] = wit.split(".");
    const bytes = base64url.decode(signature);
    const texts = [
      "",
      "a.b.c",
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${wit}.`,
      `${wit}.${signature}`,
      `${wit}=`,
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}.${base64url.encode(bytes.slice(0, 63))}`,
      `${header}.${payload}.${base64url.encode(new Uint8Array([...bytes, 0]))}`,
      `${header}.${payload}.${base64url.encode(new Uint8Array(64))}`,
      JSON.stringify({ protected: header, payload, signature }),
      JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
    ];
    for (const text of texts) expect([text, await judged(text)]).toEqual([text, "token"]);
  });

  test("refuses an encrypted token", async () => {
    const jwe = await new CompactEncrypt(new TextEncoder().encode(await makeWit(world)))
      .setProtectedHeader({ alg: "dir", enc: "A256GCM", typ: "wit+jwt", kid: "issuer-1" })
      .encrypt(new Uint8Array(32));
    expect(await judged(jwe)).toBe("token");
  });

  test("does not look at a token of more than 4 KB", async () => {
    expect(await judged(await withClaims({ filler: "a".repeat(4_096) }))).toBe("malformed");
  });

  test("survives deep nesting within the limit", async () => {
    const claims = `${JSON.stringify(validClaims(world.keys)).slice(0, -1)},"deep":${"[".repeat(900)}${"]".repeat(900)}}`;
    expect(await judged(await rawJws(JSON.stringify(validHeader), claims, world.issuer))).toBe("accepted");
  });

  test.each([
    ["missing", undefined],
    ["a list", [caller]],
    ["of another scheme", "wimse://example.org/ns/default/sa/web"],
    ["with an upper-case host", "spiffe://EXAMPLE.org/ns/default/sa/web"],
    ["with a port", "spiffe://example.org:1/ns/default/sa/web"],
    ["with a user", "spiffe://a@example.org/ns/default/sa/web"],
    ["with a query", `${caller}?a`],
    ["with a fragment", `${caller}#a`],
    ["percent-encoded", "spiffe://example.org/ns/default/sa/w%65b"],
    ["with a dot segment", "spiffe://example.org/ns/default/sa/../sa/web"],
    ["with an empty segment", "spiffe://example.org/ns//default/sa/web"],
    ["with a trailing slash", `${caller}/`],
    ["with a homoglyph", "spiffe://example.org/ns/default/sa/w\u0435b"],
    ["with NUL", `${caller}\u0000`],
    ["too long", `spiffe://example.org/${"a".repeat(2_028)}`],
  ])("refuses a sub that is %s", async (_, sub) => {
    expect(await judged(await withClaims({ sub }))).toBe("token");
  });

  test("refuses a sub of another trust domain than the bundle's, although a key of the bundle signed it", async () => {
    expect(await judged(await withClaims({ sub: "spiffe://example.com/ns/default/sa/web" }))).toBe(
      "trust-domain",
    );
    expect(await judged(await withClaims({ sub: "spiffe://example.org.evil/ns/default/sa/web" }))).toBe(
      "trust-domain",
    );
  });

  test.each([
    ["an audience, as a JWT-SVID or an ID token has", { aud: "https://payments" }],
    ["an empty audience", { aud: null }],
    ["no exp", { exp: undefined }],
    ["an exp that is a text", { exp: String(nowS + 60) }],
    ["an exp that is null", { exp: null }],
    ["an exp at the end of days", { exp: 1e99 }],
    ["an nbf that is a text", { nbf: "0" }],
    ["an iat that is a text", { iat: "0" }],
    ["an iat that is a time written as text", { iat: String(nowS) }],
    ["an iat that hides how long the life is", { iat: "x", exp: nowS + 10 * 86_400 }],
    ["a life above a day", { exp: nowS + 86_400 + 61 }],
    ["a life above a day that is nearly over", { iat: nowS - 86_400, exp: nowS + 100 }],
    ["no cnf", { cnf: undefined }],
    ["a cnf that is a text", { cnf: "key" }],
    ["a cnf with only a thumbprint", { cnf: { jkt: "AAAA" } }],
  ])("refuses %s", async (_, claims) => {
    expect(await judged(await withClaims(claims))).toBe("token");
  });

  test("refuses a cnf that is no public P-256 key for ES256", async () => {
    const { publicJwk } = world.keys;
    const jwks = [
      { ...publicJwk, alg: undefined },
      { ...publicJwk, alg: "none" },
      { ...publicJwk, alg: "HS256" },
      { ...publicJwk, alg: "ECDH-ES" },
      { ...publicJwk, d: "AAAA" },
      { ...publicJwk, x: publicJwk.y },
      { ...publicJwk, crv: "P-384" },
      { kty: "OKP", crv: "Ed25519", alg: "EdDSA", x: "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
      { kty: "OKP", crv: "X25519", alg: "ECDH-ES", x: publicJwk.x },
      { kty: "oct", alg: "HS256", k: "AAAA" },
    ];
    for (const jwk of jwks)
      expect([jwk, await judged(await withClaims({ cnf: { jwk } }))]).toEqual([jwk, "token"]);
  });

  test("takes a token until a minute after its exp, and from a minute before its nbf", async () => {
    const wit = await makeWit(world, { nbf: nowS + 10, exp: nowS + 100 });
    const minute = 60_000;
    expect(await judged(wit, world.bundle, (nowS + 10) * 1_000 - minute - 1)).toBe("token");
    expect(await judged(wit, world.bundle, (nowS + 10) * 1_000 - minute)).toBe("accepted");
    expect(await judged(wit, world.bundle, (nowS + 100) * 1_000 + minute - 1)).toBe("accepted");
    expect(await judged(wit, world.bundle, (nowS + 100) * 1_000 + minute)).toBe("token");
  });

  test("takes an iat in the future and none at all: it limits nothing", async () => {
    expect(await judged(await withClaims({ iat: nowS + 600 }))).toBe("accepted");
    expect(await judged(await withClaims({ iat: undefined, nbf: undefined }))).toBe("accepted");
  });

  test("ignores claims that it does not know", async () => {
    expect(await judged(await withClaims({ "example.com/role": "x" }))).toBe("accepted");
  });

  test("of a claim named twice takes the last, as the issuer's own reading does", async () => {
    const claims = JSON.stringify(validClaims(world.keys));
    const doubled = claims.replace('"sub":', '"sub":"spiffe://example.org/ns/default/sa/admin","sub":');
    const wit = await rawJws(JSON.stringify(validHeader), doubled, world.issuer);
    const verified = await verifyWit(wit, world.bundle, now);
    expect(value(verified).id.uri).toBe(caller);
  });

  test("refuses everything under an empty bundle, and a removed key", async () => {
    expect(await judged(await makeWit(world), await bundleWith({ keys: [] }))).toBe("token");
  });

  test("verifies nothing new with a bundle that has expired", async () => {
    const wit = await makeWit(world, { exp: nowS + 86_400 });
    expect(await judged(wit, await bundleWith({ exp: nowS + 60 }), now + 60_000)).toBe("trust-domain");
  });

  test("refuses what is revoked by token, by key, by workload, and by workload up to a time", async () => {
    const wit = await makeWit(world);
    const lists: readonly (readonly [Revocation, string])[] = [
      [{ jti: validClaims(world.keys).jti }, "revoked"],
      [{ jkt: await jwkThumbprint(world.keys.publicJwk) }, "revoked"],
      [{ sub: caller }, "revoked"],
      [{ sub: caller, before: nowS + 1 }, "revoked"],
      [{ sub: caller, before: nowS }, "accepted"],
      [{ jti: "another" }, "accepted"],
      [{ sub: `${caller}-other` }, "accepted"],
    ];
    for (const [revocation, expected] of lists) {
      expect([revocation, await judged(wit, await bundleWith({ revoked: [revocation] }))]).toEqual([
        revocation,
        expected,
      ]);
    }
    const undated = await withClaims({ iat: undefined });
    expect(await judged(undated, await bundleWith({ revoked: [{ sub: caller, before: 1 }] }))).toBe(
      "revoked",
    );
  });

  test("knows the draft's own example for what it is: well signed, and not for a SPIFFE mesh", async () => {
    const { token, issuerKey, validAtUnix } = wimse.wit;
    const at = validAtUnix * 1_000;
    const keys = [{ ...issuerKey, use: "wit-svid" }];
    const jws = await signBundle(world.root, {
      ...bundlePayload(world.issuer),
      trustDomain: "example.com",
      keys,
    });
    const bundle = value(await loadBundle(jws, world.rootKey, undefined, at));
    // Its signature is sound, so the refusal speaks of its subject …
    expect(await verifyWit(token, bundle, at)).toEqual({
      ok: false,
      reason: { step: "token", detail: expect.stringContaining("sub must be a SPIFFE ID") },
    });
    // … and with one bit of the signature turned it does not get that far.
    const forged = token.replace(/.(.{9})$/, (tail, rest) => (tail.startsWith("A") ? "B" : "A") + rest);
    expect(await verifyWit(forged, bundle, at)).toMatchObject({
      reason: { detail: expect.stringContaining("signature does not verify") },
    });
  });

  test("knows the draft's own proof token (WPT), which is another way to prove possession, for no WIT", async () => {
    expect(await verifyWit(wimse.wpt.token, world.bundle, wimse.wit.validAtUnix * 1_000)).toMatchObject({
      ok: false,
      reason: { step: "token", detail: expect.stringContaining("wit+jwt") },
    });
  });

  test("never repeats a part of the token in its reason", async () => {
    const wit = await withClaims({ sub: "spiffe://SECRET/a", jti: "SECRET" });
    expect(JSON.stringify(await verifyWit(wit, world.bundle, now))).not.toContain("SECRET");
  });
});

describe("WitCache", () => {
  const entry = (expiresAt = now + 1_000): VerifiedWit => ({
    id: { trustDomain: "example.org", path: "/a", uri: "spiffe://example.org/a" },
    proofKey: world.rootKey,
    thumbprint: "t",
    expiresAt,
  });

  test("recalls a token by its exact text", () => {
    const cache = new WitCache();
    const wit = entry();
    cache.keep("a.b.c", wit, world.bundle);
    expect(cache.recall("a.b.c", world.bundle, now)).toBe(wit);
    expect(cache.recall("a.b.d", world.bundle, now)).toBe(undefined);
  });

  test("forgets a token when it expires", () => {
    const cache = new WitCache();
    cache.keep("a.b.c", entry(now + 1_000), world.bundle);
    expect(cache.recall("a.b.c", world.bundle, now + 999)).not.toBe(undefined);
    expect(cache.recall("a.b.c", world.bundle, now + 1_000)).toBe(undefined);
    expect(cache.size).toBe(0);
  });

  test("believes nothing that another bundle verified", () => {
    const cache = new WitCache();
    cache.keep("a.b.c", entry(), world.bundle);
    expect(cache.recall("a.b.c", { ...world.bundle, sequence: 8 }, now)).toBe(undefined);
    cache.keep("a.b.c", entry(), world.bundle);
    expect(cache.recall("a.b.c", { ...world.bundle, trustDomain: "example.com" }, now)).toBe(undefined);
  });

  test("keeps no more than its limit, and lets the least recently used one go", () => {
    const cache = new WitCache(2);
    for (const text of ["a", "b"]) cache.keep(text, entry(), world.bundle);
    cache.recall("a", world.bundle, now);
    cache.keep("c", entry(), world.bundle);
    expect(cache.size).toBe(2);
    expect(["a", "b", "c"].map((text) => cache.recall(text, world.bundle, now) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });
});
