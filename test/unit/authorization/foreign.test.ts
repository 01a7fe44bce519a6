import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide, mayCall } from "../../../mesh-runtime/authorization/decide.ts";
import { stringMatch } from "../../../mesh-runtime/authorization/rule.ts";
import type { AuthorizationRule, Condition, SourceMatch } from "../../../mesh-runtime/authorization/words.ts";
import type { Principal } from "../../../mesh-runtime/identity/words.ts";
import { anyRequest, anyRule, get, speaks, web } from "./subjects.ts";

/** `default/web` of another trust domain. */
const partner: Principal = {
  ...web,
  id: {
    ...web.id,
    trustDomain: "partner.example",
    uri: "spiffe://partner.example/ns/default/sa/web",
  },
  foreign: true,
};

const rule = (action: "ALLOW" | "DENY", from?: SourceMatch, when?: Condition): AuthorizationRule => ({
  name: "one",
  action,
  ...(from === undefined ? {} : { from: [from] }),
  ...(when === undefined ? {} : { when: [when] }),
});
const matches = (...values: readonly string[]) => values.map(stringMatch);
const whole = "spiffe://partner.example/ns/default/sa/web";

describe("a rule lets in callers of another trust domain", () => {
  test.each<[string, SourceMatch | undefined, Condition | undefined]>([
    ["that it names", { principals: matches(whole) }, undefined],
    ["whose trust domain it writes", { principals: matches("spiffe://partner.example/*") }, undefined],
    [
      "whose trust domain and namespace it writes",
      { principals: matches("spiffe://partner.example/ns/default/*") },
      undefined,
    ],
    ["that a condition names", undefined, { type: "principal", values: matches(whole) }],
    [
      "that a condition names, and no source excepts",
      { notPrincipals: matches("spiffe://mesh.local/ns/default/sa/cart") },
      { type: "principal", values: matches(whole) },
    ],
    [
      "that it names, by evidence that it asks for",
      { principals: matches(whole) },
      { type: "evidence", values: matches("signature") },
    ],
  ])("%s", (_, from, when) => {
    expect(speaks(rule("ALLOW", from, when), get("/", partner))).toBe(true);
  });
});

describe("no rule lets in callers of another trust domain", () => {
  test.each<[string, SourceMatch | undefined, Condition | undefined]>([
    ["because it names nobody", undefined, undefined],
    ["by any principal", { principals: matches("*") }, undefined],
    ["by the end of an ID", { principals: matches("*/ns/default/sa/web") }, undefined],
    [
      "by less than a trust domain",
      { principals: matches("spiffe://partner.example*", "spiffe://part*") },
      undefined,
    ],
    ["by a namespace that theirs is called like", { namespaces: matches("default") }, undefined],
    ["by any namespace", { namespaces: matches("*") }, undefined],
    [
      "that it does not except",
      { notPrincipals: matches("spiffe://mesh.local/ns/default/sa/cart") },
      undefined,
    ],
    ["of a namespace that it does not except", { notNamespaces: matches("prod") }, undefined],
    [
      "by a name of the same end in another trust domain",
      { principals: matches("spiffe://other.example/ns/default/sa/web") },
      undefined,
    ],
    [
      "that it names and whose namespace it asks for",
      { principals: matches(whole), namespaces: matches("default") },
      undefined,
    ],
    [
      "by the names of others in theirs",
      {
        principals: matches(
          "spiffe://partner.example/ns/default/sa/cart",
          "spiffe://partner.example/ns/prod/*",
        ),
      },
      undefined,
    ],
    ["by a condition on any principal", undefined, { type: "principal", values: matches("*") }],
    ["by a condition on namespaces", undefined, { type: "namespace", values: matches("default") }],
    [
      "by a condition on others",
      undefined,
      { type: "principal", notValues: matches("spiffe://mesh.local/*") },
    ],
    ["by a condition on evidence", undefined, { type: "evidence", values: matches("signature") }],
  ])("%s", (_, from, when) => {
    expect(speaks(rule("ALLOW", from, when), get("/", partner))).toBe(false);
  });
});

describe("a rule that denies", () => {
  test.each<[string, SourceMatch | undefined]>([
    ["everybody", undefined],
    ["any principal", { principals: matches("*") }],
    ["the end of an ID", { principals: matches("*/sa/web") }],
    ["a namespace of that name", { namespaces: matches("default") }],
    ["all but a namespace of that name", { notNamespaces: matches("default") }],
    ["all but callers that are verified", { notPrincipals: matches("*") }],
  ])("%s denies callers of another trust domain too", (_, from) => {
    const allowing = rule("ALLOW", { principals: matches(whole) });
    expect(decide([allowing, rule("DENY", from)], get("/", partner), "STRICT").allowed).toBe(false);
  });

  test("all but one of another trust domain, named, leaves that one", () => {
    const denying = rule("DENY", { notPrincipals: matches(whole) });
    expect(speaks(denying, get("/", partner))).toBe(false);
  });
});

test("whatever the rules, a caller of another trust domain is let in by none that does not write it", () => {
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 4 }), anyRequest, (rules, request) => {
      expect(decide(rules, { ...request, principal: partner }, "STRICT").allowed).toBe(false);
    }),
    { seed: 42, numRuns: 300 },
  );
});

test("a caller of another trust domain may call where a rule names it, and not where one for all denies", () => {
  const named = rule("ALLOW", { principals: matches(whole) });
  expect(mayCall([named], partner, "STRICT")).toBe(true);
  expect(mayCall([rule("ALLOW", { principals: matches("*") })], partner, "STRICT")).toBe(false);
  expect(mayCall([named, rule("DENY", { principals: matches("*") })], partner, "STRICT")).toBe(false);
});
