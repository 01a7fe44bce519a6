/**
 * The families of rules that `route-match.ts` measures.
 */
import { Fields } from "../mesh-runtime/foundation/fields.ts";
import { compilePattern } from "../mesh-runtime/policy/compile-pattern.ts";
import type { RoutedRequest } from "../mesh-runtime/routing/route-match.ts";
import type { NamedMatch, PathMatch, Pattern, RouteMatch } from "../mesh-runtime/routing/words.ts";

/** A family of rules: what the nth rule matches, and a request that falls under it. */
export interface Family {
  readonly name: string;
  readonly match: (n: number) => RouteMatch;
  readonly request: (n: number) => RoutedRequest;
  /** Of a gateway: the host that the nth rule is bound to. */
  readonly host?: (n: number) => string;
  readonly withHono: boolean;
  /**
   * Without ten thousand rules, and without a linear scan beside it: what automata learn they keep together, within
   * what one isolate may have for one table; a scan has one for each expression.
   */
  readonly alone?: true;
}

const pathOf = (n: number): string => `/team-${n % 37}/service-${n % 101}/resource-${n}`;

/** Ten rules on each host. */
const hostOf = (n: number): string => `shop-${Math.floor(n / 10)}.example.com`;

function patternOf(value: string): Pattern {
  const pattern = compilePattern(value);
  if (!pattern.ok) throw new Error(pattern.reason);
  return pattern.value;
}

export const expression = (value: string): PathMatch => ({
  type: "RegularExpression",
  value,
  pattern: patternOf(value),
});

const conditionBy = (name: string, value: string): NamedMatch => ({ name, value, pattern: patternOf(value) });

export const asking = (
  path: string,
  headers: Readonly<Record<string, string>> = {},
  host = "shop.example.com",
): RoutedRequest => ({
  url: new URL(path, `http://${host}`),
  method: "GET",
  // As the mesh has them by then.
  headers: new Fields(new Headers({ accept: "*/*", "user-agent": "bench", ...headers })),
});

const header = (name: string, value: number): NamedMatch => ({ name, value: `${value}` });

const fieldsOf = (conditions: readonly NamedMatch[]): Readonly<Record<string, string>> =>
  Object.fromEntries(conditions.map(({ name, value }) => [name, value]));

const onePath = (headers: readonly NamedMatch[], query: readonly NamedMatch[] = []): RouteMatch => ({
  path: { type: "PathPrefix", value: "/" },
  headers,
  query,
});

const methods = ["GET", "POST", "PUT", "DELETE"];

/** Of which the first is the last to change. */
const digits = (n: number): readonly number[] => [Math.floor(n / 100), Math.floor(n / 10) % 10, n % 10];

const pairs = [
  ["x-a", "x-b"],
  ["x-b", "x-c"],
  ["x-a", "x-c"],
];
const pairOf = (n: number): readonly string[] => pairs[n % 3] ?? [];

/** Three of ten flags, each on or off: 960 in all. */
const threeOfTen = Array.from({ length: 1_000 }, (_, n) => digits(n)).filter(
  ([a = 0, b = 0, c = 0]) => a < b && b < c,
);
const flagsOf = (n: number): readonly NamedMatch[] =>
  (threeOfTen[n % threeOfTen.length] ?? []).map((flag, at) =>
    header(`x-flag-${flag}`, (Math.floor(n / threeOfTen.length) >> at) & 1),
  );

/** So many of a number of names, others for each n. */
function namesOf(n: number, count: number, of: number): readonly number[] {
  const mixed = (at: number): number => Math.imul(Math.imul(n + 1, 0x9e3779b1) ^ (at + 1), 0x85ebca6b) >>> 0;
  return Array.from({ length: of }, (_, at) => at)
    .sort((a, b) => mixed(a) - mixed(b))
    .slice(0, count);
}
const manyOf = (n: number, count: number, of: number, values: number): readonly NamedMatch[] =>
  namesOf(n, count, of).map((at) => header(`x-part-${at}`, (Math.imul(n + 1, at + 3) >>> 4) % values));

const chain = (length: number): string => Array.from({ length }, (_, at) => `/seg${at}`).join("");

/** How many segments of a chain the nth rule has: one to a hundred. */
const lengthOf = (n: number): number => 1 + ((n * 37) % 100);

/** A path under the nth rule, and under ninety or more of a hundred. */
const deepChainOf = (n: number): string => chain(Math.max(lengthOf(n), 90 + (n % 11)));

export const families: readonly Family[] = [
  {
    name: "exact paths",
    match: (n) => ({ path: { type: "Exact", value: pathOf(n) }, headers: [], query: [] }),
    request: (n) => asking(pathOf(n)),
    withHono: true,
  },
  {
    name: "path prefixes",
    match: (n) => ({ path: { type: "PathPrefix", value: pathOf(n) }, headers: [], query: [] }),
    request: (n) => asking(`${pathOf(n)}/items/${n}`),
    withHono: true,
  },
  {
    name: "one path, told apart by a header",
    match: (n) => ({
      path: { type: "PathPrefix", value: "/" },
      headers: [
        { name: "x-env", value: "live" },
        { name: "x-tenant", value: `tenant-${n}` },
      ],
      query: [],
    }),
    request: (n) => asking("/cart/1", { "x-env": "live", "x-tenant": `tenant-${n}` }),
    withHono: false,
  },
  {
    name: "regular expressions that begin with segments",
    match: (n) => ({ path: expression(`${pathOf(n)}/items/[0-9]+`), headers: [], query: [] }),
    request: (n) => asking(`${pathOf(n)}/items/${n}`),
    withHono: false,
  },
  {
    name: "regular expressions that begin with none",
    match: (n) => ({ path: expression(`/[a-z]+/resource-${n}/.*`), headers: [], query: [] }),
    request: (n) => asking(`/items/resource-${n}/${n}`),
    withHono: false,
    alone: true,
  },
  {
    name: "regular expressions that begin with anything",
    match: (n) => ({ path: expression(`/.*/v[0-9]+/thing${n}`), headers: [], query: [] }),
    request: (n) => asking(`/items/v${n % 7}/thing${n}`),
    withHono: false,
    alone: true,
  },
  {
    name: "regular expressions that begin with alternatives, in any case",
    match: (n) => ({ path: expression(`(?i)/(shop|cart)(/[a-z]+)*/item-${n}`), headers: [], query: [] }),
    request: (n) => asking(`/shop/some/more/ITEM-${n}`),
    withHono: false,
    alone: true,
  },
  {
    name: "one path, each a header of another name",
    match: (n) => ({
      path: { type: "PathPrefix", value: "/" },
      headers: [{ name: `x-team-${n}`, value: "on" }],
      query: [],
    }),
    request: (n) => asking("/cart/1", { [`x-team-${n}`]: "on" }),
    withHono: false,
  },
  {
    name: "one path, each a parameter of another name",
    match: (n) => ({
      path: { type: "PathPrefix", value: "/" },
      headers: [],
      query: [{ name: `team-${n}`, value: "on" }],
    }),
    request: (n) => asking(`/cart/1?page=2&team-${n}=on`),
    withHono: false,
  },
  {
    name: "one path, told apart by expressions for a header",
    match: (n) => ({
      path: { type: "PathPrefix", value: "/" },
      headers: [conditionBy("x-tenant", `[a-z]+-${n}(-.*)?`)],
      query: [],
    }),
    request: (n) => asking("/cart/1", { "x-tenant": `tenant-${n}-blue` }),
    withHono: false,
    alone: true,
  },
  {
    name: "expressions that all hold, told apart by a header",
    match: (n) => ({
      path: expression(`/[a-z]+/.*(x${n})?`),
      headers: [{ name: "x-tenant", value: `tenant-${n}` }],
      query: [],
    }),
    request: (n) => asking("/cart/1", { "x-tenant": `tenant-${n}` }),
    withHono: false,
    alone: true,
  },
  {
    name: "one path, told apart by two headers together",
    match: (n) => onePath([header("x-region", n % 32), header("x-tenant", Math.floor(n / 32))]),
    request: (n) => asking("/cart/1", { "x-region": `${n % 32}`, "x-tenant": `${Math.floor(n / 32)}` }),
    withHono: false,
  },
  {
    name: "one path, told apart by three headers together",
    match: (n) => onePath(digits(n).map((digit, at) => header(`x-part-${at}`, digit))),
    request: (n) =>
      asking("/cart/1", Object.fromEntries(digits(n).map((digit, at) => [`x-part-${at}`, `${digit}`]))),
    withHono: false,
  },
  {
    name: "one path, told apart by method, header and parameter together",
    match: (n) => ({
      ...onePath([header("x-region", Math.floor(n / 4) % 16)], [header("tenant", Math.floor(n / 64))]),
      method: methods[n % 4] ?? "GET",
    }),
    request: (n) => ({
      ...asking(`/cart/1?page=2&tenant=${Math.floor(n / 64)}`, { "x-region": `${Math.floor(n / 4) % 16}` }),
      method: methods[n % 4] ?? "GET",
    }),
    withHono: false,
  },
  {
    name: "one path, each two of three headers",
    match: (n) =>
      onePath(
        pairOf(n).map((name, at) => header(name, at === 0 ? Math.floor(n / 3) % 18 : Math.floor(n / 54))),
      ),
    request: (n) =>
      asking(
        "/cart/1",
        Object.fromEntries(
          pairOf(n).map((name, at) => [name, `${at === 0 ? Math.floor(n / 3) % 18 : Math.floor(n / 54)}`]),
        ),
      ),
    withHono: false,
  },
  {
    name: "one path, each two headers of 64 names",
    match: (n) => onePath([header(`x-team-${n % 32}`, 1), header(`x-app-${Math.floor(n / 32)}`, 1)]),
    request: (n) => asking("/cart/1", { [`x-team-${n % 32}`]: "1", [`x-app-${Math.floor(n / 32)}`]: "1" }),
    withHono: false,
  },
  {
    name: "one path, each three of ten flags",
    match: (n) => onePath(flagsOf(n)),
    request: (n) =>
      asking("/cart/1", {
        ...Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`x-flag-${at}`, "none"])),
        ...fieldsOf(flagsOf(n)),
      }),
    withHono: false,
  },
  {
    name: "one path, each three of a hundred headers",
    match: (n) => onePath(manyOf(n, 3, 100, 4)),
    request: (n) => asking("/cart/1", fieldsOf(manyOf(n, 3, 100, 4))),
    withHono: false,
  },
  {
    name: "one path, each sixteen headers of four values",
    match: (n) => onePath(manyOf(n, 16, 16, 4)),
    request: (n) => asking("/cart/1", fieldsOf(manyOf(n, 16, 16, 4))),
    withHono: false,
  },
  {
    name: "one path, each sixteen of thirty-two headers",
    match: (n) => onePath(manyOf(n, 16, 32, 2)),
    request: (n) => asking("/cart/1", fieldsOf(manyOf(n, 16, 32, 2))),
    withHono: false,
  },
  {
    name: "a hundred prefixes one below the other, in ten places",
    match: (n) => ({
      path: { type: "PathPrefix", value: `/team-${Math.floor(n / 100)}${chain(lengthOf(n))}` },
      headers: [],
      query: [],
    }),
    request: (n) => asking(`/team-${Math.floor(n / 100)}${chain(lengthOf(n))}`),
    withHono: false,
  },
  {
    name: "a path under a hundred prefixes, told apart by a header",
    match: (n) => ({
      path: { type: "PathPrefix", value: chain(lengthOf(n)) },
      headers: [header("x-tenant", n)],
      query: [],
    }),
    request: (n) => asking(deepChainOf(n), { "x-tenant": `${n}` }),
    withHono: false,
  },
  {
    name: "one path, told apart by a header and an expression for another together",
    match: (n) =>
      onePath([header("x-region", n % 32), conditionBy("x-tenant", `[a-z]+-${Math.floor(n / 32)}(-.*)?`)]),
    request: (n) =>
      asking("/cart/1", { "x-region": `${n % 32}`, "x-tenant": `tenant-${Math.floor(n / 32)}-blue` }),
    withHono: false,
    alone: true,
  },
  {
    name: "one path, told apart by expressions for two headers together",
    match: (n) =>
      onePath([
        conditionBy("x-region", `[a-z]+-${n % 32}`),
        conditionBy("x-tenant", `[a-z]+-${Math.floor(n / 32)}(-.*)?`),
      ]),
    request: (n) =>
      asking("/cart/1", { "x-region": `eu-${n % 32}`, "x-tenant": `tenant-${Math.floor(n / 32)}-blue` }),
    withHono: false,
    alone: true,
  },
  {
    name: "a gateway, ten rules on each host",
    match: (n) => ({ path: { type: "PathPrefix", value: pathOf(n) }, headers: [], query: [] }),
    request: (n) => asking(`${pathOf(n)}/items/${n}`, {}, hostOf(n)),
    host: hostOf,
    withHono: true,
  },
];
