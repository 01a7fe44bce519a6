import { base64url } from "jose";
import { describe, expect, test } from "vitest";
import { now, nowS } from "../unit/identity/fixture.ts";
import { issuer, keySetOf, keysUrl, token } from "../unit/identity/users.ts";
import {
  bearing,
  caller,
  documents,
  expectRefused,
  key,
  payments,
  rsa,
  stolen,
  tried,
  world,
} from "./end-user.ts";
import { isolate, loadedPolicy } from "./journey.ts";

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
