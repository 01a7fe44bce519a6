import { importPublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { openDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import type { BundlePayload } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { describe, expect, test } from "vitest";
import {
  type Keyring,
  type KeyStore,
  openKeyring,
  type RingChange,
  type RingSettings,
  rotation,
  rotationOf,
} from "../../../control/issuer/keyring.ts";

const secret = "a secret of the tests, 32 characters and more";
const start = Date.UTC(2026, 10, 1);
const hour = 3_600_000;

function memory(): KeyStore & { readonly facts: Record<string, string> } {
  const facts: Record<string, string> = {};
  return {
    facts,
    read: <T>(name: string) => (facts[name] === undefined ? undefined : (JSON.parse(facts[name]) as T)),
    write: (written) => {
      for (const [name, value] of Object.entries(written)) facts[name] = JSON.stringify(value);
    },
  };
}

const settings = (current: string | undefined = secret, previous?: string): RingSettings => ({
  trustDomain: "mesh.local",
  secrets: { current, previous },
  rotation,
  revoked: [],
  federated: [],
});

async function open(
  store: KeyStore,
  now: number,
  change?: RingChange,
  using: RingSettings = settings(),
): Promise<Keyring> {
  const opened = await openKeyring(store, using, now, change);
  if (!opened.ok) throw new Error(opened.reason);
  return opened.value;
}

async function payload({ root, bundle }: Keyring): Promise<BundlePayload> {
  const key = await importPublicJwk(root.publicJwk);
  if (!key.ok) throw new Error(key.reason);
  const opened = await openDocument<BundlePayload>(bundle.signed, "tulle-bundle+jwt", key.value);
  if (!opened.ok) throw new Error(opened.reason);
  return opened.value;
}

describe("openKeyring()", () => {
  test("makes a root and a signing key once, and finds them again", async () => {
    const store = memory();
    const first = await open(store, start);
    const again = await open(store, start + 1);
    expect(again.root.kid).toBe(first.root.kid);
    expect(again.bundle).toEqual(first.bundle);
    expect(await payload(first)).toMatchObject({
      trustDomain: "mesh.local",
      sequence: 1,
      exp: start / 1_000 + 86_400,
      keys: [{ kid: first.signer.kid, use: "wit-svid" }],
    });
  });

  test("nothing secret is stored in the clear, and nothing can be exported", async () => {
    const store = memory();
    const { root, signer } = await open(store, start);
    expect(Object.values(store.facts).join()).not.toMatch(/"d":/);
    for (const key of [root, signer]) {
      await expect(crypto.subtle.exportKey("jwk", key.privateKey)).rejects.toThrow();
    }
  });

  test.each([
    ["without a secret", undefined],
    ["with an empty one", ""],
    ["with a short one", "short"],
  ])("refuses to start issuing %s and writes nothing", async (_, given) => {
    const store = memory();
    const opened = await openKeyring(store, { ...settings(), secrets: { current: given } }, start);
    expect(opened.ok ? "" : opened.reason).toMatch(/secret/i);
    expect(store.facts).toEqual({});
  });

  test("with another secret than before it refuses, and keeps the keys", async () => {
    const store = memory();
    await open(store, start);
    const before = { ...store.facts };
    expect((await openKeyring(store, settings(secret.toUpperCase()), start)).ok).toBe(false);
    expect(store.facts).toEqual(before);
  });

  test("signs the bundle anew when half of its day is over, with a greater sequence", async () => {
    const store = memory();
    const first = await open(store, start);
    expect(first.until).toBe(start + 12 * hour);
    const second = await open(store, first.until);
    expect([second.bundle.sequence, second.signer.kid]).toEqual([2, first.signer.kid]);
  });

  test("the next key is published before it signs, and the last one stays until its tokens have ended", async () => {
    const store = memory();
    const first = (await open(store, start)).signer.kid;
    const turnsAt = start + rotation.activeMs;
    const prepared = await open(store, turnsAt - rotation.publishAheadMs);
    expect(prepared.signer.kid).toBe(first);
    expect(prepared.bundle.keys).toHaveLength(2);
    const turned = await open(store, turnsAt);
    expect(turned.signer.kid).not.toBe(first);
    expect(turned.bundle.keys.map(({ kid }) => kid)).toContain(first);
    const later = await open(store, turnsAt + rotation.lingerMs);
    expect(later.bundle.keys.map(({ kid }) => kid)).toEqual([turned.signer.kid]);
    expect(later.root.kid).toBe(prepared.root.kid);
  });
});

const states = ({ slots }: Keyring) => slots.map(({ state }) => state);

describe("an operator", () => {
  test("has the next key made now, and it signs when it has been published for five refresh hints", async () => {
    const store = memory();
    const first = await open(store, start);
    const asked = await open(store, start + hour, { kind: "rotate" });
    expect([asked.signer.kid, asked.bundle.sequence]).toEqual([first.signer.kid, 2]);
    expect(states(asked)).toEqual(["active", "prepared"]);
    const turnsAt = start + hour + rotation.publishAheadMs;
    expect([asked.until, asked.slots[1]?.movesAt]).toEqual([turnsAt, turnsAt]);
    expect((await open(store, turnsAt - 1)).signer.kid).toBe(first.signer.kid);
    const turned = await open(store, turnsAt);
    expect(turned.signer.kid).toBe(asked.slots[1]?.kid);
    expect(states(turned)).toEqual(["retiring", "active"]);
  });

  test("who asks twice gets one next key, and who asks when it is known has it sign at once", async () => {
    const store = memory();
    await open(store, start);
    await open(store, start, { kind: "rotate" });
    expect(states(await open(store, start + 1, { kind: "rotate" }))).toEqual(["active", "prepared"]);
    const store2 = memory();
    await open(store2, start);
    const prepared = start + rotation.activeMs - rotation.publishAheadMs;
    await open(store2, prepared - 1);
    await open(store2, prepared);
    const known = await open(store2, start + rotation.activeMs, { kind: "rotate" });
    expect(states(known)).toEqual(["retiring", "active"]);
  });

  test("who revokes the key that signs gets another one at once, and the bundle lacks the first", async () => {
    const store = memory();
    const first = await open(store, start);
    const revoked = await open(store, start + 1, { kind: "revoke", kid: first.signer.kid });
    expect(states(revoked)).toEqual(["active"]);
    expect((await payload(revoked)).keys.map(({ kid }) => kid)).toEqual([revoked.signer.kid]);
    expect(revoked.signer.kid).not.toBe(first.signer.kid);
    expect(revoked.bundle.sequence).toBe(2);
  });

  test("who revokes it while the next one is published gets that one", async () => {
    const store = memory();
    await open(store, start);
    const both = await open(store, start, { kind: "rotate" });
    const [active, prepared] = both.slots;
    const revoked = await open(store, start + 1, { kind: "revoke", kid: active?.kid ?? "" });
    expect([revoked.signer.kid, states(revoked)]).toEqual([prepared?.kid, ["active"]]);
  });

  test("cannot revoke a key that is not there", async () => {
    const store = memory();
    await open(store, start);
    const before = { ...store.facts };
    expect((await openKeyring(store, settings(), start, { kind: "revoke", kid: "nobody" })).ok).toBe(false);
    expect(store.facts).toEqual(before);
  });

  test("rolls the root in two steps: the next one is named in the bundle before it signs", async () => {
    const store = memory();
    const first = await open(store, start);
    expect((await openKeyring(store, settings(), start, { kind: "roll-root" })).ok).toBe(false);
    const prepared = await open(store, start, { kind: "prepare-root" });
    expect(prepared.root.kid).toBe(first.root.kid);
    expect((await payload(prepared)).roots).toEqual([first.root.publicJwk, prepared.nextRoot?.publicJwk]);
    expect(prepared.nextRoot?.since).toBe(start);
    const again = await open(store, start + hour, { kind: "prepare-root" });
    expect(again.nextRoot).toEqual(prepared.nextRoot);
    const rolled = await open(store, start, { kind: "roll-root" });
    expect([rolled.root.kid, rolled.nextRoot]).toEqual([prepared.nextRoot?.kid, undefined]);
    expect((await payload(rolled)).roots).toEqual([rolled.root.publicJwk]);
    expect(rolled.signer.kid).toBe(first.signer.kid);
    expect(rolled.bundle.sequence).toBeGreaterThan(prepared.bundle.sequence);
  });

  test("counts from now since when a root key is published that an older version prepared", async () => {
    const store = memory();
    const prepared = await open(store, start, { kind: "prepare-root" });
    delete store.facts.nextRootAt;
    const later = await open(store, start + hour);
    expect(later.nextRoot).toEqual({ ...prepared.nextRoot, since: start + hour });
    expect((await open(store, start + 2 * hour)).nextRoot?.since).toBe(start + hour);
    await open(store, start + 2 * hour, { kind: "roll-root" });
    expect((await open(store, start + 3 * hour, { kind: "prepare-root" })).nextRoot?.since).toBe(
      start + 3 * hour,
    );
  });

  test("says for how long a key signs, and nothing that cannot be read is taken for the default", () => {
    expect(rotationOf("")).toEqual({ ok: true, value: rotation });
    expect(rotationOf("1h")).toEqual({ ok: true, value: { ...rotation, activeMs: hour } });
    for (const wrong of ["30d", "59m", "9601h", "-1h", "month"]) expect(rotationOf(wrong).ok).toBe(false);
  });
});

describe("the secret that keys rest under", () => {
  const other = "another secret of the tests, 32 characters and more";

  test("may be changed: with the former one beside it everything is read, and rests under the new one", async () => {
    const store = memory();
    const first = await open(store, start, { kind: "prepare-root" });
    await open(store, start, { kind: "rotate" });
    const moved = await open(store, start + 1, undefined, settings(other, secret));
    expect([moved.root.kid, moved.signer.kid]).toEqual([first.root.kid, first.signer.kid]);
    const after = await open(store, start + 2, undefined, settings(other));
    expect([after.root.kid, after.nextRoot?.kid]).toEqual([first.root.kid, first.nextRoot?.kid]);
    expect(
      (await open(store, start + rotation.publishAheadMs, undefined, settings(other))).signer.kid,
    ).not.toBe(first.signer.kid);
    expect((await openKeyring(store, settings(secret), start + 3)).ok).toBe(false);
  });

  test("is not changed where neither of two opens what is stored, and nothing is written", async () => {
    const store = memory();
    await open(store, start);
    const before = { ...store.facts };
    expect((await openKeyring(store, settings(other, `${other}!`), start)).ok).toBe(false);
    expect(store.facts).toEqual(before);
  });

  test("stays, with a former one that is set still", async () => {
    const store = memory();
    await open(store, start);
    const before = { ...store.facts };
    await open(store, start + 1, undefined, settings(secret, other));
    expect(store.facts).toEqual(before);
  });
});
