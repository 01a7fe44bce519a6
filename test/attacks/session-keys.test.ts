import { beforeAll, describe, expect, test, vi } from "vitest";
import type { SessionKey } from "../../mesh-runtime/identity/session-keys.ts";
import { sessionKey as aSessionKey, grantFor } from "../unit/identity/agreement.ts";
import { makeWit, makeWorld, now, nowS, type World } from "../unit/identity/fixture.ts";
import { policy, service } from "../unit/policy/writing.ts";
import { expectRefused, target } from "./attack.ts";
import { type Forged, forge } from "./attacker.ts";
import { isolate, loadedPolicy, type Seen } from "./journey.ts";

let world: World;
let key: SessionKey;
beforeAll(async () => {
  world = await makeWorld();
  key = await aSessionKey();
});

const isAdmitted = ({ status, body, reason }: Seen) =>
  expect({ status, body, reason }).toEqual({ status: 200, body: "paid", reason: "" });

const hour = 3_600_000;

describe("the key to begin sessions with", () => {
  const told = async (session: boolean, parameters: Forged["parameters"] = {}, keys = [key]) => {
    const signing = { credential: () => world.credential, nonce: () => "answer" };
    const at = isolate(
      await loadedPolicy(),
      () => world.bundle,
      ...([undefined, undefined, undefined] as const),
      signing,
      keys,
    );
    const proof = session ? { session: await grantFor(world, key) } : {};
    const { status, headers } = await at.arrive(await forge(world, { ...proof, parameters }));
    expect(status).toBe(200);
    return headers.get("tulle-session-key");
  };

  test("is told to who signed: the one that is offered now", async () => {
    const old = await aSessionKey(now - 2 * hour, now);
    const next = await aSessionKey(now + 1, now + hour);
    const present = await aSessionKey(now, now + 1);
    expect(await told(false, {}, [next, old, present])).toBe(present.name);
    expect(await told(false, {}, [next, old])).toBe(null);
  });

  test("is told to nobody who has a session, or signs each request, because he wants signed answers", async () => {
    expect(await told(true)).toBe(null);
    expect(await told(false, { "wimse-sign-response": "" })).toBe(null);
  });

  test("is told to nobody from another trust domain, nor where each request is to be signed", async () => {
    const strict = await loadedPolicy((snapshot) => ({
      ...snapshot,
      inbound: { ...snapshot.inbound, sessionProofs: "refused" },
    }));
    const foreign = await loadedPolicy(undefined, [
      service("payments"),
      policy("MeshConfig", "mesh", "{trustDomain: partner.example}"),
      policy(
        "AuthorizationPolicy",
        "anybody",
        "{rules: [{from: [{source: {principals: [example.org/ns/default/sa/web]}}]}]}",
      ),
    ]);
    const other = { ...world.bundle, trustDomain: "partner.example", keys: new Map() };
    const federated = { ...other, federated: new Map([["example.org", world.bundle]]) };
    for (const [loaded, bundle] of [
      [strict, world.bundle],
      [foreign, federated],
    ] as const) {
      const at = isolate(loaded, () => bundle, undefined, undefined, undefined, undefined, [key]);
      const audience = JSON.stringify(loaded.self.uri);
      const seen = await at.arrive(await forge(world, { parameters: { "wimse-aud": audience } }));
      isAdmitted(seen);
      expect(seen.headers.has("tulle-session-key")).toBe(false);
    }
  });
});

describe("an attacker floods an isolate", () => {
  test("70: with a fresh grant for each, which is not even verified when there are many", async () => {
    const at = await target(world, [key]);
    const sessions = await Promise.all(Array.from({ length: 16 }, () => grantFor(world, key)));
    for (const session of sessions) isAdmitted(await at.arrive(await forge(world, { session })));
    const another = await grantFor(world, key);
    const verify = vi.spyOn(crypto.subtle, "verify");
    try {
      expectRefused(await at.arrive(await forge(world, { session: another })), /session/);
      expect(verify).not.toHaveBeenCalled();
    } finally {
      verify.mockRestore();
    }
    expect(at.granted.size).toBe(16);
    for (const session of sessions) isAdmitted(await at.arrive(await forge(world, { session })));
    // It signs, as do others; and another token has sessions of its own.
    isAdmitted(await at.arrive(await forge(world)));
    const wit = await makeWit(world, { jti: "next" });
    isAdmitted(await at.arrive(await forge(world, { wit, session: await grantFor(world, key, { wit }) })));
    // Those that have ended are in nobody's way.
    const later = { created: String(nowS + 600), expires: String(nowS + 630) };
    const next = await grantFor(world, key, { claims: { iat: nowS + 600, exp: nowS + 1_200 } });
    isAdmitted(await at.arrive(await forge(world, { session: next, parameters: later }), now + 600_000));
    expect(at.granted.size).toBe(2);
  });

  test("70: with junk grants that fill nothing", async () => {
    const at = await target(world, [key]);
    const session = await grantFor(world, key);
    isAdmitted(await at.arrive(await forge(world, { session })));
    for (let count = 0; count < 20; count++) {
      const junk = await grantFor(world, key, { signer: world.issuer.privateKey });
      expectRefused(await at.arrive(await forge(world, { session: junk })), /session/);
    }
    expect(at.granted.size).toBe(1);
  });
});
