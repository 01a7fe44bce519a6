import { importPublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { openDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import type { BundlePayload } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { describe, expect, test } from "vitest";
import { type Keyring, type KeyStore, openKeyring, rotation } from "../../../control/issuer/keyring.ts";

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

async function open(store: KeyStore, now: number, given: string | undefined = secret): Promise<Keyring> {
  const opened = await openKeyring(store, "mesh.local", given, now);
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
    const opened = await openKeyring(store, "mesh.local", given, start);
    expect(opened.ok ? "" : opened.reason).toMatch(/secret/i);
    expect(store.facts).toEqual({});
  });

  test("with another secret than before it refuses, and keeps the keys", async () => {
    const store = memory();
    await open(store, start);
    const before = { ...store.facts };
    expect((await openKeyring(store, "mesh.local", secret.toUpperCase(), start)).ok).toBe(false);
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
