import { beforeAll, describe, expect, test } from "vitest";
import { type TokenRule, tokenRules } from "../../../mesh-runtime/identity/end-user.ts";
import { TokenCache } from "../../../mesh-runtime/identity/token-cache.ts";
import { judgeUser } from "../../../mesh-runtime/identity/user-judgement.ts";
import { now, nowS } from "./fixture.ts";
import {
  type IssuerKey,
  issuer,
  issuerKey,
  keySetOf,
  keysUrl,
  token,
  tokenRule,
  type Users,
  users,
} from "./users.ts";

let key: IssuerKey;
let other: IssuerKey;
beforeAll(async () => {
  [key, other] = await Promise.all([issuerKey("k1"), issuerKey("k2", "EdDSA")]);
});

function knowing(): Users {
  const known = users();
  known.servers.answer(keysUrl, keySetOf(key));
  return known;
}

/** What becomes of a token in `authorization`. */
async function judged(rules: readonly TokenRule[], text: string, known = knowing()) {
  const asked = {
    url: "https://shop.example/",
    header: (name: string) => (name === "authorization" ? `Bearer ${text}` : null),
  };
  return judgeUser(tokenRules(rules), asked, known.ports, { run: () => undefined });
}

const accepted = async (...given: Parameters<typeof judged>) => {
  const result = await judged(...given);
  return result.ok ? result.value : result.reason.kind;
};

describe("rules together", () => {
  test("are alternatives, and the first that believes a token says what becomes of it", async () => {
    const rules = [
      tokenRule({ audiences: ["bank"], claimHeaders: [{ header: "x-bank", claim: "sub" }] }),
      tokenRule({ audiences: ["shop"], claimHeaders: [{ header: "x-shop", claim: "sub" }], forward: true }),
      tokenRule({ claimHeaders: [{ header: "x-any", claim: "sub" }] }),
    ];
    expect(await accepted(rules, await token(key))).toMatchObject({
      user: { principal: `${issuer}/alice` },
      headers: [["x-shop", "alice"]],
    });
    expect(await accepted(rules, await token(key, { aud: "cinema" }))).toMatchObject({
      headers: [
        ["authorization", null],
        ["x-any", "alice"],
      ],
    });
  });

  test("of one issuer may have keys of several sources", async () => {
    const rules = [tokenRule(), tokenRule({ keys: { type: "inline", jwks: keySetOf(other) } })];
    expect(await accepted(rules, await token(other))).toMatchObject({ user: { issuer } });
  });

  test("nobody says that a token is bad where one of them cannot tell", async () => {
    const known = users();
    const rules = [tokenRule(), tokenRule({ keys: { type: "inline", jwks: keySetOf(other) } })];
    expect(await accepted(rules, await token(key), known)).toBe("keys-unavailable");
    expect(await accepted(rules, await token(other), known)).toMatchObject({ user: { issuer } });
  });

  test("a subject with a slash is not taken for another issuer's user", async () => {
    const staff = tokenRule({ issuer: `${issuer}/staff` });
    const text = await token(key, { sub: "staff/ann" });
    expect(await accepted([tokenRule(), staff], text)).toBe("invalid-token");
    expect(await accepted([tokenRule()], text)).toMatchObject({ user: { principal: `${issuer}/staff/ann` } });
    const ann = await token(key, { iss: `${issuer}/staff`, sub: "ann" });
    expect(await accepted([tokenRule(), staff], ann)).toMatchObject({
      user: { principal: `${issuer}/staff/ann` },
    });
  });

  test("a token without a subject has no principal", async () => {
    expect(await accepted([tokenRule()], await token(key, { sub: undefined }))).toMatchObject({
      user: { subject: "", principal: "" },
    });
  });
});

test("a token of an issuer that no rule for its place names is refused, and no key is asked for", async () => {
  const known = knowing();
  const strange = await token(key, { iss: "https://evil.example" });
  expect(await judged([tokenRule()], strange, known)).toEqual({
    ok: false,
    reason: {
      kind: "invalid-token",
      error: "invalid_token",
      detail: "no rule for the place where it stands names its issuer",
    },
  });
  expect(known.counted).toEqual(["end_user_unknown_issuer"]);
  expect(known.servers.asked).toEqual([]);
});

describe("a token that was believed", () => {
  test("is not taken apart again, until it ends or its rule or keys are other ones", async () => {
    const known = knowing();
    const rules = [tokenRule()];
    const text = await token(key, { exp: nowS + 400 });
    const first = await judged(rules, text, known);
    const again = await judged(rules, text, known);
    const userIn = (result: typeof first) => (result.ok ? result.value.user : undefined);
    expect(userIn(again)).toBe(userIn(first));
    expect(userIn(await judged([tokenRule()], text, known))).not.toBe(userIn(first));
    expect(await accepted([tokenRule({ audiences: ["bank"] })], text, known)).toBe("invalid-token");
    known.clock.at = now + 301_000;
    known.servers.answer(keysUrl, keySetOf(other));
    expect(await accepted(rules, text, known)).toBe("invalid-token");
  });

  test("is not believed in another place than those of its rule", async () => {
    const known = knowing();
    const text = await token(key);
    const cookie = tokenRule({ issuer: "https://other.example", places: [{ type: "cookie", name: "s" }] });
    const rules = [tokenRule(), cookie];
    expect(await accepted(rules, text, known)).toMatchObject({ user: { issuer } });
    const prepared = tokenRules(rules);
    const asked = {
      url: "https://shop.example/",
      header: (name: string) => (name === "cookie" ? `s=${text}` : null),
    };
    const result = await judgeUser(prepared, asked, known.ports, { run: () => undefined });
    expect(result.ok ? "" : result.reason.kind).toBe("invalid-token");
  });

  test("takes room that is bounded, by number and by characters, the least used first", async () => {
    const rule = tokenRule();
    const believed = {
      user: { issuer, subject: "a", principal: `${issuer}/a`, claims: {}, spaceDelimited: [] },
      rule,
      keys: { keys: [] },
      until: now + 1_000,
    };
    const cache = new TokenCache(3, 100);
    for (const text of ["a", "b", "c"]) cache.keep(text, believed);
    cache.recall("a", now);
    cache.keep("d", believed);
    expect(["a", "b", "c", "d"].map((text) => cache.recall(text, now) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    cache.keep("x".repeat(99), believed);
    expect(cache.size).toBe(2);
    expect(cache.recall("d", now + 1_000)).toBeUndefined();
    expect(cache.size).toBe(1);
  });
});
