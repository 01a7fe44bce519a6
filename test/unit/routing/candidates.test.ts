import { expect, test } from "vitest";
import { arrange, choose } from "../../../mesh-runtime/routing/candidates.ts";
import { inPrecedence } from "../../../mesh-runtime/routing/precedence.ts";
import type { RouteMatch } from "../../../mesh-runtime/routing/words.ts";
import { match, named, prefix, request, rule } from "./examples.ts";

const arranged = (conditions: Readonly<Record<string, Partial<RouteMatch>>>) => {
  const rules = Object.entries(conditions).map(([name, more]) => rule(name, [match(prefix("/"), more)]));
  return arrange(inPrecedence(rules).map((matched, rank) => ({ rank, matched })));
};

test("candidates are filed under what tells them apart, not under what they share", () => {
  const shared = { env: "live" };
  const { groups } = arranged({
    one: { headers: named({ ...shared, tenant: "1" }) },
    two: { headers: named({ ...shared, tenant: "2" }) },
    three: { headers: named({ ...shared, tenant: "3" }) },
  });
  expect(groups.map((group) => (group.by === "each" ? group.by : group.name))).toEqual(["tenant"]);
});

test("a candidate of higher precedence wins although it is filed elsewhere", () => {
  const candidates = arranged({
    any: {},
    color: { headers: named({ color: "blue" }) },
    pair: { headers: named({ color: "blue", size: "1" }) },
    page: { query: named({ page: "1" }) },
    get: { method: "GET" },
  });
  const chosen = (method: string, query: string, headers: HeadersInit): string | undefined =>
    choose(candidates, request(`/${query}`, { method, headers }))?.matched.rule.name;
  expect(chosen("GET", "?page=1", { color: "blue", size: "1" })).toBe("get");
  expect(chosen("PUT", "?page=1", { color: "blue", size: "1" })).toBe("pair");
  expect(chosen("PUT", "?page=1", { color: "blue", size: "2" })).toBe("color");
  expect(chosen("PUT", "?page=1", { color: "red" })).toBe("page");
  expect(chosen("PUT", "?page=2", {})).toBe("any");
});

test("candidates that can never be reached are not kept", () => {
  const { groups, otherwise } = arranged({
    get: { method: "GET" },
    again: { method: "GET" },
    any: {},
    late: {},
  });
  const kept = groups.flatMap((group) => (group.by === "each" ? group.candidates : []));
  expect(kept.map(({ matched }) => matched.rule.name)).toEqual(["get"]);
  expect(otherwise?.matched.rule.name).toBe("any");
});

test("no candidate holds: nothing is chosen", () => {
  expect(choose(arranged({ get: { method: "GET" } }), request("/", { method: "PUT" }))).toBeUndefined();
});
