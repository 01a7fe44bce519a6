import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys, type WorkloadKeys } from "../../../mesh-runtime/identity/credential.ts";
import { verifyWit, WitCache } from "../../../mesh-runtime/identity/svid.ts";
import { loadBundle, type TrustBundle } from "../../../mesh-runtime/identity/trust-bundle.ts";
import {
  bundlePayload,
  caller,
  makeWit,
  makeWorld,
  now,
  nowS,
  signBundle,
  value,
  type World,
} from "./fixture.ts";

const partner = "spiffe://partner.example/ns/default/sa/web";
const third = "spiffe://third.example/ns/default/sa/web";

let world: World;
let theirs: WorkloadKeys;
let thirds: WorkloadKeys;
beforeAll(async () => {
  [world, theirs, thirds] = await Promise.all([makeWorld(), generateKeys(), generateKeys()]);
});

const keyOf = (keys: WorkloadKeys, kid = "issuer-1") => ({ ...keys.publicJwk, kid, use: "wit-svid" });
/** The same `kid` everywhere: what one domain calls its key is nobody else's business. */
const both = () => [
  { trustDomain: "partner.example", keys: [keyOf(theirs)] },
  { trustDomain: "third.example", keys: [keyOf(thirds)] },
];

async function load(changed: Readonly<Record<string, unknown>>) {
  const jws = await signBundle(world.root, { ...bundlePayload(world.issuer), ...changed });
  return loadBundle(jws, world.rootKey, undefined, now);
}
const trusting = async (changed: Readonly<Record<string, unknown>> = {}): Promise<TrustBundle> =>
  value(await load({ federated: both(), ...changed }));

/** A token of `sub`, signed by `issuer` under the `kid` that all of them use. */
const token = (issuer: WorkloadKeys, sub: string): Promise<string> =>
  makeWit({ issuer, keys: world.keys }, { sub });

async function judged(wit: string, bundle: TrustBundle, at = now): Promise<string> {
  const verified = await verifyWit(wit, bundle, at);
  return verified.ok ? verified.value.id.uri : verified.reason.step;
}

describe("loadBundle() with other trust domains", () => {
  test("keeps the keys of each domain for themselves", async () => {
    const bundle = await trusting();
    expect([...bundle.keys.keys()]).toEqual(["issuer-1"]);
    expect([...(bundle.federated?.keys() ?? [])]).toEqual(["partner.example", "third.example"]);
    const [one, two] = [...(bundle.federated?.values() ?? [])].map(({ keys }) => keys.get("issuer-1"));
    expect(new Set([bundle.keys.get("issuer-1"), one, two]).size).toBe(3);
  });

  test("holds nothing of the kind where none is configured", async () => {
    expect(Object.hasOwn(value(await load({})), "federated")).toBe(false);
  });

  test.each([
    ["is no list", () => ({ trustDomain: "partner.example", keys: [] })],
    ["names its own trust domain", () => [{ trustDomain: "example.org", keys: [keyOf(theirs)] }]],
    ["names a trust domain twice", () => [both()[0], both()[0]]],
    ["names no trust domain", () => [{ trustDomain: "Partner Example", keys: [] }]],
    ["has an entry that is null", () => [null]],
    ["lacks the keys of one", () => [{ trustDomain: "partner.example" }]],
    [
      "has two keys with one kid in one domain",
      () => [{ trustDomain: "a.example", keys: [keyOf(theirs), keyOf(thirds)] }],
    ],
    [
      "has one key under two kids in one domain",
      () => [{ trustDomain: "a.example", keys: [keyOf(theirs), keyOf(theirs, "k2")] }],
    ],
    ["has a private key", () => [{ trustDomain: "a.example", keys: [{ ...keyOf(theirs), d: "AAAA" }] }]],
    [
      "names more than 32",
      () => Array.from({ length: 33 }, (_, at) => ({ trustDomain: `d${at}.example`, keys: [] })),
    ],
  ])("refuses the whole bundle when the list of them %s", async (_, federated) => {
    expect((await load({ federated: federated() })).ok).toBe(false);
  });
});

describe("verifyWit() with other trust domains", () => {
  test("believes each domain's issuer about its own names", async () => {
    const bundle = await trusting();
    expect(await judged(await token(world.issuer, caller), bundle)).toBe(caller);
    expect(await judged(await token(theirs, partner), bundle)).toBe(partner);
    expect(await judged(await token(thirds, third), bundle)).toBe(third);
  });

  test("believes no issuer about another domain's names, whatever its keys are called", async () => {
    const bundle = await trusting();
    for (const [issuer, sub] of [
      [world.issuer, partner],
      [theirs, caller],
      [theirs, third],
      [thirds, partner],
    ] as const)
      expect(await judged(await token(issuer, sub), bundle)).toBe("token");
  });

  test("knows nobody of a domain that is not configured", async () => {
    const bundle = await trusting({ federated: [both()[0]] });
    expect(await judged(await token(thirds, third), bundle)).toBe("token");
    expect(await judged(await token(world.issuer, third), bundle)).toBe("trust-domain");
  });

  test("believes nobody of a domain whose list of keys is empty", async () => {
    const bundle = await trusting({ federated: [{ trustDomain: "partner.example", keys: [] }] });
    expect(await judged(await token(theirs, partner), bundle)).toBe("token");
  });

  test("asks for a newer bundle when a domain's key is not known yet", async () => {
    const bundle = await trusting({
      federated: [{ trustDomain: "partner.example", keys: [keyOf(theirs, "other")] }],
    });
    const verified = await verifyWit(await token(theirs, partner), bundle, now);
    expect(verified).toMatchObject({ ok: false, reason: { step: "token", outdated: true } });
  });

  test("refuses what is revoked here, of other domains too", async () => {
    const bundle = await trusting({ revoked: [{ sub: partner, before: nowS + 1 }] });
    expect(await judged(await token(theirs, partner), bundle)).toBe("revoked");
    expect(await judged(await token(thirds, third), bundle)).toBe(third);
  });

  test("knows no other domain any longer than its own bundle lasts", async () => {
    const bundle = await trusting();
    expect(await judged(await token(theirs, partner), bundle, bundle.expiresAt)).toBe("trust-domain");
  });

  test("a domain that is taken out is not believed any more, its known tokens neither", async () => {
    const cache = new WitCache();
    const bundle = await trusting();
    const wit = await token(theirs, partner);
    cache.keep(wit, value(await verifyWit(wit, bundle, now)), bundle);
    expect(cache.recall(wit, bundle, now)?.id.uri).toBe(partner);
    const without = await trusting({ sequence: 8, federated: [] });
    expect(cache.recall(wit, without, now)).toBeUndefined();
    expect(await judged(wit, without)).not.toBe(partner);
  });
});
