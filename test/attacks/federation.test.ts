import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys, type WorkloadKeys } from "../../mesh-runtime/identity/credential.ts";
import { loadBundle, type TrustBundle } from "../../mesh-runtime/identity/trust-bundle.ts";
import type { Loaded } from "../../mesh-runtime/policy/loaded.ts";
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
} from "../unit/identity/fixture.ts";
import { policy, service } from "../unit/policy/writing.ts";
import { expectDenied, expectRefused } from "./attack.ts";
import { forge } from "./attacker.ts";
import { type Isolate, isolate, loadedPolicy } from "./journey.ts";

/*
 * Two trust domains beside ours, and what each of their issuers can bring about. All three call their signing key by
 * the same name, and all have a workload `default/web`.
 */

const partner = "spiffe://partner.example/ns/default/sa/web";
const third = "spiffe://third.example/ns/default/sa/web";

let world: World;
let partners: WorkloadKeys;
let thirds: WorkloadKeys;
let loaded: Loaded;
beforeAll(async () => {
  [world, partners, thirds] = await Promise.all([makeWorld(), generateKeys(), generateKeys()]);
  loaded = await loadedPolicy(undefined, [
    service("web"),
    service("payments"),
    policy("MeshConfig", "mesh", "{trustDomain: example.org}"),
    policy(
      "AuthorizationPolicy",
      "may-pay",
      "{rules: [{from: [{source: {principals: [example.org/ns/default/sa/web, partner.example/ns/default/sa/web]}}]}]}",
    ),
  ]);
});

const keyOf = (keys: WorkloadKeys) => ({ ...keys.publicJwk, kid: "issuer-1", use: "wit-svid" });
const trusted = async (changed: Readonly<Record<string, unknown>> = {}): Promise<TrustBundle> => {
  const federated = [
    { trustDomain: "partner.example", keys: [keyOf(partners)] },
    { trustDomain: "third.example", keys: [keyOf(thirds)] },
  ];
  const jws = await signBundle(world.root, { ...bundlePayload(world.issuer), federated, ...changed });
  return value(await loadBundle(jws, world.rootKey, undefined, now));
};
const worker = async (changed: Readonly<Record<string, unknown>> = {}): Promise<Isolate> => {
  const bundle = await trusted(changed);
  return isolate(loaded, () => bundle);
};

/** A request with a sound proof under a token of `sub` that `issuer` signed. */
const request = async (
  issuer: WorkloadKeys,
  sub: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Request> => forge(world, { wit: await makeWit({ issuer, keys: world.keys }, { sub }), headers });

describe("an issuer of another trust domain", () => {
  test("14: gives names of its own domain, and those are believed", async () => {
    const seen = await (await worker()).arrive(await request(partners, partner));
    expect(seen.status).toBe(200);
    expect(seen.handled?.handling.principal).toMatchObject({ id: { uri: partner }, foreign: true });
  });

  test("14: gives no names of ours, although it calls its key as our issuer does", async () => {
    expectRefused(await (await worker()).arrive(await request(partners, caller)), /token/);
  });

  test("14: gives no names of a third domain", async () => {
    expectRefused(await (await worker()).arrive(await request(thirds, partner)), /token/);
    expectRefused(await (await worker()).arrive(await request(partners, third)), /token/);
  });

  test("14: is given none by ours", async () => {
    expectRefused(await (await worker()).arrive(await request(world.issuer, partner)), /token/);
  });

  test("14: is nobody where it is not configured", async () => {
    const seen = await (await worker({ federated: undefined })).arrive(await request(partners, partner));
    expectRefused(seen, /token/);
  });

  test("is no better known by a token that was believed before its keys were taken out", async () => {
    let bundle = await trusted();
    const at = isolate(loaded, () => bundle);
    expect((await at.arrive(await request(partners, partner))).status).toBe(200);
    bundle = await trusted({ sequence: 8, federated: [{ trustDomain: "partner.example", keys: [] }] });
    expectRefused(await at.arrive(await request(partners, partner)), /token/);
  });

  test("17: names two domains in one token: the one that counts is the one whose keys were asked", async () => {
    const wit = await makeWit({ issuer: partners, keys: world.keys }, { sub: partner });
    const [head = "", claims = "", signature = ""] = wit.split(".");
    const text = new TextDecoder().decode(
      Uint8Array.from(atob(claims.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)),
    );
    const both = btoa(text.replace("{", `{"sub":"${caller}",`))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
    const at = await worker();
    expectRefused(await at.arrive(await forge(world, { wit: `${head}.${both}.${signature}` })), /token/);
  });

  test("68: a workload of its own is revoked here, by its name, whatever it says itself", async () => {
    const at = await worker({ revoked: [{ sub: partner, before: nowS + 1 }] });
    expectRefused(await at.arrive(await request(partners, partner)), /revoked/);
    expect((await at.arrive(await request(world.issuer, caller))).status).toBe(200);
  });
});

describe("a caller of another trust domain", () => {
  test("that no rule names is denied", async () => {
    expectDenied(await (await worker()).arrive(await request(thirds, third)));
  });

  test.each([
    ["any verified caller", "{rules: [{from: [{source: {principals: ['*']}}]}]}"],
    ["a namespace of the same name", "{rules: [{from: [{source: {namespaces: [default]}}]}]}"],
    ["everybody but one", "{rules: [{from: [{source: {notPrincipals: [example.org/ns/default/sa/cart]}}]}]}"],
    ["everybody", "{rules: [{}]}"],
  ])("is not let in by a rule for %s", async (_, spec) => {
    const documents = [
      service("web"),
      service("payments"),
      policy("MeshConfig", "mesh", "{trustDomain: example.org}"),
    ];
    const policies = await loadedPolicy(undefined, [
      ...documents,
      policy("AuthorizationPolicy", "open", spec),
    ]);
    const bundle = await trusted();
    const at = isolate(policies, () => bundle);
    expectDenied(await at.arrive(await request(partners, partner)));
    expect((await at.arrive(await request(world.issuer, caller))).status).toBe(200);
  });

  test("is heard about its own request, and not about this mesh", async () => {
    const said = {
      "tulle-epoch": "99",
      "tulle-deadline-ms": "500",
      "tulle-attempt-credits": "10",
      "tulle-hops": "16",
    };
    const at = await worker();
    const theirs = await at.arrive(await request(partners, partner, said));
    expect(theirs.handled?.handling.cause).toMatchObject({
      deadlineAt: now + 500,
      hops: 16,
      credits: { left: 0 },
    });
    expect([...theirs.headers.keys()].filter((name) => /^tulle-(?:epoch|circuits)$/.test(name))).toEqual([]);
    // It asked for ten: a stranger gets three.
    expect(theirs.headers.get("tulle-attempt-credits")).toBe("3");
    const ours = await at.arrive(await request(world.issuer, caller, said));
    expect(ours.headers.get("tulle-epoch")).toBe("1");
    const looping = await at.arrive(await request(partners, partner, { ...said, "tulle-hops": "17" }));
    expect(looping.status).toBe(508);
  });

  test("is counted as its domain, and never as the workload of ours that is called alike", async () => {
    const at = await worker();
    const { line } = await at.arrive(await request(partners, partner));
    expect(JSON.parse(line)).toMatchObject({ peer: partner });
    expect(line).not.toContain('"default/web"');
  });
});
