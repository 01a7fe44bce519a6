import { expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { candidateOf } from "../../../mesh-runtime/routing/candidate.ts";
import { choose, type Pile, pileOf } from "../../../mesh-runtime/routing/candidates.ts";
import { inPrecedence } from "../../../mesh-runtime/routing/precedence.ts";
import type { RoutedRequest } from "../../../mesh-runtime/routing/route-match.ts";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import type { RouteMatch } from "../../../mesh-runtime/routing/words.ts";
import { asking, expression, match, named, prefix, request, rule } from "./examples.ts";

const piled = (conditions: Readonly<Record<string, Partial<RouteMatch>>>): Pile => {
  const rules = Object.entries(conditions).map(([name, more]) => rule(name, [match(prefix("/"), more)]));
  return pileOf(inPrecedence(rules).map(candidateOf));
};

const tenants = (count: number, conditions: (n: number) => Partial<RouteMatch>): Pile =>
  piled(Object.fromEntries(Array.from({ length: count }, (_, n) => [`rule ${n}`, conditions(n)])));

test("candidates are filed under what tells them apart, not under what they share", () => {
  const { arranged } = tenants(5, (n) => ({ headers: named({ env: "live", tenant: `${n}` }) }));
  expect(arranged?.asking.map(({ by, groups }) => [by, ...groups.keys()])).toEqual([["headers", "tenant"]]);
});

test("a candidate of higher precedence wins although it is filed elsewhere", () => {
  const candidates = piled({
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
  const { arranged } = piled({
    get: { method: "GET" },
    again: { method: "GET" },
    any: {},
    late: {},
    color: { query: named({ color: "blue" }) },
    "color of get": { method: "GET", query: named({ color: "blue" }) },
  });
  expect(arranged?.plain.map(({ matched }) => matched.rule.name)).toEqual(["get", "any"]);
  expect(arranged?.asking.map(({ by }) => by)).toEqual(["query"]);
});

test("no candidate holds: nothing is chosen", () => {
  expect(choose(piled({ get: { method: "GET" } }), request("/", { method: "PUT" }))).toBeUndefined();
});

test("only what comes before a limit is chosen", () => {
  const candidates = piled({ get: { method: "GET" }, any: {} });
  expect(choose(candidates, request("/"), 1)?.matched.rule.name).toBe("get");
  expect(choose(candidates, request("/"), 0)).toBeUndefined();
  expect(choose(candidates, request("/", { method: "PUT" }), 1)).toBeUndefined();
});

/** A request that tells how often a header was asked for. */
function counted(
  headers: Readonly<Record<string, string>>,
): RoutedRequest & { readonly asked: () => readonly string[] } {
  const names: string[] = [];
  const fields = new Fields(new Headers(headers));
  const counting = {
    get: (name: string) => {
      names.push(name);
      return fields.get(name);
    },
    keys: () => fields.keys(),
    [Symbol.iterator]: () => fields[Symbol.iterator](),
  };
  return { ...request("/"), headers: counting, asked: () => names };
}

const chosenBy = (pile: Pile, asked: RoutedRequest) => choose(pile, asked)?.matched.rule.name;

test("of a thousand candidates that each look at a header of another name, those are asked that a request carries", () => {
  const pile = tenants(1_000, (n) => ({ headers: named({ [`x-team-${n}`]: "on" }) }));
  const one = counted({ accept: "*/*", "x-team-731": "on", "x-other": "on" });
  expect(chosenBy(pile, one)).toBe("rule 731");
  expect(one.asked()).toEqual(["x-team-731"]);
  const two = counted({ "x-team-5": "off", "x-team-900": "on" });
  expect(chosenBy(pile, two)).toBe("rule 900");
  expect(two.asked()).toEqual(["x-team-5", "x-team-900"]);
  const none = counted({ accept: "*/*" });
  expect(chosenBy(pile, none)).toBeUndefined();
  expect(none.asked()).toEqual([]);
});

test("a request that carries more names than there are candidates is asked for theirs", () => {
  const pile = tenants(20, (n) => ({ headers: named({ [`x-team-${n}`]: "on" }) }));
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`a-${n}`, "on"]));
  const asked = counted({ ...many, "x-team-7": "on" });
  expect(chosenBy(pile, asked)).toBe("rule 7");
  expect(asked.asked().length).toBeLessThanOrEqual(20);
});

test("of a thousand candidates that each look at a parameter of another name, the one that is there is found", () => {
  const pile = tenants(1_000, (n) => ({ query: named({ [`team-${n}`]: "on" }) }));
  const found = (query: string) => chosenBy(pile, request(`/${query}`));
  expect(found("?page=1&team-731=on")).toBe("rule 731");
  expect(found("?team-5=off&team-5=on&team-8=on")).toBe("rule 8");
  expect(found(`?${"team-5=off&".repeat(2_000)}team-8=on`)).toBe("rule 8");
  expect(found("?page=1")).toBeUndefined();
});

test("a thousand candidates by as many expressions for one header cost one question", () => {
  const pile = tenants(1_000, (n) => ({
    headers: [...named({ env: "live" }), asking("tenant", `[a-z]+-${n}(-.*)?`)],
  }));
  const asked = counted({ env: "live", tenant: "shop-731-blue" });
  expect(chosenBy(pile, asked)).toBe("rule 731");
  expect(asked.asked()).toEqual(["tenant", "env"]);
  expect(chosenBy(pile, counted({ env: "test", tenant: "shop-731" }))).toBeUndefined();
  expect(chosenBy(pile, counted({ env: "live", tenant: "shop" }))).toBeUndefined();
});

test("a value and an expression for one header stand side by side", () => {
  const pile = piled({
    value: { headers: named({ size: "12" }) },
    digits: { method: "GET", headers: [asking("size", "\\d+")] },
    other: { headers: named({ size: "14" }) },
    letters: { headers: [asking("size", "[a-z]+")] },
    anything: { headers: [asking("size", ".*")] },
  });
  const found = (method: string, size: string) => chosenBy(pile, request("/", { method, headers: { size } }));
  expect(found("GET", "12")).toBe("digits");
  expect(found("PUT", "12")).toBe("value");
  expect(found("PUT", "13")).toBe("anything");
  expect(found("PUT", "big")).toBe("letters");
});

test("candidates that only two headers together tell apart cost two questions", () => {
  const pile = tenants(1_024, (n) => ({ headers: named({ row: `${n % 32}`, column: `${n >> 5}` }) }));
  const asked = counted({ row: "13", column: "22" });
  expect(chosenBy(pile, asked)).toBe(`rule ${22 * 32 + 13}`);
  expect(asked.asked().length).toBe(2);
});

test("expressions that often hold together come to be asked as one", () => {
  const rules = Array.from({ length: 500 }, (_, n) =>
    rule(`rule ${n}`, [match(expression(`/[a-z]+(/x${n})?`), { headers: named({ tenant: `${n}` }) })]),
  );
  // Of the first expression by rank the second candidate comes after that of the next expression.
  const first = rule("first", [
    match(expression("/[a-z]+(/x100)?"), { method: "PUT", headers: named({ tenant: "both", other: "1" }) }),
  ]);
  const later = rule("later", [match(expression("/[a-z]+(/x100)?"), { headers: named({ tenant: "both" }) })]);
  const sooner = rule("sooner", [
    match(expression("/[a-z]+(/x200)?"), { method: "PUT", headers: named({ tenant: "both" }) }),
  ]);
  const table = routeTable([...rules, later, sooner, first]);
  const questions = (tenant: string, expected: string | undefined, method = "GET"): number => {
    const asked = counted({ tenant });
    const url = new URL("http://shop/cart");
    expect(table.find({ ...asked, url, method })?.rule.name).toBe(expected);
    return asked.asked().length;
  };
  expect(questions("none", undefined)).toBeGreaterThan(400);
  for (let time = 0; time < 8; time++) questions("none", undefined);
  expect(questions("none", undefined)).toBeLessThanOrEqual(3);
  expect(questions("417", "rule 417")).toBeLessThanOrEqual(3);
  expect(questions("both", "later")).toBeLessThanOrEqual(3);
  expect(questions("both", "sooner", "PUT")).toBeLessThanOrEqual(3);
});
