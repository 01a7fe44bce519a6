import { base64url } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import type { TrustBundle } from "../../mesh-runtime/identity/trust-bundle.ts";
import { makeWit, makeWorld, validClaims, type World } from "../unit/identity/fixture.ts";
import { expectRefused, target } from "./attack.ts";
import { type Forged, forge, mirrored, token } from "./attacker.ts";
import { type Isolate, isolate, loadedPolicy } from "./journey.ts";
import { verifications } from "./verifications.ts";

/*
 * 70: what a token costs that an isolate has not seen, or has refused, counted in verifications. Why requests that bring
 * one at the same moment do not wait for each other: docs/decisions/0020-a-token-is-verified-by-whoever-brings-it.md.
 */

let world: World;
let at: Isolate;
beforeAll(async () => {
  world = await makeWorld();
});

const some = (count: number, forged: Forged = {}): Promise<Request[]> =>
  Promise.all(Array.from({ length: count }, () => forge(world, forged)));
const arrive = async (requests: readonly Request[]): Promise<readonly number[]> =>
  (await Promise.all(requests.map((request) => at.arrive(request)))).map(({ status }) => status);

describe("70: a new token that many requests bring at once", () => {
  test("is verified by each of them at most, however they interleave, and by none that comes later", async () => {
    at = await target(world);
    const [first, later] = [await some(20), await some(20)];
    const cost = await verifications(async () => expect(await arrive(first)).toEqual(Array(20).fill(200)));
    // Here all of them take turns at every await, which no runtime does with requests: this is the worst case.
    expect(cost.tokens).toBeLessThanOrEqual(20);
    expect(at.cache.size).toBe(1);
    expect(await verifications(() => arrive(later))).toEqual({ tokens: 0, proofs: 20 });
  });

  test("is verified by as many as come before the first is done, and waits for none of them", async () => {
    at = await target(world);
    const doors: (() => void)[] = [];
    const shut = () => new Promise<void>((open) => doors.push(open));
    const [early, late] = [await some(3), await some(10)];
    const cost = await verifications(async (soFar) => {
      const [first, ...others] = early.map((request) => at.arrive(request));
      // The first one is done, and the others are stuck for ever, as where a platform has cancelled them.
      await opened(doors, 3);
      doors[0]?.();
      expect((await first)?.status).toBe(200);
      expect(soFar().tokens).toBe(3);
      expect(await arrive(late)).toEqual(Array(10).fill(200));
      expect(soFar().tokens).toBe(3);
      for (const open of doors.slice(1)) open();
      expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200]);
    }, shut);
    expect(cost).toEqual({ tokens: 3, proofs: 13 });
  });

  test("costs one where a request comes before the others", async () => {
    at = await target(world);
    const cost = await verifications(async () => {
      await arrive(await some(1));
      await arrive(await some(10));
    });
    expect(cost).toEqual({ tokens: 1, proofs: 11 });
  });
});

/** Waits until so many stand at a door. */
async function opened(doors: readonly unknown[], count: number): Promise<void> {
  while (doors.length < count) await Promise.resolve();
}

describe("70: a token that is refused", () => {
  const parts = (change: (head: string, payload: string, signature: string) => string): Forged => {
    const [head = "", payload = "", signature = ""] = world.credential.wit.split(".");
    return { wit: change(head, payload, signature) };
  };
  const ofPayload = (claims: object) =>
    parts((head, _, signature) => `${head}.${base64url.encode(JSON.stringify(claims))}.${signature}`);

  test.each<[what: string, tokens: 0 | 1, how: () => Forged | Promise<Forged>]>([
    [
      "claims under a signature that is not theirs",
      1,
      () => ofPayload({ ...validClaims(world.keys), jti: "j" }),
    ],
    ["a signature of zeroes", 1, () => parts((head, payload) => `${head}.${payload}.${"A".repeat(86)}`)],
    [
      "a sound signature over claims that are refused",
      1,
      async () => ({ wit: await token(world, { exp: 1 }) }),
    ],
    ["a key that nobody knows", 0, async () => ({ wit: await token(world, {}, { kid: "issuer-2" }) })],
    ["another algorithm", 0, async () => ({ wit: await token(world, {}, { alg: "ES384" }) })],
    ["another type", 0, async () => ({ wit: await token(world, {}, { typ: "JWT" }) })],
    ["a key in its header", 0, async () => ({ wit: await token(world, {}, { jwk: {} }) })],
    ["no three parts", 0, () => parts((head, payload) => `${head}.${payload}`)],
    ["a second spelling of its signature", 0, () => parts((head, payload, s) => `${head}.${payload}.${s}=`)],
    ["more than 4,096 characters", 0, async () => ({ wit: await token(world, { pad: "x".repeat(4_096) }) })],
  ])("for %s costs %i verifications each time it comes, and keeps nothing", async (_, tokens, how) => {
    at = await target(world);
    const requests = await some(3, await how());
    const cost = await verifications(async () => {
      for (const request of requests) expectRefused(await at.arrive(request), /token|malformed/);
    });
    expect(cost).toEqual({ tokens: 3 * tokens, proofs: 0 });
    expect([at.cache.size, at.replay.size]).toEqual([0, 0]);
  });

  test("costs no second verification where a newer bundle is fetched for it", async () => {
    const older: TrustBundle = { ...world.bundle, sequence: world.bundle.sequence - 1, keys: new Map() };
    at = isolate(
      await loadedPolicy(),
      () => older,
      undefined,
      async () => world.bundle,
    );
    const cost = await verifications(async () => expect(await arrive(await some(1))).toEqual([200]));
    expect(cost).toEqual({ tokens: 1, proofs: 1 });
  });

  test("among floods of junk leaves a known caller at no verification of his token", async () => {
    at = await target(world);
    await arrive(await some(1));
    const junk = await some(50, ofPayload({ ...validClaims(world.keys), jti: "j" }));
    const known = await some(50);
    const cost = await verifications(async () => {
      for (const [turn, request] of junk.entries()) {
        await at.arrive(request);
        await arrive(known.slice(turn, turn + 1));
      }
    });
    expect(cost).toEqual({ tokens: 50, proofs: 50 });
    expect(at.cache.size).toBe(1);
  });
});

describe("70: the key of the cache", () => {
  test("is the token's whole text: another text of the same claims is verified on its own", async () => {
    at = await target(world);
    await arrive(await some(1));
    const [head = "", payload = "", signature = ""] = world.credential.wit.split(".");
    const other = `${head}.${payload}.${base64url.encode(mirrored(base64url.decode(signature)))}`;
    const cost = await verifications(async () => {
      for (const request of await some(2, { wit: other }))
        expect((await at.arrive(request)).status).toBe(200);
    });
    expect(cost).toEqual({ tokens: 1, proofs: 2 });
    expect(at.cache.size).toBe(2);
  });

  test("is nothing that a token says: one that says the same, of another key, finds nothing", async () => {
    at = await target(world);
    await arrive(await some(1));
    const wit = await makeWit(world, { iat: validClaims(world.keys).iat, extra: 1 });
    const bad = { wit: wit.replace(/[^.]+$/, world.credential.wit.split(".")[2] ?? "") };
    const cost = await verifications(async () => {
      for (const request of await some(2, bad)) expectRefused(await at.arrive(request), /token/);
    });
    expect(cost).toEqual({ tokens: 2, proofs: 0 });
  });

  test("holds a token, and no verdict on a request: a bad proof beside a known token is verified and refused", async () => {
    at = await target(world);
    await arrive(await some(1));
    const cost = await verifications(async () => {
      for (const request of await some(3, { arrives: { method: "PUT" } }))
        expectRefused(await at.arrive(request), /proof/);
    });
    expect(cost).toEqual({ tokens: 0, proofs: 3 });
  });
});
