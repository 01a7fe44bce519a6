import { runInDurableObject } from "cloudflare:test";
import { no, ok } from "@tulle/mesh-runtime/foundation/result.ts";
import { generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import { describe, expect, test } from "vitest";
import type { AuditAnswer, CheckAnswer, FederationAnswer } from "../../../control/api/contract.ts";
import { newFederation } from "../../../control/issuer/federation/federation.ts";
import { FederationBook } from "../../../control/issuer/federation/federation-book.ts";
import { Federations } from "../../../control/issuer/federation/federations.ts";
import { api, apply, issuerObject, issuing, service } from "../support.ts";
import {
  add,
  believed,
  bundle,
  inForce,
  key,
  list,
  partner,
  pass,
  refresh,
  url,
  viewer,
  wanted,
  withPartner,
} from "./partner.ts";

withPartner();

describe("a federation", () => {
  test("is configured by an admin, and its keys stand in the signed bundle for themselves", async () => {
    await apply(service("web"));
    const before = (await inForce()).sequence;
    const { status, body } = await add();
    expect([status, partner.asked]).toEqual([200, [url]]);
    expect(body).toMatchObject({
      trustDomain: "partner.example",
      state: "ok",
      sequence: 7,
      keys: ["issuer-1"],
      addedBy: "operator",
    });
    const published = await inForce();
    expect(published).toMatchObject({
      sequence: Number(before) + 1,
      federated: [{ trustDomain: "partner.example", keys: [key()] }],
    });
    expect(JSON.stringify(published.keys)).not.toContain(partner.keys.publicJwk.x);
    expect(await believed()).toEqual({ "partner.example": ["issuer-1"] });
  });

  test("changes nothing in the bundle where there is none", async () => {
    await apply(service("web"));
    expect(await inForce()).not.toHaveProperty("federated");
    await runInDurableObject(issuerObject(), async (_, state) => {
      expect(await state.storage.getAlarm()).toBeNull();
    });
  });

  test("is seen by viewers, and changed by admins alone", async () => {
    await add();
    expect((await api("GET", "/api/federation", undefined, viewer)).status).toBe(200);
    for (const [method, path] of [
      ["POST", "/api/federation"],
      ["DELETE", "/api/federation/partner.example"],
      ["POST", "/api/federation/partner.example/refresh"],
    ] as const)
      expect((await api(method, path, wanted, viewer)).status).toBe(403);
  });

  test("leaves a trail", async () => {
    await add();
    await refresh();
    await api("DELETE", "/api/federation/partner.example");
    const { body } = await api<AuditAnswer>("GET", "/api/audit?newest=1");
    expect(body.entries.map(({ action, objects }) => `${action} ${objects[0]}`)).toEqual([
      "federation.remove trust-domain/partner.example",
      "federation.refresh trust-domain/partner.example",
      "federation.add trust-domain/partner.example",
    ]);
  });

  test.each<[string, object, string]>([
    ["our own trust domain", { ...wanted, trustDomain: "mesh.local" }, "this mesh's own trust domain"],
    ["what is no trust domain", { ...wanted, trustDomain: "Partner.example" }, "lower-case letters"],
    ["plain HTTP", { ...wanted, bundleEndpoint: { url: "http://partner.example/b" } }, "anything but https"],
    [
      "a password in the address",
      { ...wanted, bundleEndpoint: { url: "https://a:b@partner.example/" } },
      "without user and password",
    ],
    ["another profile", { ...wanted, bundleEndpoint: { url, profile: "https_spiffe" } }, "https_web"],
    [
      "a bundle with a private key",
      { ...wanted, trustDomainBundle: '{"keys":[{"kty":"EC","d":"AAAA"}]}' },
      "secret members",
    ],
  ])("is refused for %s", async (_, body, why) => {
    const { status, body: problem } = await add(body);
    expect([status, problem.detail]).toEqual([400, expect.stringContaining(why)]);
    expect([await list(), partner.asked]).toEqual([[], []]);
  });

  test("is configured once for a trust domain, and 32 times at most", async () => {
    await add();
    expect((await add({ ...wanted, bundleEndpoint: { url: "https://other.example/" } })).status).toBe(409);
    expect((await list())[0]?.bundleEndpoint.url).toBe(url);
    partner.answer = () => new Response(null, { status: 503 });
    for (let more = 1; more < 32; more++)
      expect((await add({ ...wanted, trustDomain: `d${more}.example` })).status).toBe(200);
    expect((await add({ ...wanted, trustDomain: "one.more.example" })).status).toBe(409);
  });

  test("begins with a bundle that came by another way, until the endpoint answers", async () => {
    partner.answer = () => new Response(null, { status: 503 });
    const { body } = await add({ ...wanted, trustDomainBundle: JSON.stringify(bundle()) });
    expect(body).toMatchObject({ state: "failing", keys: ["issuer-1"], error: "it answers with status 503" });
    expect(await believed()).toEqual({ "partner.example": ["issuer-1"] });
  });

  test("is looked at again when its publisher wants it, and a new key is believed then", async () => {
    await add();
    const next = await generateKeys();
    partner.answer = () =>
      Response.json(
        bundle({
          spiffe_sequence: 8,
          keys: [key(), { ...next.publicJwk, kid: "issuer-2", use: "wit-svid" }],
        }),
      );
    await pass(331_000);
    expect(partner.asked).toHaveLength(2);
    expect(await believed()).toEqual({ "partner.example": ["issuer-1", "issuer-2"] });
    await pass(331_000);
    expect(partner.asked).toHaveLength(3);
  });

  test("signs no new bundle for an endpoint that says what it said before", async () => {
    await add();
    const before = await issuing().bundleSequence();
    await pass(331_000);
    await refresh();
    expect([partner.asked.length, await issuing().bundleSequence()]).toEqual([3, before]);
  });

  test("keeps what was good for a day, says that it fails, and then believes nobody of it", async () => {
    await add();
    partner.answer = () => new Response("secret", { status: 500 });
    await pass(331_000);
    expect(await list()).toMatchObject([
      { state: "failing", failures: 1, error: "it answers with status 500" },
    ]);
    expect(await believed()).toEqual({ "partner.example": ["issuer-1"] });
    await pass(86_400_000);
    expect(await list()).toMatchObject([{ state: "expired" }]);
    expect(await believed()).toEqual({});
    const { body } = await api<CheckAnswer>("GET", "/api/check");
    expect(body.checks.find(({ name }) => name === "federation partner.example")).toMatchObject({
      result: "failed",
    });
    partner.answer = () => Response.json(bundle());
    await pass(400_000);
    expect(await believed()).toEqual({ "partner.example": ["issuer-1"] });
  });

  test.each<[string, () => Response | Promise<Response>, RegExp]>([
    [
      "an older bundle",
      () => Response.json(bundle({ spiffe_sequence: 6, keys: [key("old")] })),
      /went back from 7 to 6/,
    ],
    [
      "a bundle that has lost its sequence",
      () => Response.json(bundle({ spiffe_sequence: undefined, keys: [key("x")] })),
      /no spiffe_sequence/,
    ],
    [
      "a private key",
      () => Response.json(bundle({ spiffe_sequence: 9, keys: [{ ...key("x"), d: "AAAA" }] })),
      /secret members/,
    ],
    [
      "one name for two keys",
      () => Response.json(bundle({ spiffe_sequence: 9, keys: [key(), key()] })),
      /one kid/,
    ],
    ["an endless answer", () => new Response("x".repeat(300_000)), /larger than/],
    [
      "a redirect",
      () => new Response(null, { status: 301, headers: { location: "https://evil.example/" } }),
      /redirect/,
    ],
    ["a page for people", () => new Response("<html>"), /not JSON/],
  ])("66, 67: takes nothing from an endpoint with %s", async (_, poisoned, why) => {
    await add();
    partner.answer = poisoned;
    const { body } = await refresh();
    expect(body).toMatchObject({
      state: "failing",
      keys: ["issuer-1"],
      sequence: 7,
      error: expect.stringMatching(why),
    });
    expect(await believed()).toEqual({ "partner.example": ["issuer-1"] });
    expect(partner.asked.every((to) => to === url)).toBe(true);
  });

  test("67: takes no bundle with a key of our own: our issuer would speak for others", async () => {
    const published = await issuing().bundle();
    const ours = published.ok ? published.value.keys[0] : undefined;
    partner.answer = () => Response.json(bundle({ keys: [{ ...ours, kid: "theirs" }] }));
    expect((await add()).body).toMatchObject({
      state: "pending",
      keys: [],
      error: expect.stringContaining("our own"),
    });
    expect(await believed()).toEqual({});
  });

  test("takes no keys while our own cannot be had, among which they might be", async () => {
    await add();
    await runInDurableObject(issuerObject(), async (_, { storage }) => {
      const noKeys = async () => no("the secret is gone");
      const federations = new Federations(storage.sql, "mesh.local", noKeys, Math.random);
      partner.answer = () => Response.json(bundle({ spiffe_sequence: 8, keys: [key("new")] }));
      expect(await federations.refresh("partner.example", partner.time)).toMatchObject({
        held: { sequence: 7 },
        error: "our own keys cannot be had: the secret is gone",
      });
    });
  });

  test("asks no endpoint more often than eight times in ten seconds, whoever wants it", async () => {
    await add();
    const statuses: number[] = [];
    for (let times = 0; times < 10; times++) statuses.push((await refresh()).status);
    expect(statuses).toEqual([...new Array(8).fill(200), 429, 429]);
    expect(partner.asked).toHaveLength(9);
    partner.time += 10_000;
    expect((await refresh()).status).toBe(200);
  });

  test("ends when it is removed: its keys leave the bundle, and nobody is asked any more", async () => {
    await add();
    const { body } = await api<FederationAnswer>("DELETE", "/api/federation/partner.example");
    expect(body.federations).toEqual([]);
    expect(await inForce()).not.toHaveProperty("federated");
    await pass(400_000);
    expect(partner.asked).toHaveLength(1);
    expect((await api("DELETE", "/api/federation/partner.example")).status).toBe(404);
    expect((await refresh()).status).toBe(404);
  });

  test("that is removed and added with another address gets nothing of what the former was asked", async () => {
    await add();
    await runInDurableObject(issuerObject(), async (_, { storage }) => {
      const federations = new Federations(storage.sql, "mesh.local", async () => ok([]), Math.random);
      const book = new FederationBook(storage.sql);
      partner.answer = () => {
        book.delete("partner.example");
        book.put(newFederation("partner.example", "https://new.partner.example/", "operator", partner.time));
        return Response.json(bundle({ spiffe_sequence: 9, keys: [key("late")] }));
      };
      expect(await federations.refresh("partner.example", partner.time)).toMatchObject({
        url: "https://new.partner.example/",
        failures: 0,
        error: "",
      });
      partner.answer = () => {
        book.delete("partner.example");
        return Response.json(bundle({ spiffe_sequence: 10, keys: [key("late")] }));
      };
      expect(await federations.refresh("partner.example", partner.time)).toBeUndefined();
      expect(federations.all()).toEqual([]);
    });
  });

  test("is told of in the metrics and by check", async () => {
    await add();
    partner.time += 60_000;
    const { body } = await api<string>("GET", "/metrics");
    expect(body).toContain('tulle_federated_bundle_age_seconds{trust_domain="partner.example"} 60');
    expect(body).toContain('tulle_federated_bundle_failures{trust_domain="partner.example"} 0');
    const check = (await api<CheckAnswer>("GET", "/api/check")).body.checks;
    expect(check.find(({ name }) => name === "federation partner.example")).toMatchObject({ result: "ok" });
  });
});
