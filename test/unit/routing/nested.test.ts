import fc from "fast-check";
import { expect, test } from "vitest";
import { candidateOf } from "../../../mesh-runtime/routing/candidate.ts";
import { type Pile, pileOf } from "../../../mesh-runtime/routing/candidates.ts";
import { chooseNested, nested } from "../../../mesh-runtime/routing/nested.ts";
import { inPrecedence } from "../../../mesh-runtime/routing/precedence.ts";
import { prefixIndex } from "../../../mesh-runtime/routing/prefix-index.ts";
import { type RoutedRequest, routeMatches } from "../../../mesh-runtime/routing/route-match.ts";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import type { Rule } from "../../../mesh-runtime/routing/words.ts";
import { match, named, prefix, request, rule } from "./examples.ts";

const depths = 20;
const chain = (depth: number): string => "/a".repeat(depth);

/** What the matrix of these rules' prefixes finds; nothing to say where there is none to look into. */
function lookUp(rules: readonly Rule[], asked: RoutedRequest) {
  const piles = new Map<string, Pile>();
  const candidates = inPrecedence(rules).map(candidateOf);
  for (const { matched } of candidates) {
    const its = candidates.filter(({ matched: { match } }) => match.path.value === matched.match.path.value);
    piles.set(matched.match.path.value, pileOf(its));
  }
  const longest = prefixIndex(piles, 8)(asked.url.pathname);
  const matrix = longest && nested().matrixFor(longest);
  return matrix && longest
    ? { found: chooseNested(matrix, longest, asked)?.matched.rule.name }
    : { isWalked: true };
}

const tenants = (perPrefix: number, more: readonly Rule[] = []): readonly Rule[] => [
  ...Array.from({ length: depths * perPrefix }, (_, n) =>
    rule(`rule ${n}`, [match(prefix(chain(1 + (n % depths))), { headers: named({ tenant: `${n}` }) })]),
  ),
  ...more,
];

test("of many candidates under the prefixes of a path the one that holds is found at once, wherever it stands", () => {
  const rules = tenants(5);
  const asking = (tenant: number, depth: number) =>
    request(chain(depth), { headers: { tenant: `${tenant}` } });
  for (const tenant of [0, 19, 57, 99]) {
    expect(lookUp(rules, asking(tenant, depths))).toEqual({ found: `rule ${tenant}` });
    if (tenant % depths > 10)
      expect(lookUp(rules, asking(tenant, 1 + (tenant % depths)))).toEqual({ found: `rule ${tenant}` });
  }
  expect(lookUp(rules, asking(100, depths))).toEqual({ found: undefined });
});

test("rules below where a path ends, or beside it, are none of its own", () => {
  const rules = tenants(5, [rule("beside", [match(prefix("/a/b"), { headers: named({ tenant: "7" }) })])]);
  const at = (path: string, tenant: string) => lookUp(rules, request(path, { headers: { tenant } }));
  expect(at(chain(10), "9")).toEqual({ found: "rule 9" });
  expect(at(chain(10), "10")).toEqual({ found: undefined });
  expect(at(chain(10), "7")).toEqual({ found: "rule 7" });
});

test("who asks for nothing is found by the path alone, and hides what is under shorter prefixes", () => {
  const rules = tenants(5, [rule("plain", [match(prefix(chain(8)))])]);
  const at = (depth: number, tenant: string) => lookUp(rules, request(chain(depth), { headers: { tenant } }));
  expect(at(depths, "3")).toEqual({ found: "plain" });
  expect(at(depths, "12")).toEqual({ found: "rule 12" });
  const onTop = [...rules, rule("on top", [match(prefix(chain(depths)))])];
  expect(routeTable(onTop).find(request(chain(depths)))?.rule.name).toBe("on top");
});

test("few candidates are asked one prefix after the other, and so are those of a path with one prefix", () => {
  expect(lookUp(tenants(1), request(chain(depths)))).toEqual({ isWalked: true });
  expect(lookUp(tenants(5), request(chain(1)))).toEqual({ isWalked: true });
});

test("the same is found as by asking every match, whatever the conditions, methods and places", () => {
  const condition = fc.record({
    path: fc
      .tuple(fc.constantFrom("", "", "", "/b"), fc.nat(12))
      .map(([place, depth]) => place + chain(depth)),
    headers: fc.dictionary(fc.constantFrom("x", "y", "z"), fc.constantFrom("0", "1"), { maxKeys: 3 }),
    query: fc.dictionary(fc.constantFrom("p", "q"), fc.constantFrom("0", "1"), { maxKeys: 2 }),
    method: fc.constantFrom(undefined, undefined, "GET", "PUT"),
  });
  let looked = 0;
  fc.assert(
    fc.property(
      fc.array(condition, { minLength: 60, maxLength: 120, size: "max" }),
      fc.array(condition, { minLength: 10, maxLength: 10 }),
      (conditions, asked) => {
        const rules = conditions.map(({ path, headers, query, method }, n) =>
          rule(`rule ${n}`, [
            match(prefix(path || "/"), {
              headers: named(headers),
              query: named(query),
              ...(method === undefined ? {} : { method }),
            }),
          ]),
        );
        const table = routeTable(rules);
        const inOrder = inPrecedence(rules);
        for (const { path, headers, query, method = "GET" } of asked) {
          const one = request(`${path}/x?${new URLSearchParams(query)}`, { method, headers });
          const expected = inOrder.find((each) => routeMatches(each.match, one))?.rule.name;
          expect(table.find(one)?.rule.name).toBe(expected);
          if (lookUp(rules, one).isWalked === undefined) looked += 1;
        }
      },
    ),
    { numRuns: 30, seed: 21 },
  );
  expect(looked).toBeGreaterThan(50);
});
