import fc from "fast-check";
import { expect, test } from "vitest";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import type { Rule } from "../../../mesh-runtime/routing/words.ts";
import { anyRequest, anyRules, crowdedRequest, crowdedRules } from "./any.ts";
import { asking, exact, expression, match, named, prefix, request, rule } from "./examples.ts";
import { everyMatchAsked } from "./reference.ts";

const found = (rules: readonly Rule[], asked: ReturnType<typeof request>): string | undefined =>
  routeTable(rules).find(asked)?.rule.name;

test("the rule that is most specific wins, wherever it stands in the list", () => {
  const rules = [
    rule("all", []),
    rule("v2", [match(prefix("/v2"))]),
    rule("blue", [match(prefix("/"), { headers: named({ color: "blue" }) })]),
    rule("v2 example", [match(exact("/v2/example"))]),
  ];
  const blue = { headers: { color: "blue" } };
  expect(found(rules, request("/"))).toBe("all");
  expect(found(rules, request("/", blue))).toBe("blue");
  expect(found(rules, request("/v2/x", blue))).toBe("v2");
  expect(found(rules, request("/v2/example", blue))).toBe("v2 example");
  expect(found(rules, request("/v2example"))).toBe("all");
});

test("a longer path whose other conditions do not hold gives way to a shorter one", () => {
  const rules = [
    rule("post", [match(exact("/cart"), { method: "POST" })]),
    rule("blue", [match(prefix("/cart"), { headers: named({ color: "blue" }) })]),
    rule("all", [match(prefix("/"))]),
  ];
  expect(found(rules, request("/cart", { method: "POST" }))).toBe("post");
  expect(found(rules, request("/cart", { headers: { color: "blue" } }))).toBe("blue");
  expect(found(rules, request("/cart"))).toBe("all");
});

test("a regular expression comes after exact paths and before prefixes, the longer one first", () => {
  const rules = [
    rule("prefix", [
      match(prefix("/shop/carts/of/somebody"), { method: "GET", headers: named({ color: "blue" }) }),
    ]),
    rule("any", [match(expression("/.*"), { method: "GET" })]),
    rule("carts", [match(expression("/shop/carts/.*"))]),
    rule("exact", [match(exact("/shop/carts"))]),
    rule("rest", []),
  ];
  const blue = { headers: { color: "blue" } };
  expect(found(rules, request("/shop/carts", blue))).toBe("exact");
  expect(found(rules, request("/shop/carts/of/somebody", blue))).toBe("carts");
  expect(found(rules, request("/shop/other", blue))).toBe("any");
  expect(found(rules, request("/shop/other", { method: "PUT" }))).toBe("rest");
});

test("among expressions of one length and of one path, method, headers and query decide over all routes", () => {
  const rules = [
    rule("one", [match(expression("/a/[bc]+"))]),
    rule("two", [match(expression("/a/[b-z]"), { query: named({ page: "1" }) })]),
    rule("three", [match(expression("/a/[bc]*"), { headers: named({ color: "blue" }) })]),
    rule("four", [match(expression("/a/[bc]+"), { method: "PUT" })]),
    rule("five", [match(expression("./b.c*z?"), { headers: named({ color: "blue", size: "1" }) })]),
  ];
  const asked = (path: string, method: string, headers: HeadersInit) =>
    found(rules, request(path, { method, headers }));
  expect(asked("/a/b?page=1", "PUT", { color: "blue", size: "1" })).toBe("four");
  expect(asked("/a/b?page=1", "GET", { color: "blue" })).toBe("three");
  expect(asked("/a/b?page=1", "GET", {})).toBe("two");
  expect(asked("/a/b", "GET", {})).toBe("one");
});

test("what a header or a parameter is asked by an expression counts as a condition like any other", () => {
  const rules = [
    rule("one", [match(prefix("/"), { headers: named({ color: "blue" }) })]),
    rule("two", [match(prefix("/"), { headers: [...named({ color: "blue" }), asking("size", "\\d+")] })]),
    rule("three", [match(prefix("/"), { query: [asking("page", "[1-9]"), asking("sort", "")] })]),
    rule("rest", []),
  ];
  expect(found(rules, request("/", { headers: { color: "blue", size: "12" } }))).toBe("two");
  expect(found(rules, request("/", { headers: { color: "blue", size: "big" } }))).toBe("one");
  expect(found(rules, request("/?page=3&sort="))).toBe("three");
  expect(found(rules, request("/?page=30&sort="))).toBe("rest");
  expect(found(rules, request("/?page=3"))).toBe("rest");
});

test("an expression for one method does not hide what comes after it for those it does not take", () => {
  const rules = [
    rule("digits", [match(prefix("/"), { method: "GET", headers: [asking("size", "\\d+")] })]),
    rule("letters", [match(prefix("/"), { method: "GET", headers: [asking("size", "[a-z]+")] })]),
  ];
  expect(found(rules, request("/", { headers: { size: "12" } }))).toBe("digits");
  expect(found(rules, request("/", { headers: { size: "big" } }))).toBe("letters");
});

test("without rules, or without one that fits, nothing is found", () => {
  expect(found([], request("/"))).toBeUndefined();
  expect(found([rule("v2", [match(prefix("/v2"))])], request("/"))).toBeUndefined();
});

test("what is found names the match that decided, not only the rule", () => {
  const matches = [match(prefix("/one")), match(prefix("/two"))];
  expect(routeTable([rule("either", matches)]).find(request("/two/x"))?.match).toBe(matches[1]);
});

test("a thousand tenants on one path are told apart, each by its own header", () => {
  const tenants = Array.from({ length: 1_000 }, (_, n) =>
    rule(`tenant ${n}`, [match(prefix("/"), { headers: named({ env: "live", tenant: `${n}` }) })]),
  );
  const rules = [rule("rest", []), ...tenants];
  expect(found(rules, request("/x", { headers: { env: "live", tenant: "731" } }))).toBe("tenant 731");
  expect(found(rules, request("/x", { headers: { env: "test", tenant: "731" } }))).toBe("rest");
});

test("neither headers nor query are looked at where path and method decide", () => {
  const rules = [
    rule("path", [match(exact("/plain"))]),
    rule("method", [match(prefix("/asked"), { method: "GET" })]),
    rule("header", [match(prefix("/asked"), { headers: named({ color: "blue" }) })]),
    rule("query", [match(prefix("/asked"), { query: named({ color: "blue" }) })]),
  ];
  const table = routeTable(rules);
  const closed = (path: string, method: string) => ({
    method,
    headers: Object.assign(new Headers(), {
      get() {
        throw new Error("headers were looked at");
      },
    }),
    url: Object.defineProperty(new URL(path, "http://shop.example.com"), "searchParams", {
      get() {
        throw new Error("the query was parsed");
      },
    }),
  });
  expect(table.find(closed("/plain", "GET"))?.rule.name).toBe("path");
  expect(table.find(closed("/asked", "GET"))?.rule.name).toBe("method");
  expect(() => table.find(closed("/asked", "POST"))).toThrow("headers were looked at");
  const queryOnly = routeTable(rules.filter(({ name }) => name !== "header"));
  expect(() => queryOnly.find(closed("/asked", "POST"))).toThrow("the query was parsed");
});

test("the table finds what asking every match in order of precedence finds", () => {
  fc.assert(
    fc.property(anyRules, fc.array(anyRequest, { minLength: 1, maxLength: 8 }), (rules, requests) => {
      const table = routeTable(rules);
      for (const asked of requests) expect(table.find(asked)).toEqual(everyMatchAsked(rules, asked));
    }),
    { seed: 22, numRuns: 1_500 },
  );
});

test("it does so too where many rules share a path and several of them hold", () => {
  fc.assert(
    fc.property(crowdedRules, fc.array(crowdedRequest, { minLength: 1, maxLength: 8 }), (rules, requests) => {
      const table = routeTable(rules);
      for (const asked of requests) expect(table.find(asked)).toEqual(everyMatchAsked(rules, asked));
    }),
    { seed: 22, numRuns: 500 },
  );
});

test("the property test meets every kind of match often enough to mean something", () => {
  const kinds: Record<string, number> = {
    none: 0,
    Exact: 0,
    "Exact with conditions": 0,
    RegularExpression: 0,
    "RegularExpression with conditions": 0,
    PathPrefix: 0,
    "PathPrefix with conditions": 0,
  };
  for (const [rules, asked] of fc.sample(fc.tuple(anyRules, anyRequest), { seed: 22, numRuns: 2_000 })) {
    const match = routeTable(rules).find(asked)?.match;
    const conditions = match && (match.method !== undefined || match.headers.length + match.query.length > 0);
    const kind = match === undefined ? "none" : `${match.path.type}${conditions ? " with conditions" : ""}`;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  expect(Math.min(...Object.values(kinds)), JSON.stringify(kinds)).toBeGreaterThan(20);
});
