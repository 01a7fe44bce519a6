import { base64url, exportSPKI, importSPKI } from "jose";
import { describe, expect, test } from "vitest";
import { now, nowS } from "../unit/identity/fixture.ts";
import { honest, keySetOf, keysUrl, token } from "../unit/identity/users.ts";
import {
  bearing,
  expectRefused,
  foreign,
  handmade,
  key,
  other,
  payments,
  rsa,
  stolen,
  tried,
  withSecret,
} from "./end-user.ts";

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

test("no token, and nothing of one, is in any line of the log", async () => {
  const there = await payments();
  for (const signer of [key, stolen]) {
    const text = await token(signer);
    const { line } = await tried(bearing(text), "/", there);
    for (const part of text.split(".")) expect(line).not.toContain(part.slice(0, 12));
    expect(line).not.toContain("alice");
  }
});
