import { beforeAll, describe, expect, test } from "vitest";
import type { KeySource } from "../../../mesh-runtime/identity/end-user.ts";
import { type KeySet, maxKeySetSize } from "../../../mesh-runtime/identity/key-set.ts";
import { forcedGapMs, lastGoodMs } from "../../../mesh-runtime/identity/key-sets.ts";
import { value } from "./fixture.ts";
import { type IssuerKey, issuerKey, keySetOf, keysUrl, type Users, users } from "./users.ts";

const source: KeySource = { type: "url", url: keysUrl, timeoutMs: 5_000 };
let first: IssuerKey;
let second: IssuerKey;
beforeAll(async () => {
  [first, second] = await Promise.all([issuerKey("first"), issuerKey("second")]);
});

/** Asks for the keys in force, and lets what goes on in the background end. */
async function held(known: Users, from: KeySource = source) {
  const background: Promise<unknown>[] = [];
  const answer = await known.ports.keySets.keysOf(from, { run: (work) => void background.push(work) });
  await Promise.all(background);
  return { answer, inBackground: background.length };
}

const kidsOf = ({ keys }: KeySet): readonly unknown[] => keys.map(({ kid }) => kid);
const kids = async (known: Users) => kidsOf(value((await held(known)).answer));

function serving(answer: string, headers: HeadersInit = {}): Users {
  const known = users();
  known.servers.answer(keysUrl, answer, headers);
  return known;
}

describe("keys of an issuer", () => {
  test("are fetched once, and then held", async () => {
    const known = serving(keySetOf(first));
    expect(await kids(known)).toEqual(["first"]);
    expect(await kids(known)).toEqual(["first"]);
    expect(known.servers.asked).toEqual([keysUrl]);
    expect(known.counted).toEqual(["key_set_fetched"]);
  });

  test("are fetched again in the background before they are no longer fresh", async () => {
    const known = serving(keySetOf(first), { "cache-control": "public, max-age=1000" });
    await held(known);
    known.servers.answer(keysUrl, keySetOf(second));
    known.clock.at += 749_000;
    expect((await held(known)).inBackground).toBe(0);
    known.clock.at += 1_000;
    const { answer, inBackground } = await held(known);
    expect([kidsOf(value(answer)), inBackground]).toEqual([["first"], 1]);
    expect(await kids(known)).toEqual(["second"]);
  });

  test("that nobody refreshed in time are fetched by the request that needs them", async () => {
    const known = serving(keySetOf(first));
    await held(known);
    known.servers.answer(keysUrl, keySetOf(second));
    known.clock.at += 3_600_000;
    expect(await kids(known)).toEqual(["second"]);
  });

  test.each([
    ["", 300_000],
    ["max-age=5", 60_000],
    ["no-store", 60_000],
    ["max-age=600", 600_000],
    ["max-age=999999999", 3_600_000],
    ["max-age=-1", 300_000],
    ["s-maxage=5", 300_000],
  ])("with cache-control %j are fresh for %d ms", async (control, freshMs) => {
    const known = serving(keySetOf(first), { "cache-control": control });
    await held(known);
    known.servers.answer(keysUrl, () => new Response(null, { status: 500 }));
    known.clock.at += freshMs * 0.74;
    await held(known);
    expect(known.servers.asked).toHaveLength(1);
    known.clock.at += freshMs * 0.02;
    await held(known);
    expect(known.servers.asked).toHaveLength(2);
  });

  test("stay the same set while their text is the same, so that what they verified stays verified", async () => {
    const known = serving(keySetOf(first));
    const before = value((await held(known)).answer);
    known.clock.at += 3_600_000;
    expect(value((await held(known)).answer)).toBe(before);
    expect(known.servers.asked).toHaveLength(2);
  });

  test("stay in use for a day while their issuer fails, and not longer", async () => {
    const known = serving(keySetOf(first));
    await held(known);
    known.servers.answer(keysUrl, () => new Response("down", { status: 503 }));
    known.clock.at += lastGoodMs - 1;
    expect(await kids(known)).toEqual(["first"]);
    known.clock.at += 1;
    const { answer } = await held(known);
    expect(answer).toMatchObject({ ok: false, reason: { why: "its address answered 503" } });
  });

  test("are asked for less and less often while their issuer fails", async () => {
    const known = users();
    for (let second = 0; second < 120; second++) {
      await held(known);
      known.clock.at += 1_000;
    }
    // after 1, 2, 4, 8, 16 seconds, and then every 30
    expect(known.servers.asked).toHaveLength(8);
  });

  test.each([
    [
      "a redirect",
      () => Response.redirect("https://elsewhere.example/keys", 302),
      "its address answered 302",
    ],
    ["no JSON", () => new Response("<html>"), "it is not JSON"],
    ["another document", () => Response.json({ issuer: "x" }), 'it is not an object with a list "keys"'],
    ["no keys", () => Response.json({ keys: [] }), "it has no key for verifying that is known here"],
    [
      "too many keys",
      () => Response.json({ keys: Array.from({ length: 65 }, () => ({ kty: "EC" })) }),
      "it has more than 64 keys",
    ],
    [
      "too much",
      () => new Response(" ".repeat(maxKeySetSize + 1)),
      `its address answered with more than ${maxKeySetSize} bytes`,
    ],
    [
      "nothing",
      () => Promise.reject(new Error("secret of the platform")),
      "its address could not be reached",
    ],
  ])("are not taken from an answer with %s, and the last good ones stay", async (_what, answer, why) => {
    const none = users();
    none.servers.answer(keysUrl, answer);
    expect((await held(none)).answer).toMatchObject({ ok: false, reason: { why } });
    const known = serving(keySetOf(first));
    await held(known);
    known.servers.answer(keysUrl, answer);
    known.clock.at += 3_600_000;
    expect(await kids(known)).toEqual(["first"]);
    expect(known.counted).toContain("key_set_failed");
  });

  test("that are not there in time are not waited for", async () => {
    const known = users();
    known.servers.answer(keysUrl, () => new Promise<Response>(() => undefined));
    const asking = held(known);
    known.timeOut();
    expect((await asking).answer).toMatchObject({
      ok: false,
      reason: { why: "its address did not answer in time", retryAfterMs: 1_000 },
    });
  });

  test("each of several first requests fetches for itself, and none waits for another", async () => {
    const known = users();
    let hang = true;
    known.servers.answer(keysUrl, () =>
      hang ? new Promise<Response>(() => undefined) : new Response(keySetOf(first)),
    );
    const lost = held(known);
    hang = false;
    expect(await kids(known)).toEqual(["first"]);
    known.timeOut();
    await lost;
    expect(await kids(known)).toEqual(["first"]);
  });

  test("once it has failed, one request at a time tries a silent issuer, and the others are told at once", async () => {
    const known = users();
    await held(known);
    known.servers.answer(keysUrl, () => new Promise<Response>(() => undefined));
    known.clock.at += 1_000;
    const trying = held(known);
    expect((await held(known)).answer.ok).toBe(false);
    expect(known.servers.asked).toHaveLength(2);
    known.timeOut();
    await trying;
  });

  test("written into a document need nobody to be asked", async () => {
    const known = users();
    const { answer } = await held(known, { type: "inline", jwks: keySetOf(first) });
    expect(kidsOf(value(answer))).toEqual(["first"]);
    expect(known.servers.asked).toEqual([]);
  });

  test("of more issuers than fit are let go of, the least used first", async () => {
    const known = users();
    for (let count = 0; count < 200; count++) {
      const url = `${keysUrl}/${count}`;
      known.servers.answer(url, keySetOf(first));
      await held(known, { ...source, url });
    }
    expect(known.ports.keySets.size).toBe(128);
  });
});

describe("keys that are not there yet", () => {
  const newer = async (known: Users, keys: KeySet) => known.ports.keySets.newerThan(keys, source);

  test("are fetched for a token that names one, and not again for half a minute", async () => {
    const known = serving(keySetOf(first));
    const keys = value((await held(known)).answer);
    known.servers.answer(keysUrl, keySetOf(second));
    const rotated = await newer(known, keys);
    expect(rotated && kidsOf(rotated)).toEqual(["second"]);
    for (let junk = 0; junk < 100; junk++) expect(await newer(known, rotated ?? keys)).toBeUndefined();
    expect(known.servers.asked).toHaveLength(2);
    known.clock.at += forcedGapMs;
    await newer(known, rotated ?? keys);
    await newer(known, rotated ?? keys);
    expect(known.servers.asked).toHaveLength(3);
  });

  test("are there for whoever asks with an older set", async () => {
    const known = serving(keySetOf(first));
    const keys = value((await held(known)).answer);
    known.servers.answer(keysUrl, keySetOf(second));
    await newer(known, keys);
    expect(await newer(known, keys)).toBe(value((await held(known)).answer));
    expect(known.servers.asked).toHaveLength(2);
  });

  test("at most eight requests ask for at once", async () => {
    const known = serving(keySetOf(first));
    const keys = value((await held(known)).answer);
    await Promise.all(Array.from({ length: 50 }, () => newer(known, keys)));
    expect(known.servers.asked).toHaveLength(9);
  });

  test("of a document are not looked for", async () => {
    const known = users();
    const inline: KeySource = { type: "inline", jwks: keySetOf(first) };
    const keys = value((await held(known, inline)).answer);
    expect(await known.ports.keySets.newerThan(keys, inline)).toBeUndefined();
  });
});
