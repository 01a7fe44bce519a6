import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Attestor,
  attestors,
  attestorsOf,
  entitlement,
  matches,
  type RegistrationEntry,
  readSelectors,
} from "../../../control/issuer/registration.ts";
import { app, selectors } from "../../support/oidc-issuer.ts";

const entry = (change: Partial<RegistrationEntry> = {}): RegistrationEntry => ({
  id: "e1",
  spiffeId: "spiffe://mesh.local/ns/default/sa/shipping",
  attestor: "deno-deploy",
  selectors,
  ttlMs: undefined,
  note: "",
  createdAt: 0,
  createdBy: "operator",
  issued: 0,
  lastIssuedAt: undefined,
  revokedAt: undefined,
  revokedBy: undefined,
  ...change,
});
const facts = {
  org_id: app.org_id,
  app_id: app.app_id,
  context_id: app.context_id,
  context_name: app.context_name,
};

describe("readSelectors()", () => {
  test("sorts what it reads, so that one entry is written in one way", () => {
    expect(readSelectors("deno-deploy", [...selectors].reverse())).toEqual({
      ok: true,
      value: [...selectors].sort(),
    });
    expect(readSelectors("binding", ["service:web"])).toEqual({ ok: true, value: ["service:web"] });
    expect(readSelectors("join-token", [])).toEqual({ ok: true, value: [] });
  });

  test.each<[what: string, attestor: Attestor, written: readonly string[], why: RegExp]>([
    ["nothing of an app", "deno-deploy", [], /needs the selectors org_id and app_id/],
    ["an organisation alone", "deno-deploy", [selectors[0] ?? ""], /needs the selectors app_id/],
    ["a slug", "deno-deploy", [...selectors, "app_slug:shipping"], /somebody else later: select app_id/],
    ["a subject made of slugs", "deno-deploy", [...selectors, "sub:deployment:a/b/c"], /select app_id/],
    ["a UUID in capitals", "deno-deploy", [`org_id:${app.org_id.toUpperCase()}`], /UUID in lower case/],
    ["a wildcard", "deno-deploy", ["org_id:*"], /UUID/],
    ["one twice", "deno-deploy", [...selectors, ...selectors], /given once/],
    ["no value", "deno-deploy", ["org_id"], /name:value/],
    ["a name of every object", "binding", ["constructor:x"], /name:value/],
    ["a name that is none of a service", "binding", ["service:Web"], /lower-case letters/],
    ["a prefix of names", "binding", ["service:pay*"], /lower-case letters/],
    ["anything of a join token", "join-token", ["service:web"], /has no selectors/],
  ])("refuses %s", (_what, attestor, written, why) => {
    const read = readSelectors(attestor, written);
    expect(read.ok ? "" : read.reason).toMatch(why);
  });
});

describe("an entry", () => {
  test("is for what has every fact that it selects, byte by byte", () => {
    expect(matches(entry(), facts)).toBe(true);
    for (const name of ["org_id", "app_id"] as const) {
      expect(matches(entry(), { ...facts, [name]: app.context_id })).toBe(false);
      const { [name]: _left, ...others } = facts;
      expect(matches(entry(), others)).toBe(false);
    }
    const binding = entry({ attestor: "binding", selectors: ["service:pay"] });
    expect(matches(binding, { service: "pay", namespace: "default" })).toBe(true);
    expect(matches(binding, { service: "payroll", namespace: "default" })).toBe(false);
  });

  test("is for production, unless it names a context", () => {
    const preview = { ...facts, context_name: "git-branch/x", context_id: app.org_id };
    expect(matches(entry(), preview)).toBe(false);
    expect(matches(entry(), { ...facts, context_name: "Production" })).toBe(false);
    expect(matches(entry({ selectors: [...selectors, "context_name:git-branch/x"] }), preview)).toBe(true);
    expect(matches(entry({ selectors: [...selectors, `context_id:${app.org_id}`] }), preview)).toBe(true);
    expect(matches(entry({ selectors: [...selectors, "context_name:git-branch/x"] }), facts)).toBe(false);
  });
});

describe("entitlement()", () => {
  test("is open to bindings and join tokens while nothing is registered, and never to Deno Deploy", () => {
    expect(attestors.map((each) => entitlement([], each, facts))).toEqual(["open", undefined, "open"]);
    expect(attestorsOf([])).toEqual(["binding", "join-token"]);
  });

  test("closes with the first entry to all that no entry names, and stays closed when it is revoked", () => {
    for (const revokedAt of [undefined, 5]) {
      const entries = [entry({ revokedAt })];
      expect(entitlement(entries, "binding", facts)).toBeUndefined();
      expect(entitlement(entries, "join-token", {})).toBeUndefined();
      expect(entitlement(entries, "deno-deploy", facts)).toEqual(
        revokedAt === undefined ? entries[0] : undefined,
      );
      expect(attestorsOf(entries)).toEqual(revokedAt === undefined ? ["deno-deploy"] : []);
    }
  });

  test("of several that match takes the one with the shortest life", () => {
    const lives = [undefined, 7_200_000, 600_000, 3_600_000];
    const entries = lives.map((ttlMs, index) => entry({ ttlMs, id: String(index) }));
    expect(entitlement(entries, "deno-deploy", facts)).toMatchObject({ id: "2" });
  });

  test("never gives an entry that is revoked, of another attestor, or that does not match", () => {
    const values = fc.constantFrom("a", "b");
    const one = fc.record({
      attestor: fc.constantFrom(...attestors),
      selectors: fc.uniqueArray(
        fc.tuple(fc.constantFrom("service", "namespace"), values).map(([name, value]) => `${name}:${value}`),
        { maxLength: 2 },
      ),
      revokedAt: fc.option(fc.constant(1), { nil: undefined }),
    });
    const all = fc.array(one.map(entry), { minLength: 1, maxLength: 4 });
    const shown = fc.record({ service: values, namespace: values });
    fc.assert(
      fc.property(all, fc.constantFrom(...attestors), shown, (entries, attestor, seen) => {
        const given = entitlement(entries, attestor, seen);
        if (given === undefined) return;
        if (given === "open") throw new Error("a registered identity is never open");
        expect([given.attestor, given.revokedAt, matches(given, seen)]).toEqual([attestor, undefined, true]);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});
