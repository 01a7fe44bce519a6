import fc from "fast-check";
import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import { type RoutedRequest, routeMatches } from "../../mesh-runtime/routing/route-match.ts";
import { routeTable } from "../../mesh-runtime/routing/route-table.ts";
import type {
  NamedMatch,
  PathMatch,
  RouteMatch,
  RouteTable,
  Rule,
} from "../../mesh-runtime/routing/words.ts";
import { asking, exact, expression, prefix, rule } from "../unit/routing/examples.ts";
import { everyMatchAsked, holds } from "../unit/routing/reference.ts";

/*
 * Rules and requests in every shape that arrives at a mesh, hostile ones among them. A request is made of
 * one of the rules and changed a little, so that most come close to something.
 */

/** What came out of a fuzz: that it met what it was meant to meet. */
export interface Tally {
  requests: number;
  /** By the type of the match that decided; `none` without one. */
  readonly decided: Record<string, number>;
}

/**
 * Compares the table and the definition with the plain reference; throws fast-check's report of the
 * smallest case where they differ, or where one of them throws.
 */
export function fuzzMatcher({ seed, runs }: { readonly seed: number; readonly runs: number }): Tally {
  const tally: Tally = { requests: 0, decided: {} };
  const some = fc.array(anyMatch, { minLength: 1, maxLength: 12 });
  const asked = fc.array(anyAsked, { minLength: 4, maxLength: 8 });
  fc.assert(
    fc.property(
      some,
      fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }),
      asked,
      (matches, sizes, requests) => {
        const rules = rulesOf(matches, sizes);
        const table = routeTable(rules);
        for (const each of requests) compare(table, rules, requestOf(each, matches), tally);
      },
    ),
    { seed, numRuns: runs },
  );
  return tally;
}

/** Throws where the table, the definition and the plain reference differ about a request. */
export function compare(
  table: RouteTable,
  rules: readonly Rule[],
  request: RoutedRequest,
  tally: Tally,
): void {
  const expected = everyMatchAsked(rules, request);
  const found = table.find(request);
  const asked = `${request.method} ${request.url}`;
  if (found?.rule !== expected?.rule || !same(found?.match, expected?.match))
    throw new Error(
      `${asked}: ${shown(found)} instead of ${shown(expected)} of ${JSON.stringify(rules.map(({ matches }) => matches))}`,
    );
  for (const match of rules.slice(0, 12).flatMap(({ matches }) => matches))
    if (routeMatches(match, request) !== holds(match, request))
      throw new Error(`${asked} and ${JSON.stringify(match)}`);
  tally.requests += 1;
  const type = found?.match.path.type ?? "none";
  tally.decided[type] = (tally.decided[type] ?? 0) + 1;
}

const same = (a: RouteMatch | undefined, b: RouteMatch | undefined): boolean =>
  a === b || JSON.stringify(a) === JSON.stringify(b);

const shown = (found: { readonly rule: Rule; readonly match: RouteMatch } | undefined): string =>
  found === undefined ? "nothing" : `${found.rule.name} by ${JSON.stringify(found.match.path)}`;

const segment = fc.constantFrom(
  ...[
    "a",
    "b",
    "A",
    "v2",
    "v2x",
    "items",
    "%61",
    "%2e%2e",
    "%2F",
    "a%2fb",
    "%",
    "%zz",
    "%C3%A9",
    "é",
    "日本",
    "😀",
  ],
  ...[
    ".",
    "..",
    "...",
    ";p=1",
    "a;p=1",
    "a,b",
    "*",
    "a b",
    "a+b",
    "~",
    "__proto__",
    "constructor",
    "\\",
    "\t",
    "@",
    ":80",
  ],
);

const written = fc
  .tuple(fc.array(segment, { maxLength: 4 }), fc.constantFrom("", "", "/", "//"))
  .map(([segments, end]) => `/${segments.join("/")}${end}`);

const long = fc
  .constantFrom("/a", "a", "/", "%2e", "é", ";a")
  .map((unit) => `/${unit.repeat(8_192 / unit.length)}`);

const expressions = [
  ...[
    "/.*",
    ".*",
    "/a",
    "/a/.*",
    "/a(/.*)?",
    "/[^/]+",
    "/[^/]+/items",
    "/v[0-9]+x?",
    "(?i)/a/b",
    "/(a|b)/(a|b)",
  ],
  ...[
    "/.*%2[eEfF].*",
    "/.*;p=\\d+",
    ".*/",
    "/(a+)+",
    "/(.*/)*items",
    "[^/]*",
    "",
    "/[[:alnum:]]{1,3}",
    "/\\W.*",
    "a",
  ],
].map(expression);

const path: fc.Arbitrary<PathMatch> = fc.oneof(
  { arbitrary: written.map(exact), weight: 5 },
  { arbitrary: written.map(prefix), weight: 3 },
  { arbitrary: fc.constantFrom(...expressions), weight: 3 },
  { arbitrary: fc.constantFrom(exact(""), prefix(""), prefix("a"), exact("a/b")), weight: 1 },
  { arbitrary: written.map((value) => prefix(new URL(`http://a${value}`).pathname)), weight: 2 },
);

const names = ["a", "b", "x-c", "é", "__proto__"];
const values = ["1", "2", "", "1, 2", "é", "a b"];
const patterned = names.flatMap((name) =>
  ["1|2", ".+", ".*2", "[^1]", "(1|1)*"].map((source) => asking(name, source)),
);

const conditions = (usable: (name: string) => boolean): fc.Arbitrary<readonly NamedMatch[]> => {
  const value = fc.record({
    name: fc.constantFrom(...names.filter(usable)),
    value: fc.constantFrom(...values),
  });
  const pattern = fc.constantFrom(...patterned.filter(({ name }) => usable(name)));
  return fc.oneof(
    { arbitrary: fc.constant([]), weight: 2 },
    { arbitrary: fc.array(fc.oneof({ arbitrary: value, weight: 3 }, pattern), { maxLength: 3 }), weight: 1 },
  );
};

const isToken = (name: string): boolean => /^[\w-]+$/.test(name);

const anyMatch: fc.Arbitrary<RouteMatch> = fc
  .record({
    path,
    method: fc.constantFrom(undefined, undefined, "GET", "POST", "get"),
    headers: conditions(isToken),
    query: conditions(() => true),
  })
  .map(({ method, ...rest }) => (method === undefined ? rest : { ...rest, method }));

/** The first size matches are one rule, and so on round; a rule without any matches every request. */
function rulesOf(matches: readonly RouteMatch[], sizes: readonly number[]): readonly Rule[] {
  const rules: Rule[] = [];
  for (let at = 0; at < matches.length; ) {
    const size = sizes[rules.length % sizes.length] ?? 1;
    rules.push(rule(`rule-${rules.length}`, matches.slice(at, at + size)));
    at += Math.max(1, size);
  }
  return rules;
}

/** Which match a request is made of, and how it differs. */
const anyAsked = fc.record({
  like: fc.nat(),
  change: fc.constantFrom<(path: string) => string>(
    ...[
      (p: string) => p,
      (p: string) => p,
      (p: string) => `${p}/`,
      (p: string) => `${p}/items`,
      (p: string) => `${p}x`,
    ],
    ...[(p: string) => `${p};p=1`, (p: string) => p.slice(0, -1), (p: string) => p.replace("/", "//")],
    ...[
      (p: string) => `${p}%2Fa`,
      (p: string) => `${p}/../a`,
      (p: string) => `${p}/%2e/`,
      (p: string) => p.toUpperCase(),
    ],
    ...[
      (p: string) => p.replace("a", "%61"),
      (p: string) => p.replaceAll("/", "/./"),
      (p: string) => `${p}?`,
    ],
  ),
  other: fc.option(fc.oneof({ arbitrary: written, weight: 30 }, long), { freq: 1, nil: undefined }),
  method: fc.constantFrom("GET", "GET", "POST", "get", "PURGE"),
  keep: fc.boolean(),
  headers: fc.array(
    fc.tuple(fc.constantFrom("a", "B", "X-C", "__proto__"), fc.constantFrom("1", "2", "", "é")),
    { maxLength: 3 },
  ),
  query: fc.oneof(
    {
      arbitrary: fc.constantFrom(
        ...["", "", "?a=1&a=2", "?a", "?=1", "?é=1", "?%C3%A9=%31", "?a=%zz&b=a+b", "?&&&", "?a=é"],
      ),
      weight: 40,
    },
    { arbitrary: fc.constantFrom(`?${"a&".repeat(4_096)}`), weight: 1 },
  ),
});

type Asked = typeof anyAsked extends fc.Arbitrary<infer Value> ? Value : never;

function requestOf(asked: Asked, matches: readonly RouteMatch[]): RoutedRequest {
  const like = matches[asked.like % matches.length];
  const headers = new Fields();
  for (const [name, value] of asked.headers) headers.append(name, value);
  const wanted = asked.keep && like !== undefined ? like : { headers: [], query: [] };
  for (const { name, value, pattern } of wanted.headers)
    if (pattern === undefined) headers.append(name, value);
  const url = new URL(`${hosted(asked.other ?? asked.change(like?.path.value ?? "/"))}${asked.query}`);
  for (const { name, value, pattern } of wanted.query)
    if (pattern === undefined) url.searchParams.append(name, value);
  return { url, method: asked.keep ? (like?.method ?? asked.method) : asked.method, headers };
}

const hosted = (path: string): string =>
  `http://shop.example.com${path.startsWith("/") ? "" : "/"}${path.replaceAll("?", "%3F").replaceAll("#", "%23")}`;
