import { base64url, CompactSign, FlattenedSign } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys } from "../../mesh-runtime/identity/credential.ts";
import { makeWorld, rawJws, validClaims, validHeader, value, type World } from "../unit/identity/fixture.ts";
import { type Attack, expectRefused, target, tryAll } from "./attack.ts";
import { forge, mirrored, token, tokenOf } from "./attacker.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const claims = (changed: Readonly<Record<string, unknown>>) => async (its: World) => ({
  wit: await token(its, changed),
});
const header = (changed: Readonly<Record<string, unknown>>) => async (its: World) => ({
  wit: await token(its, {}, changed),
});
const _cnf = (changed: Readonly<Record<string, unknown>>) => async (its: World) => ({
  wit: await token(its, { cnf: { jwk: { ...its.keys.publicJwk, ...changed } } }),
});
/** The sound token as another text. */
const text = (change: (wit: string) => string) => (its: World) => ({ wit: change(its.credential.wit) });
const parts = (change: (header: string, payload: string, signature: string) => string) =>
  text((wit) => {
    const [header = "", payload = "", signature = ""] = wit.split(".");
    return change(header, payload, signature);
  });

const asBytes = (secret: string | Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  typeof secret === "string" ? new Uint8Array(new TextEncoder().encode(secret)) : secret;
/** The issuer's public key in a form that libraries hand about. */
async function exported({ issuer }: World, format: "raw" | "spki"): Promise<Uint8Array<ArrayBuffer>> {
  const { kty, crv, x, y } = issuer.publicJwk;
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, algorithm, true, ["verify"]);
  return new Uint8Array((await crypto.subtle.exportKey(format, key)) as ArrayBuffer);
}
async function pem(its: World): Promise<Uint8Array<ArrayBuffer>> {
  const lines = btoa(String.fromCharCode(...(await exported(its, "spki")))).match(/.{1,64}/g) ?? [];
  return asBytes(`-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`);
}

/** A token keyed with what everybody knows of the issuer's key. */
const macked = (secret: (its: World) => string | Promise<Uint8Array<ArrayBuffer>>) => async (its: World) => {
  const input = `${base64url.encode('{"alg":"HS256","typ":"wit+jwt","kid":"issuer-1"}')}.${base64url.encode(JSON.stringify(validClaims(its.keys)))}`;
  const key = await crypto.subtle.importKey(
    "raw",
    asBytes(await secret(its)),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(input)));
  return { wit: `${input}.${base64url.encode(mac)}` };
};
const unsigned = (alg: unknown) => (its: World) => ({
  wit: `${base64url.encode(JSON.stringify({ alg, typ: "wit+jwt", kid: "issuer-1" }))}.${base64url.encode(JSON.stringify(validClaims(its.keys)))}.`,
});
/** Signed by the attacker, who says in the header where the key is. */
const ownKey = (member: (jwk: object) => Readonly<Record<string, unknown>>) => async (its: World) => {
  const own = await generateKeys();
  const head = JSON.stringify({ ...validHeader, ...member(own.publicJwk) });
  return { wit: await rawJws(head, JSON.stringify(validClaims(its.keys)), own) };
};

const jws: readonly Attack[] = [
  ...["none", "None", "nOnE", ""].map(
    (alg): Attack => [1, `alg "${alg}" and no signature`, unsigned(alg), /token/],
  ),
  [1, "alg none with the issuer's signature", header({ alg: "none" }), /token/],
  [
    2,
    "HS256 keyed with the issuer's public JWK",
    macked((its) => JSON.stringify(its.issuer.publicJwk)),
    /token/,
  ],
  [2, "HS256 keyed with the issuer's x", macked((its) => its.issuer.publicJwk.x), /token/],
  [2, "HS256 keyed with the issuer's public key as a PEM", macked(pem), /token/],
  [2, "HS256 keyed with the bytes of its SPKI", macked((its) => exported(its, "spki")), /token/],
  [2, "HS256 keyed with its raw point", macked((its) => exported(its, "raw")), /token/],
  ...["ES384", "ES512", "RS256", "PS256", "EdDSA", "HS256", "es256"].map(
    (alg): Attack => [3, `alg ${alg} in the place of ES256`, header({ alg }), /token/],
  ),
  [4, "no alg", header({ alg: undefined }), /token/],
  [4, "a list of algs", header({ alg: ["ES256"] }), /token/],
  [4, "a number for alg", header({ alg: 256 }), /token/],
  [5, "its own key in the header as jwk", ownKey((jwk) => ({ jwk })), /token/],
  [5, "its own key behind jku", ownKey(() => ({ jku: "https://evil.example/jwks" })), /token/],
  [5, "its own key behind x5u", ownKey(() => ({ x5u: "https://evil.example/cert" })), /token/],
  [5, "its own certificate as x5c", ownKey(() => ({ x5c: ["MIIB"] })), /token/],
  [5, "its own key under the issuer's kid", ownKey(() => ({})), /token/],
  ...[
    "issuer-2",
    "../../issuer-1",
    "issuer-1' OR '1'='1",
    "",
    "__proto__",
    "constructor",
    "toString",
    "issuer-1\u0000",
    "Issuer-1",
    "x".repeat(1_024),
  ].map((kid): Attack => [6, `kid ${JSON.stringify(kid.slice(0, 20))}`, header({ kid }), /token/]),
  ...[1, null, ["issuer-1"], { a: 1 }, undefined].map(
    (kid): Attack => [6, `${JSON.stringify(kid)} for kid`, header({ kid }), /token/],
  ),
  [6, "a kid of 10 KB", header({ kid: "x".repeat(10_240) }), /malformed/],
  ...["JWT", "wpt+jwt", "mesh-session+jwt", "application/wit+jwt", "WIT+JWT", "", undefined, ["wit+jwt"]].map(
    (typ): Attack => [8, `typ ${JSON.stringify(typ)}`, header({ typ }), /token/],
  ),
  [
    9,
    "a JWT-SVID",
    async (its) => ({ wit: await token(its, { aud: ["https://payments"], cnf: undefined }, { typ: "JWT" }) }),
    /token/,
  ],
  [
    9,
    "an ID token",
    async (its) => ({
      wit: await token(its, { nonce: "n", aud: "client", azp: "client" }, { typ: undefined }),
    }),
    /token/,
  ],
  [
    9,
    "a proof of possession that it once made",
    async (its) => ({ wit: await token(its, {}, { typ: "tulle-pop+jwt" }) }),
    /token/,
  ],
  [18, "an unknown crit", header({ crit: ["x"], x: 1 }), /token/],
  [18, "b64: false", header({ crit: ["b64"], b64: false }), /token/],
  [18, "b64: true", header({ b64: true }), /token/],
  [18, "zip", header({ zip: "DEF" }), /token/],
  [18, "a JWE", text((wit) => `${wit}.AAAA.AAAA`), /token/],
  [18, "four parts", text((wit) => `${wit}.`), /token/],
  [18, "two parts", parts((head, payload) => `${head}.${payload}`), /token/],
  [18, "no header", parts((_, payload, signature) => `.${payload}.${signature}`), /token/],
  [18, "no payload", parts((head, _, signature) => `${head}..${signature}`), /token/],
  [18, "no signature", parts((head, payload) => `${head}.${payload}.`), /token/],
  [18, "padding", text((wit) => `${wit}==`), /token/],
  [
    18,
    "padding of the payload",
    parts((head, payload, signature) => `${head}.${payload}=.${signature}`),
    /token/,
  ],
  [18, "a blank within the signature", text((wit) => `${wit.slice(0, -4)} ${wit.slice(-4)}`), /token/],
  [18, "a blank within the payload", text((wit) => wit.replace("eyJpc3", "eyJp c3")), /token/],
  [18, "the alphabet of plain base64", text((wit) => `${wit.slice(0, -1)}+`), /token/],
  [
    18,
    "JSON serialisation",
    async (its) => ({
      wit: JSON.stringify(
        await new FlattenedSign(new TextEncoder().encode(JSON.stringify(validClaims(its.keys))))
          .setProtectedHeader(validHeader)
          .sign(its.issuer.privateKey),
      ),
    }),
    /token/,
  ],
  [
    18,
    "a header that is a list",
    async (its) => ({ wit: await tokenOf(its, "[]", JSON.stringify(validClaims(its.keys))) }),
    /token/,
  ],
  [
    18,
    "a header that is no JSON",
    async (its) => ({ wit: await tokenOf(its, "{", JSON.stringify(validClaims(its.keys))) }),
    /token/,
  ],
  ...["[]", "null", "1", '"x"', "{", ""].map(
    (payload): Attack => [
      18,
      `${JSON.stringify(payload)} as claims`,
      async (its) => ({ wit: await tokenOf(its, JSON.stringify(validHeader), payload) }),
      /token/,
    ],
  ),
  [
    17,
    "sub twice in a token of the issuer: the last one counts, for the issuer too",
    async (its) => ({
      wit: await tokenOf(
        its,
        JSON.stringify(validHeader),
        JSON.stringify(validClaims(its.keys)).replace(
          "{",
          '{"sub":"spiffe://example.org/ns/default/sa/admin",',
        ),
      ),
    }),
    "accepted",
  ],
  [
    17,
    "alg twice, none at last",
    async (its) => ({
      wit: await tokenOf(
        its,
        '{"alg":"ES256","typ":"wit+jwt","kid":"issuer-1","alg":"none"}',
        JSON.stringify(validClaims(its.keys)),
      ),
    }),
    /token/,
  ],
  [
    17,
    "kid twice, an unknown one at last",
    async (its) => ({
      wit: await tokenOf(
        its,
        '{"alg":"ES256","typ":"wit+jwt","kid":"issuer-1","kid":"x"}',
        JSON.stringify(validClaims(its.keys)),
      ),
    }),
    /token/,
  ],
  [
    17,
    "__proto__ in the claims",
    async (its) => ({
      wit: await tokenOf(
        its,
        JSON.stringify(validHeader),
        '{"__proto__":{"sub":"spiffe://example.org/ns/default/sa/web","exp":99999999999}}',
      ),
    }),
    /token/,
  ],
  [20, "a signature that is cut", text((wit) => wit.slice(0, -2)), /token/],
  [20, "a signature with more behind", text((wit) => `${wit}AA`), /token/],
  [
    20,
    "a signature in DER",
    async (its) => ({
      wit: (await token(its)).replace(
        /[^.]+$/,
        base64url.encode(
          new Uint8Array([
            0x30,
            0x44,
            0x02,
            0x20,
            ...new Uint8Array(32).fill(1),
            0x02,
            0x20,
            ...new Uint8Array(32).fill(1),
          ]),
        ),
      ),
    }),
    /token/,
  ],
  [20, "a signature of zeroes", parts((head, payload) => `${head}.${payload}.${"A".repeat(86)}`), /token/],
  [
    20,
    "another payload under the signature",
    parts((head, payload, signature) => `${head}.${payload.slice(0, -1)}A.${signature}`),
    /token/,
  ],
  [21, "a token of 4,097 characters", claims({ pad: "x".repeat(4_096) }), /malformed/],
  [
    21,
    "JSON nested deep within 4 KB",
    async (its) => ({
      wit: await tokenOf(its, JSON.stringify(validHeader), `{"a":${"[".repeat(1_300)}${"]".repeat(1_300)}}`),
    }),
    /token/,
  ],
  [
    21,
    "JSON nested deep, and far too long",
    async (its) => ({ wit: await tokenOf(its, JSON.stringify(validHeader), "[".repeat(60_000)) }),
    /malformed/,
  ],
];

tryAll("an attacker forges a token with", () => world, jws);
describe("one token in many texts", () => {
  test("19: spare bits of the last character are refused, so no text but one is ever cached", async () => {
    const isolate = await target(world);
    const wit = world.credential.wit;
    const spare = { A: "B", Q: "R", g: "h", w: "x" }[wit.slice(-1)] ?? "";
    expectRefused(await isolate.arrive(await forge(world, { wit: wit.slice(0, -1) + spare })), /token/);
    expect(isolate.cache.size).toBe(0);
    expect((await isolate.arrive(await forge(world))).status).toBe(200);
    expect(isolate.cache.size).toBe(1);
  });

  test("19: the mirrored signature of a token is the same caller, whose nonces stay used and who stays revoked", async () => {
    const [head = "", payload = "", signature = ""] = world.credential.wit.split(".");
    const wit = `${head}.${payload}.${base64url.encode(mirrored(base64url.decode(signature)))}`;
    const isolate = await target(world);
    const parameters = { nonce: '"one"' };
    expect((await isolate.arrive(await forge(world, { parameters }))).status).toBe(200);
    expectRefused(await isolate.arrive(await forge(world, { parameters, wit })), /replay/);
    const revoked = { ...world.bundle.revoked, tokens: new Set(["AAAAAAAAAAAAAAAAAAAAAA"]) };
    const shut = await target({ ...world, bundle: { ...world.bundle, revoked } });
    expectRefused(await shut.arrive(await forge(world, { wit })), /revoked/);
  });

  test("a token of the issuer's own making, as it comes from jose, is accepted", async () => {
    const wit = await new CompactSign(new TextEncoder().encode(JSON.stringify(validClaims(world.keys))))
      .setProtectedHeader(validHeader)
      .sign(world.issuer.privateKey);
    expect((await (await target(world)).arrive(await forge(world, { wit }))).status).toBe(200);
    expect(value({ ok: true, value: wit }).split(".")).toHaveLength(3);
  });
});
