import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys, jwkThumbprint } from "../../mesh-runtime/identity/credential.ts";
import { signDocument } from "../../mesh-runtime/identity/signed-document.ts";
import { loadBundle, type TrustBundle } from "../../mesh-runtime/identity/trust-bundle.ts";
import {
  bundlePayload,
  caller,
  makeWorld,
  now,
  nowS,
  publicKeyOf,
  signBundle,
  value,
  type World,
} from "../unit/identity/fixture.ts";
import { expectRefused } from "./attack.ts";
import { forge, token } from "./attacker.ts";
import { isolate, loadedPolicy } from "./journey.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

/** A bundle of this world's root with other members, as an attacker who can write KV might want it. */
const bundleWith = async (changed: Readonly<Record<string, unknown>>): Promise<string> =>
  signBundle(world.root, { ...bundlePayload(world.issuer), ...changed });
const published = async (changed: Readonly<Record<string, unknown>>): Promise<TrustBundle> =>
  value(await loadBundle(await bundleWith(changed), world.rootKey, undefined, now));
const taken = async (text: string, held: TrustBundle | undefined = world.bundle) =>
  (await loadBundle(text, world.rootKey, held, now)).ok;
const keyed = (kid: string, keys = world.issuer) => ({ ...keys.publicJwk, kid, use: "wit-svid" });

/** An isolate whose bundle can be exchanged. */
async function worker() {
  let bundle: TrustBundle | undefined = world.bundle;
  const at = isolate(await loadedPolicy(), () => bundle);
  return {
    at,
    hold: (next: TrustBundle | undefined) => {
      bundle = next;
    },
  };
}

describe("an attacker who can write what is published", () => {
  test.each<readonly [number, string, () => Promise<string>]>([
    [
      7,
      "two keys under one kid",
      async () => bundleWith({ keys: [keyed("a"), keyed("a", await generateKeys())] }),
    ],
    [
      66,
      "a bundle that it signed itself",
      async () => signBundle(await generateKeys(), bundlePayload(world.issuer)),
    ],
    [
      66,
      "a bundle that the issuer's key signed",
      async () => signBundle(world.issuer, bundlePayload(world.issuer)),
    ],
    [
      66,
      "another document of the root's for a bundle",
      () => signDocument(bundlePayload(world.issuer), "tulle-head+jwt", "root-1", world.root.privateKey),
    ],
    [66, "a bundle of an older sequence", () => bundleWith({ sequence: 6 })],
    [66, "a sequence that is no number", () => bundleWith({ sequence: "8" })],
    [66, "a sequence beyond all others", () => bundleWith({ sequence: 1e300 })],
    [66, "a bundle of another trust domain", () => bundleWith({ trustDomain: "other.org", sequence: 8 })],
    [66, "an expired bundle", () => bundleWith({ exp: nowS, sequence: 8 })],
    [66, "a bundle that never expires", () => bundleWith({ exp: undefined, sequence: 8 })],
    [66, "a private key in it", async () => bundleWith({ keys: [{ ...keyed("a"), d: "A".repeat(43) }] })],
    [
      66,
      "a symmetric key in it",
      async () => bundleWith({ keys: [{ kty: "oct", k: "AAAA", kid: "a", use: "wit-svid" }] }),
    ],
    [66, "a key off the curve", async () => bundleWith({ keys: [{ ...keyed("a"), x: "A".repeat(43) }] })],
    [
      66,
      "a hundred keys",
      async () => bundleWith({ keys: Array.from({ length: 100 }, (_, at) => keyed(`k${at}`)) }),
    ],
    [66, "a bundle of 2 MB", () => bundleWith({ pad: "x".repeat(2_000_000) })],
    [66, "a revocation that nobody can read", () => bundleWith({ revoked: [{ serial: 1 }], sequence: 8 })],
    [66, "no list of revocations", () => bundleWith({ revoked: undefined, sequence: 8 })],
    [67, "a plain JWKS", async () => JSON.stringify({ keys: [keyed("issuer-1", await generateKeys())] })],
    [
      67,
      "the right bundle with a key exchanged",
      async () => {
        const [head = "", , signature = ""] = (await bundleWith({})).split(".");
        const poisoned = { ...bundlePayload(await generateKeys()), sequence: 8 };
        return `${head}.${btoa(JSON.stringify(poisoned)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.${signature}`;
      },
    ],
    [
      67,
      "an unsigned bundle",
      async () => `${btoa('{"alg":"none","typ":"tulle-bundle+jwt"}').replaceAll("=", "")}.e30.`,
    ],
    [67, "nothing", async () => ""],
  ])("%i: publishes %s, and what is held stays", async (_number, _what, make) => {
    expect(await taken(await make())).toBe(false);
  });

  test("66: keys for another use count for nothing", async () => {
    const { at, hold } = await worker();
    for (const use of ["jwt-svid", "sig", undefined]) {
      hold(await published({ keys: [{ ...keyed("issuer-1"), use }], sequence: 8 }));
      expectRefused(await at.arrive(await forge(world)), /token/);
    }
  });

  test("66: where there is no bundle at all nobody is believed, and callers are told to come again", async () => {
    const { at, hold } = await worker();
    hold(undefined);
    const seen = await at.arrive(await forge(world));
    expect([seen.status, seen.problem, seen.handled]).toEqual([503, "mesh-not-ready", undefined]);
  });

  test("66: when the bundle has run out, callers that are known go on and no other is believed", async () => {
    const { at, hold } = await worker();
    hold(await published({ exp: nowS + 10 }));
    const later = { created: String(nowS + 60), expires: String(nowS + 90) };
    expect((await at.arrive(await forge(world))).status).toBe(200);
    expect((await at.arrive(await forge(world, { parameters: later }), now + 60_000)).status).toBe(200);
    const wit = await token(world, { jti: "new" });
    expectRefused(
      await at.arrive(await forge(world, { parameters: later, wit }), now + 60_000),
      /trust-domain/,
    );
  });
});

describe("an attacker who kept something", () => {
  test("64: of a key that is out of the bundle is refused although it was cached", async () => {
    const { at, hold } = await worker();
    expect((await at.arrive(await forge(world))).status).toBe(200);
    hold(await published({ keys: [keyed("issuer-2", await generateKeys())], sequence: 8 }));
    expectRefused(await at.arrive(await forge(world)), /token/);
  });

  test("64: a new key is believed when its bundle is there, and not before; the old one beside it", async () => {
    const { at, hold } = await worker();
    const next = await generateKeys();
    const wit = await token({ ...world, issuer: next }, { jti: "next" }, { kid: "issuer-2" });
    expectRefused(await at.arrive(await forge(world, { wit })), /token/);
    hold(await published({ keys: [keyed("issuer-1"), keyed("issuer-2", next)], sequence: 8 }));
    expect((await at.arrive(await forge(world, { wit }))).status).toBe(200);
    expect((await at.arrive(await forge(world))).status).toBe(200);
  });

  test("64: a new key that comes before its bundle is asked for once, and believed only if the bundle has it", async () => {
    const next = await generateKeys();
    const wit = await token({ ...world, issuer: next }, { jti: "next" }, { kid: "issuer-2" });
    const newest = await published({ keys: [keyed("issuer-1"), keyed("issuer-2", next)], sequence: 8 });
    const loaded = await loadedPolicy();
    for (const [answer, status] of [
      [newest, 200],
      [undefined, 400],
      [world.bundle, 400],
      // One that has the key and is older than what is held: a rollback.
      [{ ...newest, sequence: 6 }, 400],
    ] as const) {
      let asked = 0;
      const refresh = async () => {
        asked++;
        return answer;
      };
      const at = isolate(loaded, () => world.bundle, undefined, refresh);
      const seen = await at.arrive(await forge(world, { wit }));
      expect([seen.status, asked]).toEqual([status, 1]);
      if (status === 400) expectRefused(seen, /token/);
    }
  });

  test("64: forgeries under a key that is known make nobody ask control for anything", async () => {
    let asked = 0;
    const refresh = async () => {
      asked++;
      return world.bundle;
    };
    const at = isolate(await loadedPolicy(), () => world.bundle, undefined, refresh);
    const thief = await generateKeys();
    const tries = [
      { wit: await token({ ...world, issuer: thief }) },
      { wit: await token(world, { exp: nowS - 90 }) },
      { wit: await token(world, { sub: "spiffe://other.org/ns/default/sa/web" }) },
      { wit: "x.y.z" },
      { key: thief.privateKey },
      { parameters: { "wimse-aud": '"x"' } },
    ];
    for (const forged of tries) expectRefused(await at.arrive(await forge(world, forged)), /.*/);
    expect(asked).toBe(0);
  });

  test("65: an empty bundle ends everybody, those in the cache too", async () => {
    const { at, hold } = await worker();
    expect((await at.arrive(await forge(world))).status).toBe(200);
    hold(await published({ keys: [], sequence: 8 }));
    expectRefused(await at.arrive(await forge(world)), /token/);
  });

  test("68: a revoked token, key or workload is refused with the next bundle, and taken again without the entry", async () => {
    const entries = [
      { jti: "AAAAAAAAAAAAAAAAAAAAAA" },
      { jkt: await jwkThumbprint(world.keys.publicJwk) },
      { sub: caller },
      { sub: caller, before: nowS + 1 },
    ];
    const { at, hold } = await worker();
    let sequence = 8;
    for (const entry of entries) {
      expect((await at.arrive(await forge(world))).status).toBe(200);
      hold(await published({ revoked: [entry], sequence: sequence++ }));
      expectRefused(await at.arrive(await forge(world)), /revoked/);
      hold(await published({ sequence: sequence++ }));
    }
    expect((await at.arrive(await forge(world))).status).toBe(200);
  });

  test("68: revocations of others change nothing", async () => {
    const { at, hold } = await worker();
    hold(
      await published({
        revoked: [{ jti: "B" }, { jkt: "B" }, { sub: `${caller}2` }, { sub: caller.slice(0, -1) }],
        sequence: 8,
      }),
    );
    expect((await at.arrive(await forge(world))).status).toBe(200);
  });

  test("69: whose name was given to another is refused, and who has the name now is believed", async () => {
    const { at, hold } = await worker();
    hold(await published({ revoked: [{ sub: caller, before: nowS + 10 }], sequence: 8 }));
    expectRefused(await at.arrive(await forge(world)), /revoked/);
    const undated = await token(world, { iat: undefined });
    expectRefused(await at.arrive(await forge(world, { wit: undated })), /revoked/);
    const heir = await generateKeys();
    const wit = await token({ ...world, keys: heir }, { iat: nowS + 10, jti: "heir" });
    expect((await at.arrive(await forge(world, { wit, key: heir.privateKey }))).status).toBe(200);
  });

  test("14: an issuer of another trust domain names nobody of this one", async () => {
    const other = await generateKeys();
    const foreign = await signBundle(world.root, { ...bundlePayload(other), trustDomain: "other.org" });
    const bundle = value(await loadBundle(foreign, await publicKeyOf(world.root), undefined, now));
    const { at, hold } = await worker();
    hold(bundle);
    const wit = await token({ ...world, issuer: other });
    expectRefused(await at.arrive(await forge(world, { wit })), /trust-domain/);
  });
});
