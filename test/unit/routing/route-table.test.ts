import fc from "fast-check";
import { expect, test } from "vitest";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import type { Matched, RouteMatch, Rule } from "../../../mesh-runtime/routing/words.ts";
import { anyRequest, anyRules, crowdedRequest, crowdedRules } from "./any.ts";
import { exact, match, named, prefix, request, rule } from "./examples.ts";

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
    PathPrefix: 0,
    "PathPrefix with conditions": 0,
  };
  for (const [rules, asked] of fc.sample(fc.tuple(anyRules, anyRequest), { seed: 22, numRuns: 1_000 })) {
    const match = routeTable(rules).find(asked)?.match;
    const conditions = match && (match.method !== undefined || match.headers.length + match.query.length > 0);
    const kind = match === undefined ? "none" : `${match.path.type}${conditions ? " with conditions" : ""}`;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  expect(Math.min(...Object.values(kinds)), JSON.stringify(kinds)).toBeGreaterThan(20);
});

/** The same by the letter of Gateway API and by the simplest means, sharing no code with the table. */
function everyMatchAsked(rules: readonly Rule[], asked: ReturnType<typeof request>): Matched | undefined {
  let best: Matched | undefined;
  for (const each of rules) {
    const matches = each.matches.length > 0 ? each.matches : [match(prefix("/"))];
    for (const candidate of matches)
      if (holds(candidate, asked) && (best === undefined || comesBefore(candidate, best.match)))
        best = { rule: each, match: candidate };
  }
  return best;
}

function holds({ path, method, headers, query }: RouteMatch, asked: ReturnType<typeof request>): boolean {
  const wanted = path.value.split("/");
  if (wanted.at(-1) === "" && wanted.length > 1) wanted.pop();
  const fits =
    path.type === "Exact"
      ? asked.url.pathname === path.value
      : JSON.stringify(asked.url.pathname.split("/").slice(0, wanted.length)) === JSON.stringify(wanted);
  const sent = new URLSearchParams(asked.url.search);
  return (
    fits &&
    (method === undefined || method === asked.method) &&
    [...firsts(headers)].every(([name, value]) => asked.headers.get(name) === value) &&
    [...firsts(query)].every(([name, value]) => sent.getAll(name)[0] === value)
  );
}

function comesBefore(a: RouteMatch, b: RouteMatch): boolean {
  const ranks = [a, b].map(({ path, method, headers, query }) => [
    Number(path.type === "Exact"),
    path.type === "Exact" ? 0 : path.value.length,
    Number(method !== undefined),
    firsts(headers).size,
    firsts(query).size,
  ]);
  const [ours = [], theirs = []] = ranks;
  const at = ours.findIndex((value, index) => value !== theirs[index]);
  return at !== -1 && (ours[at] ?? 0) > (theirs[at] ?? 0);
}

const firsts = (values: RouteMatch["headers"]): ReadonlyMap<string, string> =>
  new Map(values.toReversed().map(({ name, value }) => [name, value]));
