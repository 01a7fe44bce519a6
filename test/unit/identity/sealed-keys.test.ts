import { base64url } from "jose";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  makeOpener,
  maxSealedKeysLength,
  type Opener,
  type SealedKeys,
  sealedKeysType,
  sealKeys,
} from "../../../mesh-runtime/identity/sealed-keys.ts";
import type { IssuedSessionKey } from "../../../mesh-runtime/identity/session-keys.ts";
import { signDocument } from "../../../mesh-runtime/identity/signed-document.ts";
import { half, issuedKey } from "./agreement.ts";
import { makeWit, makeWorld, now, publicKeyOf, value, type World } from "./fixture.ts";

let world: World;
let wit: string;
let keys: readonly IssuedSessionKey[];
let opener: Opener;
beforeAll(async () => {
  world = await makeWorld();
  wit = await makeWit(world);
  keys = [await issuedKey(), await issuedKey(now + 3_000_000, now + 6_600_000)];
});
beforeEach(async () => {
  opener = await makeOpener();
});

const sealed = async (sealingKey = opener.sealingKey, token = wit, what: readonly unknown[] = keys) => {
  const made = await sealKeys(what as readonly IssuedSessionKey[], sealingKey, token);
  if (made === undefined) throw new Error("nothing was sealed");
  return made;
};
const signed = (payload: object, by = world.root, type = sealedKeysType) =>
  signDocument(payload, type, "root-1", by.privateKey);
/** What comes of a document: the names of its keys, or why there are none. */
async function opened(document: unknown, token = wit, roots?: readonly CryptoKey[]): Promise<unknown> {
  const found = await opener.open(document, token, roots ?? [world.rootKey]);
  return found.ok ? found.value.map(({ name }) => name) : found.reason;
}
const names = () => keys.map(({ publicKey }) => publicKey);
const unsealable = "the seal has no keys in it, or does not open";

describe("keys that are sealed for a join and signed by the root key", () => {
  test("are opened by it: the same ones, with their times, and not to be exported again", async () => {
    const found = value(await opener.open(await signed(await sealed()), wit, [world.rootKey]));
    expect(found.map(({ name, from, until }) => [name, from, until])).toEqual(
      keys.map(({ publicKey, from, until }) => [publicKey, from, until]),
    );
    expect(found.map(({ privateKey }) => privateKey.extractable)).toEqual([false, false]);
  });

  test("are opened under either root key while the root rolls", async () => {
    const next = await makeWorld();
    const roots = [next.rootKey, world.rootKey];
    expect(await opened(await signed(await sealed()), wit, roots)).toEqual(names());
    expect(await opened(await signed(await sealed(), next.root), wit, roots)).toEqual(names());
  });

  test("show nothing of themselves, and never look the same", async () => {
    const [one, other] = [await sealed(), await sealed()];
    for (const { publicKey, secret } of keys)
      for (const text of [JSON.stringify(one), base64url.decode(one.sealed.split(".")[3] ?? "").join()])
        expect([text.includes(publicKey), text.includes(secret)]).toEqual([false, false]);
    const parts = (document: SealedKeys) => document.sealed.split(".").slice(1);
    for (const [at, part] of parts(one).entries()) expect(parts(other)[at]).not.toBe(part);
  });

  test("of a token that lives for a day fit into what is looked at", async () => {
    const many = await Promise.all(Array.from({ length: 27 }, () => issuedKey()));
    const document = await signed(await sealed(opener.sealingKey, wit, many));
    expect(document.length).toBeLessThan(maxSealedKeysLength * 0.75);
    expect(await opened(document)).toHaveLength(27);
  });
});

describe("an opener takes nothing", () => {
  test("that the root key did not sign, whatever else is right", async () => {
    const mallory = await makeWorld();
    const document = await sealed();
    const unsigned = "the root key did not sign it";
    expect(await opened(await signed(document, mallory.root))).toBe(unsigned);
    expect(await opened(await signed(document, world.issuer))).toBe(unsigned);
    expect(await opened(await signed(document), wit, [])).toBe("there is no root key");
    expect(await opened(await signed(document), wit, [await publicKeyOf(world.issuer)])).toBe(unsigned);
    const [head, , signature] = (await signed(document)).split(".");
    const own = base64url.encode(JSON.stringify(await sealed()));
    expect(await opened(`${head}.${own}.${signature}`)).toBe(unsigned);
    expect(await opened(JSON.stringify(document))).toBe(unsigned);
  });

  test("that the root key signed as something else", async () => {
    expect(await opened(await signed(await sealed(), world.root, "tulle-head+jwt"))).toContain("type");
  });

  test("that came with another token", async () => {
    const other = await makeWit(world, { jti: "another" });
    expect(await opened(await signed(await sealed()), other)).toBe("the keys are for another token");
    const { wth } = await sealed(opener.sealingKey, other);
    // Signed by the root or not, the seal itself names its token.
    expect(await opened(await signed({ ...(await sealed()), wth }), other)).toBe(unsealable);
  });

  test("that is sealed for another join", async () => {
    const document = await sealed((await makeOpener()).sealingKey);
    expect(await opened(await signed(document))).toBe("the keys are sealed for another key");
    expect(await opened(await signed({ ...document, sk: opener.sealingKey }))).toBe(unsealable);
  });

  test.each<[string, (document: SealedKeys) => Readonly<Record<string, unknown>>]>([
    ["with a member more", (document) => ({ ...document, iat: 1 })],
    ["without wth", ({ sk, sealed }) => ({ sk, sealed })],
    ["without sk", ({ wth, sealed }) => ({ wth, sealed })],
    ["without the seal", ({ wth, sk }) => ({ wth, sk })],
    ["with a list for the seal", ({ sealed, ...rest }) => ({ ...rest, sealed: [sealed] })],
    ["with a list for sk", ({ sk, ...rest }) => ({ ...rest, sk: [sk] })],
    ["with a list for wth", ({ wth, ...rest }) => ({ ...rest, wth: [wth] })],
    ["with nothing at all", () => ({})],
  ])("%s", async (_, change) => {
    expect(await opened(await signed(change(await sealed())))).toEqual(expect.stringMatching(/ /));
  });

  test.each<[string, (parts: string[]) => readonly string[]]>([
    ["the version", ([, ...rest]) => ["v2", ...rest]],
    ["no version", ([, ...rest]) => rest],
    ["an iv of other bytes", ([v = "", epk = "", , text = ""]) => [v, epk, "A".repeat(16), text]],
    ["a short iv", ([v = "", epk = "", iv = "", text = ""]) => [v, epk, iv.slice(4), text]],
    ["one digit of the text", ([v = "", epk = "", iv = "", text = ""]) => [v, epk, iv, turned(text)]],
    ["a text that is cut", ([v = "", epk = "", iv = "", text = ""]) => [v, epk, iv, text.slice(0, -4)]],
    ["a text that is no base64url", ([v = "", epk = "", iv = ""]) => [v, epk, iv, "A"]],
    ["no text", ([v = "", epk = "", iv = ""]) => [v, epk, iv, ""]],
    ["a part more", (parts) => [...parts, "AAAA"]],
    ["a half of low order: zero", ([v = "", , iv = "", text = ""]) => [v, "A".repeat(43), iv, text]],
    ["a half of low order: one", ([v = "", , iv = "", text = ""]) => [v, `AQ${"A".repeat(41)}`, iv, text]],
  ])("of whose seal another part is changed: %s", async (_, change) => {
    const document = await sealed();
    const changed = change(document.sealed.split(".")).join(".");
    expect(changed).not.toBe(document.sealed);
    expect(await opened(await signed({ ...document, sealed: changed }))).toBe(unsealable);
  });

  test("with another ephemeral half", async () => {
    const document = await sealed();
    const [v, , ...rest] = document.sealed.split(".");
    const changed = [v, (await half()).text, ...rest].join(".");
    expect(await opened(await signed({ ...document, sealed: changed }))).toBe(unsealable);
  });

  test("that has no keys in it", async () => {
    for (const what of [[], ["key"], [{ publicKey: "A".repeat(43) }]])
      expect(await opened(await signed(await sealed(opener.sealingKey, wit, what)))).toBe(unsealable);
  });

  test("that is too long, or no text", async () => {
    const long = await signed({ ...(await sealed()), sealed: "A".repeat(maxSealedKeysLength) });
    expect(await opened(long)).toContain(`${maxSealedKeysLength} characters`);
    for (const what of [undefined, null, 7, {}, [await signed(await sealed())], "", "a.b.c"])
      expect(await opened(what)).toEqual(expect.stringMatching(/ /));
  });
});

/** The same text with one digit of its middle changed. */
function turned(text: string): string {
  const at = text.length >> 1;
  return `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
}

test.each([
  ["zero", "A".repeat(43)],
  ["one", `AQ${"A".repeat(41)}`],
  ["of order 8 (RFC 7748 §6.1)", base64url.encode(Uint8Array.from(lowOrder()))],
  ["too short", "A".repeat(42)],
  ["not canonical", `${"A".repeat(42)}B`],
  ["no base64url", "=".repeat(43)],
  ["empty", ""],
])("nothing is sealed for a key that is %s", async (_, sealingKey) => {
  expect(await sealKeys(keys, sealingKey, wit)).toBeUndefined();
});

test("each join has a sealing key of its own", async () => {
  const made = await Promise.all(Array.from({ length: 4 }, makeOpener));
  expect(new Set(made.map(({ sealingKey }) => sealingKey)).size).toBe(4);
  for (const { sealingKey } of made) expect(sealingKey).toMatch(/^[A-Za-z0-9_-]{43}$/);
});

/** A point of order 8 on Curve25519. */
function lowOrder(): readonly number[] {
  return (
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
      .match(/../g)
      ?.map((byte) => Number.parseInt(byte, 16)) ?? []
  );
}
