import { beforeAll, describe, expect, test } from "vitest";
import { ReplayWatch } from "../../control/replay/replay-watch.ts";
import { credentialFrom, generateKeys } from "../../mesh-runtime/identity/credential.ts";
import { ReplayWindow } from "../../mesh-runtime/identity/replay.ts";
import {
  makeWit,
  makeWorld,
  now,
  nowS,
  outcome,
  self,
  signedMessage,
  value,
  verifier,
  type World,
} from "../unit/identity/fixture.ts";
import { expectDenied, expectRefused, target } from "./attack.ts";
import { type Forged, forge, mirrored } from "./attacker.ts";
import { isolate, loadedPolicy, type Seen } from "./journey.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const once: Forged = { parameters: { nonce: '"once"' } };

describe("an attacker who has seen a request", () => {
  test("19, 61: cannot send it again, nor a second spelling of its signature", async () => {
    const at = await target(world);
    expect((await at.arrive(await forge(world, once))).status).toBe(200);
    expectRefused(await at.arrive(await forge(world, once)), /replay/);
    expectRefused(await at.arrive(await forge(world, { ...once, signature: mirrored })), /replay/);
    expectRefused(await at.arrive(await forge(world, { ...once, label: "sig2" })), /replay/);
    expectRefused(await at.arrive(await forge(world, { ...once, url: "https://payments/other" })), /replay/);
  });

  test.each<readonly [string, Forged, RegExp]>([
    ["another method", { arrives: { method: "PUT" } }, /proof/],
    ["another path", { arrives: { url: "https://payments/refund?amount=3&note=" } }, /proof/],
    [
      "another service",
      { parameters: { "wimse-aud": `"${self.replace("payments", "refunds")}"` } },
      /audience/,
    ],
  ])("61: cannot send it with %s", async (_, forged, step) => {
    expectRefused(await (await target(world)).arrive(await forge(world, forged)), step);
  });

  test("61: cannot have it taken by another service", async () => {
    const writtenFor = await loadedPolicy((snapshot) => ({
      ...snapshot,
      spiffeId: self.replace("payments", "refunds"),
    }));
    const other = isolate(writtenFor, () => world.bundle);
    expectRefused(await other.arrive(await forge(world)), /audience/);
  });

  test("62: cannot send it when its minute is over, to any isolate", async () => {
    const request = await forge(world, { parameters: { expires: String(nowS + 60) } });
    const fresh = await target(world);
    for (const ms of [60_000, 61_000, 3_600_000])
      expectRefused(await fresh.arrive(request.clone(), now + ms), /clock/);
    expect((await fresh.arrive(request.clone(), now + 59_999)).status).toBe(200);
    expectRefused(await fresh.arrive(request.clone(), now + 59_999), /replay/);
    expectRefused(await fresh.arrive(request, now + 60_000), /clock/);
  });

  test("70: as a workload that is known and may call nobody, cannot fill the memory of nonces for others", async () => {
    const by = verifier(world, { replay: new ReplayWindow(32) });
    const keys = await generateKeys();
    const wit = await makeWit({ ...world, keys }, { sub: self.replace("payments", "nobody") });
    const credential = value(credentialFrom(wit, keys, now, () => 0.5));
    const floods: string[] = [];
    for (let at = 0; at < 40; at++)
      floods.push(await outcome(await signedMessage({ ...world, credential }), by));
    expect(floods.filter((one) => one === "accepted")).toHaveLength(28);
    expect(floods.at(-1)).toBe("replay");
    expect(await outcome(await signedMessage(world), by)).toBe("accepted");
  });

  test("62: gains nothing from a clock that goes back", async () => {
    const request = await forge(world, once);
    const at = await target(world);
    expect((await at.arrive(request.clone(), now + 10_000)).status).toBe(200);
    expectRefused(await at.arrive(request.clone(), now), /replay/);
    expectRefused(await at.arrive(request, now + 29_000), /replay/);
  });

  test("61: cannot use the nonce of a sender up with a forgery, nor with a proof of another key", async () => {
    const at = await target(world);
    expectRefused(await at.arrive(await forge(world, { ...once, arrives: { method: "PUT" } })), /proof/);
    const keys = await generateKeys();
    const wit = await makeWit({ issuer: world.issuer, keys }, { jti: "other" });
    expect((await at.arrive(await forge(world, { ...once, wit, key: keys.privateKey }))).status).toBe(200);
    expect((await at.arrive(await forge(world, once))).status).toBe(200);
  });

  test("61: can send it once to each other isolate in its half minute, which is documented", async () => {
    const request = await forge(world, once);
    for (const at of [await target(world), await target(world)]) {
      expect((await at.arrive(request.clone())).status).toBe(200);
      expectRefused(await at.arrive(request.clone()), /replay/);
    }
  });
});

describe("an attacker at a route that is strict about replays", () => {
  /** A minute after the memory began, so that what was signed now is judged. */
  const watchBegun = (name = "w-1", at = now - 60_000) => new ReplayWatch(name, at);
  /** An isolate of a service whose policy, or else the caller's route, is strict. */
  const strictly = async (memory: () => ReplayWatch | undefined, inService = true) => {
    const loaded = await loadedPolicy((snapshot) =>
      inService ? { ...snapshot, inbound: { ...snapshot.inbound, replay: "strict" } } : snapshot,
    );
    return isolate(
      loaded,
      () => world.bundle,
      undefined,
      undefined,
      async (proof) => memory()?.admit(proof, now),
    );
  };
  const expectUndecided = (seen: Seen): void => {
    expect([seen.status, seen.problem, seen.handled]).toEqual([503, "replay-undecided", undefined]);
  };

  test.each([
    ["of the service", true, once],
    ["of the caller's route", false, { ...once, headers: { "tulle-replay": "strict" } }],
  ])(
    "59: by the policy %s cannot send a request to a second isolate, in any spelling",
    async (_, inService, forged) => {
      const memory = watchBegun();
      const [first, ...others] = await Promise.all([1, 2, 3, 4].map(() => strictly(() => memory, inService)));
      expect((await first?.arrive(await forge(world, forged)))?.status).toBe(200);
      const spelled: Forged[] = [forged, { ...forged, signature: mirrored }, { ...forged, label: "sig2" }];
      for (const [at, other] of others.entries())
        expectRefused(await other.arrive(await forge(world, spelled[at])), /replay/);
    },
  );

  test("59: gets in once at most when it comes a thousand times at once, to twenty isolates", async () => {
    const memory = watchBegun();
    const isolates = await Promise.all(Array.from({ length: 20 }, () => strictly(() => memory)));
    const request = await forge(world, once);
    const seen = await Promise.all(
      Array.from({ length: 1_000 }, (_, at) => isolates[at % 20]?.arrive(request.clone())),
    );
    expect(seen.filter((each) => each?.status === 200)).toHaveLength(1);
    expect(seen.filter((each) => each?.status === 400)).toHaveLength(999);
  });

  test("59: gains nothing from a new start of the object, nor from the name that it then has", async () => {
    let memory = watchBegun();
    const isolates = await Promise.all([1, 2, 3].map(() => strictly(() => memory)));
    const request = await forge(world, once);
    expect((await isolates[0]?.arrive(request.clone()))?.status).toBe(200);
    memory = watchBegun("w-2", now);
    const refused = await isolates[1]?.arrive(request.clone());
    expect(refused && [refused.status, refused.headers.get("tulle-watch")]).toEqual([503, "w-2"]);
    const renamed = new Request(request);
    renamed.headers.set("tulle-watch", "w-2");
    expectRefused((await isolates[2]?.arrive(renamed)) as Seen, /malformed/);
    // Who has the key, and knows the name, signs anew and is let in.
    const anew = await forge(world, { headers: { "tulle-watch": "w-2" } });
    expect((await isolates[2]?.arrive(anew))?.status).toBe(200);
  });

  test("59: is not let in where the object cannot be asked, or can remember no more", async () => {
    expectUndecided(await (await strictly(() => undefined)).arrive(await forge(world)));
    const full = new ReplayWatch("w-1", now - 60_000, 1);
    const at = await strictly(() => full);
    expect((await at.arrive(await forge(world))).status).toBe(200);
    expectUndecided(await at.arrive(await forge(world)));
  });

  test("59: cannot take the demand of a route off, nor put a name of a memory on", async () => {
    const memory = watchBegun();
    const at = await strictly(() => memory, false);
    const headers = { "tulle-replay": "strict", "tulle-watch": "w-1" };
    for (const name of Object.keys(headers)) {
      const wire = (sent: Headers) => sent.delete(name);
      expectRefused(await at.arrive(await forge(world, { headers, wire })), /proof/);
    }
    const uncovered = { wire: (sent: Headers) => sent.set("tulle-watch", "w-1") };
    expectRefused(await at.arrive(await forge(world, uncovered)), /malformed/);
    expect(memory.size).toBe(0);
  });

  test("59: who is denied anyway uses nothing up", async () => {
    const memory = watchBegun();
    const at = await strictly(() => memory);
    expectDenied(await at.arrive(await forge(world, { url: "https://payments/admin" })));
    expect(memory.size).toBe(0);
  });
});

describe("a flood", () => {
  test("70: of forged tokens leaves the caches as they were, and costs no verification of a known caller", async () => {
    const at = await target(world);
    expect((await at.arrive(await forge(world))).status).toBe(200);
    const known = at.cache.recall(world.credential.wit, world.bundle, now);
    for (let junk = 0; junk < 300; junk++) {
      const [head = "", , signature = ""] = world.credential.wit.split(".");
      const wit = `${head}.${btoa(`{"sub":"${junk}"}`).replaceAll("=", "")}.${signature}`;
      expectRefused(await at.arrive(await forge(world, { wit })), /token/);
    }
    expect([at.cache.size, at.replay.size]).toEqual([1, 1]);
    // The very object: it was never thrown out and verified anew.
    expect(at.cache.recall(world.credential.wit, world.bundle, now)).toBe(known);
  });

  test("70: of sound tokens with bad proofs fills the cache to its limit, and the memory of nonces not at all", async () => {
    const by = verifier(world);
    const at = await target(world);
    const first = await makeWit(world, { jti: "token-0" });
    for (let token = 0; token < 60; token++) {
      const wit = token === 0 ? first : await makeWit(world, { jti: `token-${token}` });
      expectRefused(await at.arrive(await forge(world, { wit, arrives: { method: "PUT" } })), /proof/);
    }
    expect([at.cache.size, at.replay.size]).toEqual([60, 0]);
    const verified = at.cache.recall(first, world.bundle, now);
    if (verified === undefined) throw new Error("the first token is not cached");
    // The limit itself, without a thousand signatures: texts stand for tokens here.
    const { cache } = by;
    for (let token = 0; token < 5_000; token++) {
      cache.keep(`text-${token}`, verified, world.bundle);
      cache.recall("text-0", world.bundle, now);
    }
    expect(cache.size).toBe(1_000);
    expect(cache.recall("text-0", world.bundle, now)).toBe(verified);
    expect(cache.recall("text-1", world.bundle, now)).toBeUndefined();
    expect(cache.recall("text-4999", world.bundle, now)).toBe(verified);
  });

  test("70: a token that was refused is asked anew each time: no bad word stays in the cache", async () => {
    const early = await makeWit(world, { nbf: nowS + 120, jti: "early" });
    const at = await target(world);
    expectRefused(await at.arrive(await forge(world, { wit: early })), /token/);
    const later = { created: String(nowS + 120), expires: String(nowS + 150) };
    const seen = await at.arrive(await forge(world, { wit: early, parameters: later }), now + 120_000);
    expect(seen.status).toBe(200);
  });

  test("70: of nonces is forgotten with its minute; a full memory admits nobody rather than forget one", () => {
    const window = new ReplayWindow(1_000);
    for (let nonce = 0; nonce < 5_000; nonce++) window.admit("sender", `n-${nonce}`, now + 30_000, now);
    expect(window.size).toBe(1_000);
    expect(window.admit("sender", "n-0", now + 30_000, now)).toBe("repeated");
    expect(window.admit("sender", "new", now + 30_000, now)).toBe("full");
    expect(window.admit("sender", "new", now + 70_000, now + 40_000)).toBe("fresh");
    expect(window.size).toBe(1);
  });
});
