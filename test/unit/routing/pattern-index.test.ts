import { afterEach, expect, test, vi } from "vitest";
import { candidateOf } from "../../../mesh-runtime/routing/candidate.ts";
import { patternIndex } from "../../../mesh-runtime/routing/pattern-index.ts";
import { inPrecedence } from "../../../mesh-runtime/routing/precedence.ts";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import type { PathMatch } from "../../../mesh-runtime/routing/words.ts";
import { expression, match, prefix, request, rule } from "./examples.ts";

afterEach(() => vi.restoreAllMocks());

/** An expression that says when it is asked. */
function told(source: string, asked: string[]): PathMatch {
  const path = expression(source);
  if (path.type !== "RegularExpression") return path;
  const pattern = new Proxy(path.pattern, {
    get(target, name, receiver) {
      if (name === "prefix") asked.push(source);
      return Reflect.get(target, name, receiver);
    },
  });
  return { ...path, pattern };
}

/** Which expressions a path is compared with; the first look-up files them. */
function comparedWith(sources: readonly string[], path: string): readonly string[] {
  const asked: string[] = [];
  const table = routeTable(sources.map((source) => rule(source, [match(told(source, asked))])));
  asked.length = 0;
  table.find(request(path));
  return [...new Set(asked)];
}

test("a path is compared with the expressions alone that begin with its segments, or with none", () => {
  const sources = ["/a/b/[0-9]+", "/a/c/[0-9]+", "/a/[0-9]+", "/a/bc.*", "/b/.*", ".*[.]png", "(?i)/a/b"];
  expect(comparedWith(sources, "/a/b/x").toSorted()).toEqual(
    ["/a/b/[0-9]+", "/a/[0-9]+", "/a/bc.*", ".*[.]png", "(?i)/a/b"].toSorted(),
  );
  expect(comparedWith(sources, "/c/d")).toEqual([".*[.]png", "(?i)/a/b"]);
});

test("expressions that could not win any more are not asked", () => {
  const sources = ["/[a-z]+/[a-z]+/members", "/teams/.*"];
  expect(comparedWith(sources, "/teams/a/members")).toEqual(["/[a-z]+/[a-z]+/members"]);
  expect(comparedWith(sources, "/teams/a/others")).toEqual(sources);
});

test("of a thousand expressions under their own segments one is asked", () => {
  const sources = Array.from({ length: 1_000 }, (_, n) => `/teams/team-${n}/items/[0-9]+`);
  expect(comparedWith(sources, "/teams/team-731/items/5")).toEqual(["/teams/team-731/items/[0-9]+"]);
});

test("the candidate of highest precedence is found whatever segments it is filed under", () => {
  const rules = [
    rule("deep", [match(expression("/a/b/c/.*"))]),
    rule("shallow", [match(expression("/a/(b|c)/c/[de]"))]),
    rule("method", [match(expression("/a/b/c/.."), { method: "GET" })]),
  ];
  const find = patternIndex(inPrecedence(rules).map(candidateOf));
  const found = (path: string) => find(path, request(path))?.matched.rule.name;
  expect(found("/a/b/c/d")).toBe("shallow");
  expect(found("/a/b/c/de")).toBe("method");
  expect(found("/a/b/c/def")).toBe("deep");
  expect(found("/a/c/c/d")).toBe("shallow");
  expect(found("/a/c/c/f")).toBeUndefined();
});

test("how often a table is asked depends on the lengths that its rules have, not on the length of the path", () => {
  const depths = Array.from({ length: 10 }, (_, n) => "/a".repeat(n + 1));
  const table = routeTable([
    ...depths.map((value) => rule(value, [match(prefix(`${value}/b`))])),
    ...depths.map((value) => rule(value, [match(expression(`${value}/c/x?`))])),
  ]);
  const lookUps = (path: string) => {
    const asked = request(path);
    const look = vi.spyOn(Map.prototype, "get");
    const cut = vi.spyOn(String.prototype, "slice");
    table.find(asked);
    const counts = [look.mock.calls.length, cut.mock.calls.length];
    vi.restoreAllMocks();
    return counts;
  };
  lookUps("/a".repeat(50));
  const [gets, slices] = lookUps("/a".repeat(50));
  expect(lookUps("/a".repeat(4_096))).toEqual([gets, slices]);
  expect(gets).toBeLessThanOrEqual(2 * depths.length + 1);
  expect(slices).toBeLessThanOrEqual(2 * 2 * depths.length);
});
