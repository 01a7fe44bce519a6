import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { sharesOf } from "../../../mesh-runtime/policy/effective-rules.ts";
import { mostCandidates } from "../../../mesh-runtime/policy/explain-match.ts";
import type { LoadedDestination } from "../../../mesh-runtime/policy/loaded.ts";
import { destinationTable } from "../../../mesh-runtime/policy/port-table.ts";
import { pathMatches } from "../../../mesh-runtime/routing/path-match.ts";
import { advantage, compareMatches, inPrecedence } from "../../../mesh-runtime/routing/precedence.ts";
import { routeMatches } from "../../../mesh-runtime/routing/route-match.ts";
import { split } from "../../../mesh-runtime/routing/split.ts";
import type { RouteMatch, Rule } from "../../../mesh-runtime/routing/words.ts";
import { anyRequest, anyRules, crowdedRequest, crowdedRules } from "../routing/any.ts";
import { backend, prefix, type request } from "../routing/examples.ts";
import { atService, web } from "./explaining.ts";

describe("for any rules and any request", () => {
  const asFields = (asked: ReturnType<typeof request>) => ({ ...asked, headers: new Fields(asked.headers) });

  function holdsTrue(rules: readonly Rule[], drawn: ReturnType<typeof request>): void {
    const asked = asFields(drawn);
    const answer = atService(rules, asked);
    const all = inPrecedence(rules);
    const settings = { ...web.destination("default/shop")?.settings, rules } as LoadedDestination["settings"];
    const found = destinationTable(settings)?.find(asked);

    expect(answer.rule).toBe(found?.rule.name);
    expect(answer.candidates.length + answer.omitted).toBe(all.length);
    expect(answer.candidates.length).toBe(Math.min(all.length, mostCandidates));
    expect(answer.candidates.filter(({ fate }) => fate.kind === "wins")).toHaveLength(found ? 1 : 0);
    for (const { rank, rule: name, fate } of answer.candidates) {
      const matched = all[rank - 1];
      if (matched === undefined) throw new Error("a rank that does not exist");
      expect(name).toBe(matched.rule.name);
      switch (fate.kind) {
        case "wins":
          expect(matched.match).toBe(found?.match);
          break;
        case "lower precedence":
          if (found === undefined) throw new Error("behind nothing");
          expect(routeMatches(matched.match, asked)).toBe(true);
          expect(compareMatches(found.match, matched.match)).toBeLessThanOrEqual(0);
          expect(all.indexOf(matched)).toBeGreaterThan(all.findIndex((each) => each.match === found.match));
          expect(fate.because).toBe(advantage(found.match, matched.match));
          break;
        case "no match":
          expect(routeMatches(matched.match, asked)).toBe(false);
          expect(fate.unmet.map(({ on, name: of }) => `${on} ${of ?? ""}`)).toEqual(
            lacking(matched.match, asked),
          );
          expect(fate.unmet.length).toBeGreaterThan(0);
      }
    }
  }

  test("the winner is the table's, and each loser's reason is true", () => {
    fc.assert(fc.property(anyRules, anyRequest, holdsTrue), { seed: 22, numRuns: 400 });
  });

  test("also where many rules share a path and several hold", () => {
    fc.assert(fc.property(crowdedRules, crowdedRequest, holdsTrue), { seed: 22, numRuns: 200 });
  });

  /** Each condition asked by itself, as a match that demands nothing else. */
  function lacking({ path, method, headers, query }: RouteMatch, asked: ReturnType<typeof asFields>) {
    const nothing: RouteMatch = { path: prefix("/"), headers: [], query: [] };
    const opaque = { ...asked, url: new URL(`http://shop.example.com/${asked.url.search}`) };
    const lacks = (more: Partial<RouteMatch>) => !routeMatches({ ...nothing, ...more }, opaque);
    const firsts = <Each extends { readonly name: string }>(all: readonly Each[]) =>
      all.filter((each, at) => all.findIndex(({ name }) => name === each.name) === at);
    return [
      ...(pathMatches(path, asked.url.pathname) ? [] : ["path "]),
      ...(method !== undefined && lacks({ method }) ? ["method "] : []),
      ...firsts(headers).flatMap((one) => (lacks({ headers: [one] }) ? [`header ${one.name}`] : [])),
      ...firsts(query).flatMap((one) => (lacks({ query: [one] }) ? [`query ${one.name}`] : [])),
    ];
  }

  test("the shares of backends are those by which requests are split", () => {
    const weights = fc.array(fc.nat(20), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(weights, (drawn) => {
        const backends = drawn.map((weight, at) => backend(`shop/b${at}`, { weight }));
        const sum = drawn.reduce((total, weight) => total + weight, 0);
        const points = Array.from({ length: sum }, (_, at) => (at + 0.5) / sum);
        const chosen = points.map((point) => split(backends, [], point));
        for (const [at, share] of sharesOf(backends).entries())
          expect(share * sum).toBeCloseTo(chosen.filter((one) => one === backends[at]).length, 6);
      }),
      { seed: 22, numRuns: 200 },
    );
  });
});
