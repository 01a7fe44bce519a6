import { beforeAll, describe, expect, test } from "vitest";
import { GrantedSessions } from "../../../mesh-runtime/identity/granted-sessions.ts";
import { beginSession, openGrant } from "../../../mesh-runtime/identity/session-grant.ts";
import { importSessionKeys, type SessionKey } from "../../../mesh-runtime/identity/session-keys.ts";
import { issuedKey, sessionKey } from "./agreement.ts";
import { makeWorld, now, self, value, type World } from "./fixture.ts";

let world: World;
let key: SessionKey;
beforeAll(async () => {
  world = await makeWorld();
  key = await sessionKey();
});

const bytes = (text: string) => new TextEncoder().encode(text);

describe("a session", () => {
  const judge = async () => ({
    audience: self,
    keys: [key],
    caller: {
      id: { uri: world.credential.id.uri },
      proofKey: await crypto.subtle.importKey(
        "jwk",
        { ...world.keys.publicJwk },
        { name: "ECDSA", namedCurve: "P-256" },
        false,
        ["verify"],
      ),
      expiresAt: world.credential.expiresAt,
    },
    wit: world.credential.wit,
    now,
  });

  test("is agreed on by both sides, and its key cannot be taken out", async () => {
    const session = await beginSession(self, key.name, world.credential, now);
    const granted = value(await openGrant(session?.grant ?? "", await judge()));
    expect(granted.expiresAt).toBe(session?.expiresAt);
    expect(session?.expiresAt).toBe(now + 600_000);
    expect([session?.key.extractable, granted.key.extractable]).toEqual([false, false]);
    const text = bytes("what is proved");
    const mac = await crypto.subtle.sign("HMAC", session?.key as CryptoKey, text);
    expect(await crypto.subtle.verify("HMAC", granted.key, mac, text)).toBe(true);
  });

  test("ends with its token", async () => {
    const short = { ...world.credential, expiresAt: now + 90_000 };
    expect((await beginSession(self, key.name, short, now))?.expiresAt).toBe(now + 90_000);
  });

  test("is another one each time, with another key", async () => {
    const [one, two] = [
      await beginSession(self, key.name, world.credential, now),
      await beginSession(self, key.name, world.credential, now),
    ];
    expect(one?.grant).not.toBe(two?.grant);
    const granted = value(await openGrant(one?.grant ?? "", await judge()));
    const mac = await crypto.subtle.sign("HMAC", two?.key as CryptoKey, bytes("a"));
    expect(await crypto.subtle.verify("HMAC", granted.key, mac, bytes("a"))).toBe(false);
  });
});

describe("importSessionKeys()", () => {
  test("takes what the issuer sent, and no private half can be taken out again", async () => {
    const issued = await issuedKey();
    const [taken] = await importSessionKeys([issued]);
    expect(taken).toMatchObject({ name: issued.publicKey, from: issued.from, until: issued.until });
    expect(taken?.privateKey.extractable).toBe(false);
  });

  test("leaves out what is no key, and takes the rest", async () => {
    const issued = await issuedKey();
    const broken = [
      null,
      "key",
      { ...issued, secret: 7 },
      { ...issued, secret: `${issued.secret}A` },
      { ...issued, publicKey: "" },
      { ...issued, from: "now" },
      { ...issued, until: undefined },
    ];
    expect((await importSessionKeys([...broken, issued])).map(({ name }) => name)).toEqual([
      issued.publicKey,
    ]);
    expect(await importSessionKeys(undefined)).toEqual([]);
    expect(await importSessionKeys({})).toEqual([]);
    expect(await importSessionKeys(Array(100).fill(issued))).toHaveLength(32);
  });
});

describe("GrantedSessions", () => {
  const session = (wit: string, expiresAt: number) => ({
    key: world.keys.privateKey,
    serviceKey: key.name,
    wit,
    expiresAt,
  });

  test("knows a grant by its whole text, with its token, until it ends", () => {
    const granted = new GrantedSessions();
    granted.keep("grant", session("wit", now + 1));
    expect(granted.recall("grant", "wit", now)).toBeDefined();
    expect(granted.recall("grant ", "wit", now)).toBeUndefined();
    expect(granted.recall("grant", "other", now)).toBeUndefined();
    expect(granted.recall("grant", "wit", now)).toBeDefined();
    expect(granted.recall("grant", "wit", now + 1)).toBeUndefined();
    expect(granted.size).toBe(0);
  });

  test("has room for sixteen sessions of a token at a time, whichever others it has", () => {
    const granted = new GrantedSessions(20);
    const grants = Array.from({ length: 16 }, (_, index) => `grant ${index}`);
    for (const grant of grants) {
      expect(granted.admits("wit", now)).toBe(true);
      granted.keep(grant, session("wit", now + 1));
      granted.keep(grant, session("wit", now + 1));
    }
    expect([granted.admits("wit", now), granted.admits("other", now)]).toEqual([false, true]);
    // One that others push out makes room again.
    for (let count = 0; count < 5; count++) granted.keep(`other ${count}`, session("other", now + 1));
    expect([granted.size, granted.admits("wit", now)]).toEqual([20, true]);
    // And one that is used stays, so that the next pushes out somebody else's.
    for (const grant of grants) granted.recall(grant, "wit", now);
    granted.keep("grant 16", session("wit", now + 2));
    expect([granted.admits("wit", now), granted.admits("wit", now + 1)]).toEqual([false, true]);
    expect(granted.recall("grant 16", "wit", now + 1)).toBeDefined();
  });

  test("forgets the one that was used least lately", () => {
    const granted = new GrantedSessions(2);
    granted.keep("a", session("wit", now + 1));
    granted.keep("b", session("wit", now + 1));
    granted.recall("a", "wit", now);
    granted.keep("c", session("wit", now + 1));
    expect(["a", "b", "c"].map((text) => granted.recall(text, "wit", now) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });
});
