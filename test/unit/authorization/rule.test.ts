import { describe, expect, test } from "vitest";
import { readRule, stringMatch, stringMatches } from "../../../mesh-runtime/authorization/rule.ts";
import type { AuthorizationRule } from "../../../mesh-runtime/authorization/words.ts";
import { get, principal, speaks, web } from "./subjects.ts";

describe("a value as Istio writes it", () => {
  test.each([
    ["*", { type: "present" }],
    ["abc*", { type: "prefix", value: "abc" }],
    ["*abc", { type: "suffix", value: "abc" }],
    ["abc", { type: "exact", value: "abc" }],
  ] as const)("%s is read as %j", (written, match) => {
    expect(stringMatch(written)).toEqual(match);
  });

  test.each([
    ["abc", "abc", true],
    ["abc", "abcd", false],
    ["abc", "ABC", false],
    ["abc*", "abcd", true],
    ["abc*", "ab", false],
    ["*abc", "xabc", true],
    ["*abc", "abcx", false],
    ["*", "anything", true],
    ["*", "", false],
  ])("%s and the value %j: %j", (written, value, matches) => {
    expect(stringMatches(stringMatch(written), value)).toBe(matches);
  });
});

describe("a rule", () => {
  const rule: AuthorizationRule = { name: "r", action: "ALLOW" };
  const id = { type: "exact", value: web.id.uri } as const;
  const request = get("/admin");

  test("without from and to speaks of everything", () => {
    expect(speaks(rule, request)).toBe(true);
    expect(speaks(rule, get("/", "nobody"))).toBe(true);
  });

  test("with an empty list speaks of nothing", () => {
    expect(speaks({ ...rule, from: [] }, request)).toBe(false);
    expect(speaks({ ...rule, to: [] }, request)).toBe(false);
    expect(speaks({ ...rule, from: [{ principals: [] }] }, request)).toBe(false);
    expect(speaks({ ...rule, to: [{ paths: [] }] }, request)).toBe(false);
  });

  test("takes its sources as alternatives, and all conditions of one together", () => {
    const cart = { type: "exact", value: principal("default", "cart").id.uri } as const;
    const namespaces = [{ type: "exact", value: "other" }] as const;
    expect(speaks({ ...rule, from: [{ principals: [cart] }, { principals: [id] }] }, request)).toBe(true);
    expect(speaks({ ...rule, from: [{ principals: [id], namespaces }] }, request)).toBe(false);
  });

  test("compares methods and paths as given", () => {
    const to = [{ methods: [stringMatch("GET")], paths: [stringMatch("/admin*")] }];
    expect(speaks({ ...rule, to }, request)).toBe(true);
    expect(speaks({ ...rule, to }, { ...request, method: "POST" })).toBe(false);
    expect(speaks({ ...rule, to }, get("/shop"))).toBe(false);
  });

  test("negates: all but these", () => {
    expect(speaks({ ...rule, from: [{ notPrincipals: [id] }] }, request)).toBe(false);
    expect(speaks({ ...rule, from: [{ notNamespaces: [stringMatch("default")] }] }, request)).toBe(false);
    expect(speaks({ ...rule, to: [{ notMethods: [stringMatch("GET")] }] }, request)).toBe(false);
    expect(speaks({ ...rule, to: [{ notPaths: [stringMatch("/admin*")] }] }, get("/shop"))).toBe(true);
  });

  test("with a presence demands a verified caller, and a negation takes unverified ones with it", () => {
    const nobody = get("/", "nobody");
    expect(speaks({ ...rule, from: [{ principals: [stringMatch("*")] }] }, nobody)).toBe(false);
    expect(speaks({ ...rule, from: [{ principals: [stringMatch("*")] }] }, request)).toBe(true);
    expect(speaks({ ...rule, from: [{ notPrincipals: [id] }] }, nobody)).toBe(true);
  });

  test("knows whether it looks at the path", () => {
    expect(readRule(rule).looksAtPath).toBe(false);
    expect(readRule({ ...rule, to: [{ methods: [stringMatch("GET")] }] }).looksAtPath).toBe(false);
    const to = [{ methods: [] }, { notPaths: [stringMatch("/a")] }];
    expect(readRule({ ...rule, to }).looksAtPath).toBe(true);
  });
});
