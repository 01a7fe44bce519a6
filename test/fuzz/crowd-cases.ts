import fc from "fast-check";
import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import { forget, keeps, maxKept } from "../../mesh-runtime/routing/automaton.ts";
import type { RoutedRequest } from "../../mesh-runtime/routing/route-match.ts";
import { routeTable } from "../../mesh-runtime/routing/route-table.ts";
import type { NamedMatch, PathMatch, RouteMatch } from "../../mesh-runtime/routing/words.ts";
import { asking, expression, match, prefix, rule } from "../unit/routing/examples.ts";
import { compare, type Tally } from "./matcher-cases.ts";

/*
 * Many rules of one shape on one path, as a table has to index them: expressions that begin with no literal
 * segment, headers and parameters of many names, many expressions for one of them, conditions that only together
 * tell rules apart, prefixes one below the other. Meanwhile what the automata have learned is forgotten, or has no
 * room.
 */

/** How the nth of many is written, and a text that falls under it. */
interface Shape {
  readonly source: (n: number) => string;
  readonly text: (n: number) => string;
}

const paths: readonly Shape[] = [
  { source: (n) => `/[a-z]+/x${n}`, text: (n) => `/items/x${n}` },
  { source: (n) => `/.*/v[0-9]+/thing${n}`, text: (n) => `/a/v${n}/v1/thing${n}` },
  { source: (n) => `/.*/v[0-9]+/thing${n}(/.*)?`, text: (n) => `/a/v2/thing${n}/v3/thing${n + 1}` },
  { source: (n) => `.*\\.x${n}`, text: (n) => `/a.x1/b.x${n}` },
  { source: (n) => `(?i)/(shop|cart)(/[a-z]+)*/item${n}`, text: (n) => `/Cart/a/b/ITEM${n}` },
  { source: (n) => `/(x${n}|y${n})(/.*)?`, text: (n) => `/y${n}/a` },
  { source: (n) => `/([a-z]${n}|[0-9]+)*/z`, text: (n) => `/a${n}${n}b${n}/z` },
  {
    source: (n) => `/[a-z]{${(n % 5) + 1},${(n % 7) + 6}}`,
    text: (n) => `/${"abcdefghijkl".slice(0, (n % 12) + 1)}`,
  },
  { source: (n) => `/.*a.{${n % 9}}`, text: (n) => `/ba${"ab".repeat(n % 6)}` },
  { source: (n) => `/team${n}[a-z]*\\b.*`, text: (n) => `/team${n}x-y` },
  { source: (n) => `/api/[a-z]+/x${n}/?`, text: (n) => `/api/items/x${n}/` },
  { source: (n) => `/[a-z]+(/x${n})?`, text: (n) => (n % 2 === 0 ? "/items" : `/items/x${n}`) },
];

const values: readonly Shape[] = [
  { source: (n) => `[a-z]+-${n}(-.*)?`, text: (n) => `tenant-${n}-blue` },
  { source: (n) => `.*${n}`, text: (n) => `a${n}` },
  { source: (n) => `(a|b)*c?${n % 3}`, text: (n) => `abab${n % 3}` },
];

const most = 40;
const number = fc.nat(most);
const shapeAmong = (all: readonly Shape[]) => fc.nat(all.length - 1).map((index) => all[index] ?? paths[0]);

/** Conditions under names of which there are many, or under few names; the request carries what `text` says. */
interface Asked {
  readonly condition: NamedMatch;
  readonly sent: string;
}

const asked = (names: readonly string[]): fc.Arbitrary<Asked> =>
  fc
    .record({
      name: fc.constantFrom(...names),
      n: number,
      shape: fc.option(shapeAmong(values), { nil: undefined }),
    })
    .map(({ name, n, shape }) =>
      shape === undefined
        ? { condition: { name, value: `v${n % 4}` }, sent: `v${n % 4}` }
        : { condition: asking(name, shape.source(n)), sent: shape.text(n) },
    );

const manyNames = (kind: string) => Array.from({ length: most }, (_, n) => `${kind}-${n}`);
const conditions = (kind: string): fc.Arbitrary<readonly Asked[]> =>
  fc.oneof(
    { arbitrary: fc.constant<readonly Asked[]>([]), weight: 2 },
    { arbitrary: fc.array(asked(manyNames(kind)), { minLength: 1, maxLength: 2 }), weight: 2 },
    { arbitrary: fc.array(asked([`${kind}-0`, `${kind}-1`]), { minLength: 1, maxLength: 3 }), weight: 2 },
  );

interface Case {
  readonly match: RouteMatch;
  readonly path: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly query: readonly (readonly [string, string])[];
}

const literal = fc
  .constantFrom("/", "/items", "/api")
  .map((value) => ({ path: prefix(value), at: `${value}/x1` }));
const patterned = fc.tuple(shapeAmong(paths), number).map(([shape, n]): { path: PathMatch; at: string } => ({
  path: expression(shape?.source(n) ?? ""),
  at: shape?.text(n) ?? "/",
}));

/** One below the other in several places, more than are asked one by one, most of them in one. */
const nested = fc
  .tuple(fc.constantFrom("", "", "", "", "/b", "/dd"), fc.nat(24))
  .map(([place, depth]): { path: PathMatch; at: string } => ({
    path: prefix(`${place}${"/a".repeat(depth)}` || "/"),
    at: `${place}${"/a".repeat(24)}/x1`,
  }));

const methods = fc.constantFrom(undefined, undefined, undefined, "GET", "PUT");

/** What a case is made of. */
interface Parts {
  readonly at: { readonly path: PathMatch; readonly at: string };
  readonly method: string | undefined;
  readonly headers: readonly Asked[];
  readonly query: readonly Asked[];
}

const caseOf = (parts: fc.Arbitrary<Parts>): fc.Arbitrary<Case> =>
  parts.map(({ at, method, headers, query }) => ({
    match: match(at.path, {
      headers: headers.map(({ condition }) => condition),
      query: query.map(({ condition }) => condition),
      ...(method === undefined ? {} : { method }),
    }),
    path: at.at,
    method: method ?? "GET",
    headers: headers.map(({ condition, sent }) => [condition.name, sent] as const),
    query: query.map(({ condition, sent }) => [condition.name, sent] as const),
  }));

const anyCase = caseOf(
  fc.record({
    at: fc.oneof({ arbitrary: literal, weight: 2 }, { arbitrary: patterned, weight: 3 }),
    method: methods,
    headers: conditions("x"),
    query: conditions("q"),
  }),
);

/** One of few values or expressions for each of several names, all shared by many. */
const shared = (names: readonly string[], most: number): fc.Arbitrary<readonly Asked[]> =>
  fc
    .uniqueArray(fc.constantFrom(...names), { maxLength: most })
    .chain((some) =>
      fc.tuple(
        ...some.map((name) =>
          fc.constantFrom<Asked>(
            { condition: { name, value: "v0" }, sent: "v0" },
            { condition: { name, value: "v1" }, sent: "v1" },
            { condition: asking(name, "[a-z]+[12]"), sent: "v1" },
            { condition: asking(name, ".*2"), sent: "v2" },
          ),
        ),
      ),
    );

/** Tables of one shape: told apart by several names together, of few or of many; or by prefixes of prefixes. */
const grid = (names: number, headers = 3, query = 2): fc.Arbitrary<Case> =>
  caseOf(
    fc.record({
      at: fc.constant({ path: prefix("/"), at: "/items" }),
      method: methods,
      headers: shared(manyNames("g").slice(0, names), headers),
      query: shared(manyNames("h").slice(0, names), query),
    }),
  );
const chain = caseOf(
  fc.record({ at: nested, method: methods, headers: shared(["g-0", "g-1"], 2), query: fc.constant([]) }),
);
const cases = fc.oneof(
  ...[anyCase, anyCase, grid(2), grid(3), grid(20), grid(24, 16, 16), chain].map((each) =>
    fc.array(each, { minLength: 1, maxLength: 80, size: "max" }),
  ),
);

/** Of which cases a request has its path, its headers and its parameters; and what happens before it. */
const anyRequest = fc.record({
  path: fc.nat(),
  also: fc.option(fc.nat(), { nil: undefined }),
  method: fc.constantFrom("GET", "GET", "PUT"),
  change: fc.constantFrom("", "", "", "/", "x", "/x1"),
  crowd: fc.constantFrom(0, 0, 0, 0, 60),
  before: fc.constantFrom("nothing", "nothing", "nothing", "forgetting", "fullness"),
});

/** {@link Tally}, over tables of up to 80 rules, each asked up to 24 times. */
export function fuzzCrowds({ seed, runs }: { readonly seed: number; readonly runs: number }): Tally {
  const tally: Tally = { requests: 0, decided: {} };
  fc.assert(
    fc.property(cases, fc.array(anyRequest, { minLength: 8, maxLength: 24 }), (matched, requests) => {
      const rules = matched.map((each, n) => rule(`rule-${n}`, [each.match]));
      const table = routeTable(rules);
      for (const each of requests) {
        if (each.before === "forgetting") forget();
        if (each.before === "fullness") keeps(maxKept + 1);
        compare(table, rules, requestOf(each, matched), tally);
      }
    }),
    { seed, numRuns: runs },
  );
  forget();
  return tally;
}

type Request = typeof anyRequest extends fc.Arbitrary<infer Value> ? Value : never;

function requestOf({ path, also, method, change, crowd }: Request, cases: readonly Case[]): RoutedRequest {
  const like = cases[path % cases.length];
  const other = also === undefined ? undefined : cases[also % cases.length];
  const url = new URL(`http://shop.example.com${like?.path ?? "/"}${change}`);
  const headers = new Fields();
  for (let n = 0; n < crowd; n++) {
    headers.set(`other-${n}`, "v0");
    url.searchParams.append(`other-${n % 7}`, "v0");
  }
  for (const each of [like, other]) {
    for (const [name, value] of each?.headers ?? []) if (!headers.has(name)) headers.set(name, value);
    for (const [name, value] of each?.query ?? []) url.searchParams.append(name, value);
  }
  return { url, headers, method: other === undefined ? (like?.method ?? method) : method };
}
