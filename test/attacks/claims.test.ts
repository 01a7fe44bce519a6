import { beforeAll } from "vitest";
import { generateKeys } from "../../mesh-runtime/identity/credential.ts";
import {
  makeWit,
  makeWorld,
  now,
  nowS,
  validClaims,
  validHeader,
  type World,
} from "../unit/identity/fixture.ts";
import { type Attack, tryAll } from "./attack.ts";
import { caller, token, tokenOf } from "./attacker.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const claims = (changed: Readonly<Record<string, unknown>>) => async (its: World) => ({
  wit: await token(its, changed),
});
const cnf = (changed: Readonly<Record<string, unknown>>) => async (its: World) => ({
  wit: await token(its, { cnf: { jwk: { ...its.keys.publicJwk, ...changed } } }),
});

const nested = (uri: string): Attack => [
  13,
  `sub ${JSON.stringify(uri.slice(0, 60))}`,
  claims({ sub: uri }),
  /token|trust-domain/,
];

const said: readonly Attack[] = [
  [11, "an expired token", claims({ exp: nowS - 61 }), /token/],
  [11, "no exp", claims({ exp: undefined }), /token/],
  [11, "exp as a text", claims({ exp: String(nowS + 60) }), /token/],
  [11, "exp null", claims({ exp: null }), /token/],
  [11, "exp in milliseconds", claims({ exp: now + 3_600_000 }), /token/],
  ...["1e99", "1e999", "-1e999", "NaN", "true", "[1]"].map(
    (exp): Attack => [
      11,
      `exp ${exp}`,
      async (its) => ({
        wit: await tokenOf(
          its,
          JSON.stringify(validHeader),
          JSON.stringify(validClaims(its.keys)).replace(/"exp":\d+/, `"exp":${exp}`),
        ),
      }),
      /token/,
    ],
  ),
  [11, "a token for later", claims({ nbf: nowS + 61 }), /token/],
  [11, "nbf as a text", claims({ nbf: "0" }), /token/],
  [11, "iat ahead, which limits nothing", claims({ iat: nowS + 30 }), "accepted"],
  [11, "iat as a text", claims({ iat: "0" }), /token/],
  [11, "a life of more than a day", claims({ exp: nowS + 86_400 + 61 }), /token/],
  [
    11,
    "a life of more than a day, iat ahead",
    claims({ iat: nowS + 86_400, exp: nowS + 2 * 86_400 }),
    /token/,
  ],
  [
    11,
    "a life of more than a day, without iat",
    claims({ iat: undefined, exp: nowS + 86_400 + 61 }),
    /token/,
  ],
  [12, "exp exactly now, within the leeway", claims({ exp: nowS }), "accepted"],
  [12, "exp at the last second of the leeway", claims({ exp: nowS - 59 }), "accepted"],
  [12, "exp at the end of the leeway", claims({ exp: nowS - 60 }), /token/],
  [12, "nbf at the end of the leeway", claims({ nbf: nowS + 60 }), "accepted"],
  [13, "no sub", claims({ sub: undefined }), /token/],
  [13, "a list of subs", claims({ sub: [caller] }), /token/],
  [13, "an object for sub", claims({ sub: { uri: caller } }), /token/],
  ...[
    "web",
    "https://example.org/ns/default/sa/web",
    "wimse://example.org/ns/default/sa/web",
    "SPIFFE://example.org/ns/default/sa/web",
    "spiffe://Example.org/ns/default/sa/web",
    "spiffe://example.org:443/ns/default/sa/web",
    "spiffe://u@example.org/ns/default/sa/web",
    `${caller}?a=1`,
    `${caller}?`,
    `${caller}#a`,
    "spiffe://example.org/ns/default/sa/%77eb",
    "spiffe://example.org/ns/default/sa/../sa/web",
    "spiffe://example.org/ns/default/./sa/web",
    "spiffe://example.org//ns/default/sa/web",
    `${caller}/`,
    `spiffe://example.org/${"a".repeat(2_028)}`,
    "spiffe://example.org/ns/default/sa/w\u0435b",
    `${caller}\u0000`,
    `${caller}\n`,
    ` ${caller}`,
    "spiffe:///ns/default/sa/web",
    "spiffe://example.org",
    "spiffe://example.org/ns/default/sa/web/more",
    "spiffe://example.org/ns/default/sa/WEB",
    "spiffe://example.org/ns//sa/web",
  ].map(nested),
  [
    14,
    "a workload of another trust domain, signed by this one's issuer",
    claims({ sub: "spiffe://other.org/ns/default/sa/web" }),
    /trust-domain/,
  ],
  [
    14,
    "a trust domain that ours begins with",
    claims({ sub: "spiffe://example.or/ns/default/sa/web" }),
    /trust-domain/,
  ],
  [
    14,
    "a trust domain below ours",
    claims({ sub: "spiffe://a.example.org/ns/default/sa/web" }),
    /trust-domain/,
  ],
  [15, "no cnf", claims({ cnf: undefined }), /token/],
  [15, "cnf without jwk", claims({ cnf: { jkt: "x" } }), /token/],
  [15, "a list for cnf", claims({ cnf: [] }), /token/],
  [
    15,
    "a list of keys",
    async (its) => ({ wit: await token(its, { cnf: { jwk: [its.keys.publicJwk] } }) }),
    /token/,
  ],
  ...[undefined, "none", "HS256", "ECDH-ES", "ES384", "EdDSA", "es256", ["ES256"]].map(
    (alg): Attack => [15, `cnf.jwk.alg ${JSON.stringify(alg)}`, cnf({ alg }), /token/],
  ),
  [15, "a symmetric key in cnf", claims({ cnf: { jwk: { kty: "oct", k: "AAAA", alg: "HS256" } } }), /token/],
  [15, "a kty that is not the key's", cnf({ kty: "RSA" }), /token/],
  [
    15,
    "an Ed25519 key of small order in cnf",
    claims({ cnf: { jwk: { kty: "OKP", crv: "Ed25519", x: `AQ${"A".repeat(41)}`, alg: "EdDSA" } } }),
    /token/,
  ],
  [
    15,
    "an X25519 key in cnf",
    claims({ cnf: { jwk: { kty: "OKP", crv: "X25519", x: "A".repeat(43), alg: "ES256" } } }),
    /token/,
  ],
  [15, "the private half in cnf", cnf({ d: "A".repeat(43) }), /token/],
  [15, "a point that is not on the curve", cnf({ x: "A".repeat(43) }), /token/],
  [15, "the point at infinity", cnf({ x: "A".repeat(43), y: "A".repeat(43) }), /token/],
  [
    15,
    "a coordinate that is too long",
    async (its) => ({
      wit: await token(its, { cnf: { jwk: { ...its.keys.publicJwk, x: `A${its.keys.publicJwk.x}` } } }),
    }),
    /token/,
  ],
  [
    15,
    "the issuer's key in cnf, which signs nothing else",
    async (its) => ({ wit: await token(its, { cnf: { jwk: its.issuer.publicJwk } }) }),
    /proof/,
  ],
  [16, "an audience in the token", claims({ aud: "spiffe://example.org/ns/default/sa/payments" }), /token/],
  [16, "an empty audience", claims({ aud: null }), /token/],
  [
    22,
    "the token of one workload with the proof of its own key",
    async () => ({ key: (await generateKeys()).privateKey }),
    /proof/,
  ],
  [
    22,
    "somebody's token for another key",
    async (its) => ({ wit: await makeWit({ issuer: its.issuer, keys: await generateKeys() }) }),
    /proof/,
  ],
  [
    23,
    "a token without any proof",
    {
      wire: (headers) => {
        headers.delete("signature");
        headers.delete("signature-input");
      },
    },
    /missing/,
  ],
  [
    10,
    "a token in Authorization",
    {
      wire: (headers) => {
        headers.set("authorization", `Bearer ${headers.get("workload-identity-token")}`);
        headers.delete("workload-identity-token");
      },
    },
    /missing/,
  ],
  [
    10,
    "a token in Authorization and no proof at all",
    {
      wire: (headers) => {
        headers.set("authorization", `Bearer ${headers.get("workload-identity-token")}`);
        for (const name of ["workload-identity-token", "signature", "signature-input"]) headers.delete(name);
      },
    },
    /missing/,
  ],
];

tryAll("an attacker has a token that says", () => world, said);
