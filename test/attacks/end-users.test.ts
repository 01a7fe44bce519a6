import { base64url, CompactSign, exportSPKI, importSPKI } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { makeWorld, now, nowS, type World } from "../unit/identity/fixture.ts";
import {
  honest,
  type IssuerKey,
  issuer,
  issuerKey,
  keySetOf,
  keysUrl,
  token,
} from "../unit/identity/users.ts";
import { allowAll, policy, service } from "../unit/policy/writing.ts";
import { type Isolate, isolate, loadedPolicy, type Seen } from "./journey.ts";

/*
 * End users as an attacker plays them, against a worker of STRICT policy with real keys: every forged, stolen or
 * misplaced token is refused, and nothing of it comes to the application.
 */

const other = "https://other.example.com";
const otherKeys = "https://other.example.com/keys";
const documents = [
  service("web", "{evidence: binding}"),
  service("payments", "{evidence: binding}"),
  policy("MeshConfig", "mesh", "{trustDomain: example.org}"),
  allowAll(),
  policy(
    "RequestAuthentication",
    "users",
    `{targetRefs: [{kind: Service, name: payments}], jwtRules: [
      {issuer: "${issuer}", audiences: [shop], jwksUri: "${keysUrl}",
       fromHeaders: [{name: authorization, prefix: "Bearer "}, {name: x-token}], fromCookies: [session], fromParams: [access_token],
       outputClaimToHeaders: [{header: x-user, claim: sub}, {header: x-admin, claim: admin}, {header: x-name, claim: name}],
       outputPayloadToHeader: x-payload},
      {issuer: "${other}", jwksUri: "${otherKeys}", fromHeaders: [{name: x-other}]}]}`,
  ),
];

let world: World;
let key: IssuerKey;
let rsa: IssuerKey;
let foreign: IssuerKey;
let stolen: IssuerKey;
beforeAll(async () => {
  [world, key, rsa, foreign, stolen] = await Promise.all([
    makeWorld(),
    issuerKey("k1"),
    issuerKey("k2", "RS256"),
    issuerKey("k3"),
    issuerKey("k1"),
  ]);
});

async function payments(): Promise<Isolate> {
  const loaded = await loadedPolicy((snapshot) => snapshot, documents);
  const there = isolate(loaded, () => world.bundle);
  there.users.servers.answer(keysUrl, keySetOf(key, rsa));
  there.users.servers.answer(otherKeys, keySetOf(foreign));
  return there;
}

const caller = { service: "web", namespace: "default" };

/** What becomes of a request with these headers. */
async function tried(headers: HeadersInit, path = "/charge", there?: Isolate, at = now): Promise<Seen> {
  const request = new Request(`https://payments${path}`, { headers });
  return (there ?? (await payments())).arrive(request, at, caller);
}

const bearing = (text: string): HeadersInit => ({ authorization: `Bearer ${text}` });

function expectRefused(seen: Seen, error = "invalid_token"): void {
  expect([seen.status, seen.problem]).toEqual([401, "invalid-token"]);
  expect(seen.headers.get("www-authenticate")).toBe(`Bearer realm="tulle", error="${error}"`);
  expect(seen.handled).toBeUndefined();
  expect(JSON.parse(seen.body)).toEqual({
    type: "https://tulle.dev/problems/invalid-token",
    title: "The token of the end user is not valid",
    status: 401,
  });
}

/** A token with a header and a signature of the attacker's choice. */
const handmade = (header: object, claims: object = honest, signature = "AAAA"): string =>
  [JSON.stringify(header), JSON.stringify(claims)]
    .map((part) => base64url.encode(part))
    .concat(signature)
    .join(".");

const withSecret = async (secret: Uint8Array, kid: string): Promise<string> =>
  new CompactSign(new TextEncoder().encode(JSON.stringify(honest)))
    .setProtectedHeader({ alg: "HS256", kid })
    .sign(secret);

test("an honest token is believed, goes no further, and is a user's", async () => {
  for (const signer of [key, rsa]) {
    const seen = await tried(bearing(await token(signer, { admin: true, name: "Alice B" })));
    expect(seen.status).toBe(200);
    const headers = seen.handled?.request.headers;
    expect(headers?.get("authorization")).toBeNull();
    expect([headers?.get("x-user"), headers?.get("x-admin"), headers?.get("x-name")]).toEqual([
      "alice",
      "true",
      "Alice B",
    ]);
    expect(
      JSON.parse(new TextDecoder().decode(base64url.decode(headers?.get("x-payload") ?? ""))),
    ).toMatchObject(honest);
  }
});

test("without a token the request goes on, and no header says that it has a user", async () => {
  const claims = { "x-user": "root", "X-Admin": "true", "x-name": "", "x-payload": "e30" };
  const seen = await tried(claims);
  expect(seen.status).toBe(200);
  for (const name of Object.keys(claims)) expect(seen.handled?.request.headers.has(name)).toBe(false);
});

test("what the caller says of the user gives way to what the token says, and to its silence", async () => {
  const claims = { "x-user": "root", "x-admin": "true", "x-payload": "e30" };
  const seen = await tried({ ...bearing(await token(key)), ...claims });
  const headers = seen.handled?.request.headers;
  expect([headers?.get("x-user"), headers?.get("x-admin")]).toEqual(["alice", null]);
});

describe("algorithms", () => {
  test.each(["none", "None", "nOnE", "", "HS256", "RSA-OAEP", "ES256K", "toString", "__proto__"])(
    "alg %j is refused",
    async (alg) => {
      expectRefused(await tried(bearing(handmade({ alg, kid: "k1" }))));
      const unsigned = handmade({ alg, kid: "k1" }, honest, "");
      expectRefused(await tried(bearing(unsigned)));
    },
  );

  test("a public key is no secret: HS256 with it in any form is refused", async () => {
    const spki = await exportSPKI(
      (await crypto.subtle.importKey(
        "jwk",
        { kty: "RSA", n: rsa.jwk.n ?? "", e: rsa.jwk.e ?? "" },
        { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
        true,
        ["verify"],
      )) as CryptoKey,
    );
    expect(await importSPKI(spki, "RS256")).toBeDefined();
    const encoder = new TextEncoder();
    for (const secret of [
      encoder.encode(spki),
      encoder.encode(JSON.stringify(rsa.jwk)),
      base64url.decode(rsa.jwk.n ?? ""),
    ])
      expectRefused(await tried(bearing(await withSecret(secret, "k2"))));
  });

  test("a key is for its own algorithm alone", async () => {
    for (const alg of ["ES384", "RS256", "PS256", "EdDSA"]) {
      const [head = "", ...rest] = (await token(key)).split(".");
      expect(head).not.toBe("");
      const other = base64url.encode(JSON.stringify({ alg, kid: "k1" }));
      expectRefused(await tried(bearing([other, ...rest].join("."))));
    }
    expectRefused(await tried(bearing(await token({ ...rsa, jwk: key.jwk }))));
  });

  test("extensions that demand to be understood are refused", async () => {
    for (const crit of [["exp"], ["b64"], [], "exp"]) {
      const header = { alg: "ES256", kid: "k1", crit, b64: false };
      expectRefused(await tried(bearing(handmade(header))));
    }
  });
});

describe("keys", () => {
  test("another key under a known kid is refused", async () => {
    const seen = await tried(bearing(await token(stolen)));
    expectRefused(seen);
    expect(seen.reason).toContain("its signature does not verify");
  });

  test("keys that the token brings, or says where to fetch, are never used", async () => {
    for (const brought of [
      { jwk: stolen.jwk },
      { jku: "https://evil.example/keys" },
      { x5u: "https://evil.example/cert" },
      { x5c: ["AAAA"] },
    ]) {
      for (const kid of ["k1", "evil", undefined]) {
        const there = await payments();
        expectRefused(await tried(bearing(await token(stolen, {}, { ...brought, kid })), "/", there));
        expect(new Set(there.users.servers.asked)).toEqual(new Set([keysUrl]));
      }
    }
  });

  test.each([
    "../../k1",
    "k1'; --",
    "__proto__",
    "constructor",
    "https://evil.example/keys",
    "k".repeat(300),
  ])("the kid %j leads nowhere", async (kid) => {
    const there = await payments();
    expectRefused(await tried(bearing(await token(stolen, {}, { kid })), "/", there));
    expect(new Set(there.users.servers.asked).size).toBeLessThanOrEqual(1);
  });

  test("a kid that is no text is refused", async () => {
    for (const kid of [7, null, ["k1"], {}])
      expectRefused(await tried(bearing(handmade({ alg: "ES256", kid }))));
  });

  test("an issuer cannot sign for another, nor stand in another's place", async () => {
    expectRefused(await tried(bearing(await token(foreign))));
    expectRefused(await tried(bearing(await token(foreign, { iss: other }))));
    expectRefused(await tried({ "x-other": await token(key) }));
    expectRefused(await tried({ "x-other": await token(key, { iss: other }) }));
    expect((await tried({ "x-other": await token(foreign, { iss: other }) })).status).toBe(200);
  });

  test("a thousand tokens with invented keys have the issuer asked once", async () => {
    const there = await payments();
    await tried(bearing(await token(key)), "/", there);
    for (let count = 0; count < 50; count++)
      await tried(bearing(await token(stolen, {}, { kid: `invented-${count}` })), "/", there);
    expect(there.users.servers.asked).toHaveLength(2);
  });

  test("a key that its issuer has withdrawn is refused, though its token was believed before", async () => {
    const there = await payments();
    const old = await token(key);
    expect((await tried(bearing(old), "/", there)).status).toBe(200);
    there.users.servers.answer(keysUrl, keySetOf(rsa));
    expect((await tried(bearing(old), "/", there)).status).toBe(200);
    expect((await tried(bearing(await token(rsa)), "/", there)).status).toBe(200);
    const later = now + 299_000;
    const fresh = await token(key, { exp: nowS + 3_600 });
    expect((await tried(bearing(fresh), "/", there, later)).status).toBe(200);
    expectRefused(await tried(bearing(fresh), "/", there, later + 2_000));
  });

  test("where no keys are to be had nobody is let in, and nobody is told that the token is bad", async () => {
    const there = await payments();
    there.users.servers.answer(keysUrl, () => Promise.reject(new Error("down")));
    const seen = await tried(bearing(await token(key)), "/", there);
    expect([seen.status, seen.problem, seen.handled]).toEqual([503, "keys-unavailable", undefined]);
    expect(seen.headers.get("retry-after")).toBe("1");
    expect((await tried({}, "/", there)).status).toBe(200);
  });
});

describe("claims", () => {
  test.each([
    ["expired", { exp: nowS - 60 }],
    ["for ever", { exp: undefined }],
    ["with an exp that is no number", { exp: String(nowS + 300) }],
    ["with an exp of null", { exp: null }],
    ["not valid yet", { nbf: nowS + 61 }],
    ["with an nbf that is no number", { nbf: "0" }],
    ["for another audience", { aud: ["bank"] }],
    ["for an audience like ours", { aud: "shop " }],
    ["for no audience", { aud: undefined }],
    ["with ours inside an object", { aud: { shop: true } }],
    ["with ours inside a list of lists", { aud: [["shop"]] }],
    ["of another issuer", { iss: "https://evil.example" }],
    ["of an issuer like ours", { iss: `${issuer}/` }],
    ["of ours in other letters", { iss: issuer.toUpperCase() }],
    ["of several issuers", { iss: [issuer] }],
    ["of nobody", { iss: undefined }],
    ["with a subject that is no text", { sub: 7 }],
    ["with a subject that is a list", { sub: ["alice"] }],
  ])("a token %s is refused", async (_what, claims) => {
    expectRefused(await tried(bearing(await token(key, claims))));
  });

  test("clocks may differ by a minute, and no more", async () => {
    expect((await tried(bearing(await token(key, { exp: nowS - 59 })))).status).toBe(200);
    expect((await tried(bearing(await token(key, { nbf: nowS + 60 })))).status).toBe(200);
  });

  test("a token that was believed ends with its time", async () => {
    const there = await payments();
    const text = await token(key, { exp: nowS + 10 });
    expect((await tried(bearing(text), "/", there)).status).toBe(200);
    expect((await tried(bearing(text), "/", there, now + 69_999)).status).toBe(200);
    expectRefused(await tried(bearing(text), "/", there, now + 70_000));
  });

  test.each(["a\r\nx-admin: true", "a\u0000", " a", "a ", "ä", "alice\u2028", ""])(
    "the claim %j becomes no header",
    async (name) => {
      const seen = await tried(bearing(await token(key, { name })));
      expect(seen.status).toBe(200);
      expect(seen.handled?.request.headers.has("x-name")).toBe(false);
      expect(seen.handled?.request.headers.has("x-admin")).toBe(false);
    },
  );

  test.each([[["a"]], [{ a: 1 }], [null]])(
    "the claim %j is of no type that a header can tell",
    async (name) => {
      const seen = await tried(bearing(await token(key, { name })));
      expect(seen.handled?.request.headers.has("x-name")).toBe(false);
    },
  );
});

describe("forms", () => {
  test("whatever is no compact JWS of three parts is refused, and none of it comes back or into the log", async () => {
    const good = await token(key);
    const [head = "", payload = "", signature = ""] = good.split(".");
    for (const text of [
      "opaque-token",
      "",
      `${head}.${payload}`,
      `${good}.x`,
      `${good}..`,
      `${head}.${payload}.${signature}==`,
      `${head}.${payload}.${signature.slice(0, -2)}`,
      `${head}.${payload.slice(0, -1)}.${signature}`,
      `${head}. ${payload}.${signature}`,
      `${base64url.encode("[]")}.${payload}.${signature}`,
      `${base64url.encode("null")}.${payload}.${signature}`,
      `${head}.${base64url.encode("not json")}.${signature}`,
      `${head}.${base64url.encode(new Uint8Array([123, 34, 255, 34, 125]))}.${signature}`,
      JSON.stringify({ payload, signatures: [{ protected: head, signature }] }),
    ]) {
      const seen = await tried(bearing(text));
      expectRefused(seen);
      if (text.length > 20) expect(seen.line + seen.body).not.toContain(text.slice(0, 20));
      expect(seen.line).not.toContain(signature.slice(0, 12));
    }
  });

  test("a token beyond 8 KB is refused before anything is made of it", async () => {
    const there = await payments();
    const seen = await tried(bearing(await token(key, { pad: "x".repeat(8_000) })), "/", there);
    expectRefused(seen);
    expect(there.users.servers.asked).toEqual([]);
  });

  test("one changed letter anywhere is refused", async () => {
    const there = await payments();
    const good = await token(rsa);
    for (let at = 0; at < good.length - 1; at += 7) {
      if (good[at] === ".") continue;
      const changed = good.slice(0, at) + (good[at] === "A" ? "B" : "A") + good.slice(at + 1);
      expectRefused(await tried(bearing(changed), "/", there));
    }
  });
});

describe("places", () => {
  test.each([
    ["Bearer", (text: string) => `Bearer ${text}`],
    ["another letter case", (text: string) => `bEARER ${text}`],
    ["more blanks", (text: string) => `Bearer \t ${text}`],
    ["a list behind another scheme", (text: string) => `Basic abc, Bearer ${text}`],
    ["a list before another token", (text: string) => `Bearer ${text}, Bearer ${text}`],
  ])("a forged token after %s is not overlooked", async (_what, write) => {
    expectRefused(await tried({ authorization: write(await token(stolen)) }));
  });

  test("a forged token in a cookie or the query is not overlooked, however it is written", async () => {
    const forged = await token(stolen);
    expectRefused(await tried({ cookie: `a=1; session=${forged}` }));
    expectRefused(await tried({ cookie: `a=1, session="${forged}"` }));
    // An application that takes the part between the dots does not mind what stands before the first.
    expectRefused(await tried({ cookie: `session=,${forged}` }));
    const both = `session=,${forged}, session=${await token(key)}`;
    expectRefused(await tried({ cookie: both }), "invalid_request");
    expectRefused(await tried({ "x-token": forged }));
    expectRefused(await tried({}, `/?access_token=${forged}`));
    expectRefused(await tried({}, `/?a=1&access%5Ftoken=${forged.replaceAll(".", "%2E")}`));
  });

  test("two headers of one name are two tokens, and no token", async () => {
    const headers = new Headers(bearing(await token(key)));
    headers.append("authorization", `Bearer ${await token(stolen)}`);
    expectRefused(await tried(headers));
  });

  test("several tokens are refused, good ones too, because nobody could say whose request it is", async () => {
    const good = await token(key);
    for (const [headers, path] of [
      [{ ...bearing(good), cookie: `session=${good}` }, "/"],
      [bearing(good), `/?access_token=${good}`],
      [{ cookie: `session=${good}; session=${await token(rsa)}` }, "/"],
      [{}, `/?access_token=${good}&access_token=${good}`],
    ] as const)
      expectRefused(await tried(headers, path), "invalid_request");
  });

  test("a verified token is taken out from where it was, and nothing else is", async () => {
    const good = await token(key);
    const byCookie = await tried({ cookie: `a=1; session=${good}; b=2`, authorization: "Basic abc" });
    expect(byCookie.handled?.request.headers.get("cookie")).toBe("a=1; b=2");
    expect(byCookie.handled?.request.headers.get("authorization")).toBe("Basic abc");
    const byQuery = await tried({}, `/a?x=%41&access_token=${good}&y`);
    expect(byQuery.handled?.request.url).toBe("https://payments/a?x=%41&y");
    expect(byQuery.handled?.request.headers.get("x-user")).toBe("alice");
    expect(byQuery.line).not.toContain(good.slice(-20));
  });

  test("the body of a request whose address changes comes through", async () => {
    const loaded = await loadedPolicy((snapshot) => snapshot, documents);
    const there = isolate(
      loaded,
      () => world.bundle,
      async (request) => new Response(`${request.method} ${await request.text()}`),
    );
    there.users.servers.answer(keysUrl, keySetOf(key));
    const url = `https://payments/pay?access_token=${await token(key)}`;
    const seen = await there.arrive(new Request(url, { method: "POST", body: "9 €" }), now, caller);
    expect(seen.body).toBe("POST 9 €");
  });
});

test("no token, and nothing of one, is in any line of the log", async () => {
  const there = await payments();
  for (const signer of [key, stolen]) {
    const text = await token(signer);
    const { line } = await tried(bearing(text), "/", there);
    for (const part of text.split(".")) expect(line).not.toContain(part.slice(0, 12));
    expect(line).not.toContain("alice");
  }
});
