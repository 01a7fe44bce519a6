import fc from "fast-check";
import type {
  NamedMatch,
  NamedValue,
  PathMatch,
  RouteMatch,
  Rule,
} from "../../../mesh-runtime/routing/words.ts";
import { asking, expression, request, rule } from "./examples.ts";

/** Arbitrary rules and requests from so few parts that they often meet, odd ones among them. */

const odd = fc.constantFrom(
  "A",
  "v2",
  "v2example",
  ".",
  "..",
  "...",
  "%2e",
  "%2F",
  "a%2Fb",
  "a%2fb",
  "%61",
  "é",
  "caf%C3%A9",
  "日本",
  "a b",
  "%",
  "\\",
  ";x",
  "*",
  "__proto__",
);

const segment = fc.oneof(
  { arbitrary: fc.constantFrom("", "a", "b"), weight: 2 },
  { arbitrary: odd, weight: 1 },
);

const written = fc.oneof(
  { arbitrary: fc.array(segment, { maxLength: 3 }).map((all) => `/${all.join("/")}`), weight: 12 },
  { arbitrary: fc.constantFrom("", "/", "//", "/a", "/a/", "/a//", "a", "a/b"), weight: 6 },
);

/** Expressions that begin with segments, with parts of them, and with nothing; some of one length. */
const expressions = [
  ...["/a/.*", "/a/b", "/a/[ab]", "/a/b?", "/.*", ".*", "/a(/.*)?", "/[^/]*", "(?i)/A/b?", "/v2.*", "/b/.*"],
  ...["^/a$", "//.*", "", "a/.*", "a", "/(a|b|v2)/?", ".*%2[Ff].*", "/a/b/.+", "\\W\\w\\b.*"],
].map(expression);

/** Rules hold paths as operators write them, and as the URL parser would have them. */
const literalPath: fc.Arbitrary<PathMatch> = fc
  .record({
    type: fc.constantFrom("Exact" as const, "PathPrefix" as const),
    value: written,
    parsed: fc.boolean(),
  })
  .map(({ type, value, parsed }) => ({
    type,
    value: parsed
      ? new URL(`http://shop.example.com${value.startsWith("/") ? value : `/${value}`}`).pathname
      : value,
  }));

const path = fc.oneof(
  { arbitrary: literalPath, weight: 3 },
  { arbitrary: fc.constantFrom(...expressions), weight: 1 },
);

const valueMatches = (names: readonly string[]): fc.Arbitrary<readonly NamedMatch[]> =>
  fc.array(
    fc.oneof(
      {
        arbitrary: fc.record({ name: fc.constantFrom(...names), value: fc.constantFrom("1", "2", "") }),
        weight: 3,
      },
      {
        arbitrary: fc.constantFrom(
          ...names.flatMap((name) => ["1|2", ".*", "[^1]", ""].map((value) => asking(name, value))),
        ),
        weight: 1,
      },
    ),
    { maxLength: 3 },
  );

const conditions = (names: readonly string[]): fc.Arbitrary<readonly NamedValue[]> =>
  fc.array(fc.record({ name: fc.constantFrom(...names), value: fc.constantFrom("1", "2", "") }), {
    maxLength: 3,
  });

const method = fc.constantFrom("GET", "POST", "get", "PURGE");

const matchAt = (at: fc.Arbitrary<PathMatch>, names: { headers: string[]; query: string[] }) =>
  fc
    .record({
      path: at,
      method: fc.option(method, { nil: undefined, freq: 2 }),
      headers: fc.oneof(fc.constant([]), valueMatches(names.headers)),
      query: fc.oneof(fc.constant([]), valueMatches(names.query)),
    })
    .map(
      ({ method: wanted, ...rest }): RouteMatch =>
        wanted === undefined ? rest : { ...rest, method: wanted },
    );

export const anyMatch = matchAt(path, { headers: ["x-a", "x-b", "x-c"], query: ["a", "A", "é"] });

const rulesOf = (matches: fc.Arbitrary<RouteMatch>): fc.Arbitrary<readonly Rule[]> =>
  fc
    .array(fc.array(matches, { maxLength: 3 }), { maxLength: 24 })
    .map((rules) => rules.map((each, index) => rule(`rule-${index}`, each)));

/** Many paths, few conditions on each. */
export const anyRules = rulesOf(anyMatch);

/** Few paths, with so many conditions that several hold at once. */
export const crowdedRules = rulesOf(
  matchAt(
    fc.constantFrom<PathMatch>(
      { type: "PathPrefix", value: "/a" },
      { type: "PathPrefix", value: "/a/" },
      { type: "Exact", value: "/a" },
      expression("/[ab]"),
      expression("/a/?"),
      expression("./?a"),
    ),
    { headers: ["x-a", "x-b"], query: ["a", "b"] },
  ).filter(({ headers, query }) => headers.length + query.length > 0),
);

const query = fc
  .array(
    fc
      .tuple(fc.constantFrom("a", "A", "é", "%C3%A9"), fc.constantFrom("1", "2", "", "%31"))
      .map((pair) => pair.join("=")),
    { maxLength: 3 },
  )
  .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.join("&")}`));

const url = fc.oneof(
  {
    arbitrary: fc
      .tuple(
        fc.oneof(
          written,
          path.map(({ value }) => value),
        ),
        query,
      )
      .map(([at, asked]) => new URL(`http://shop.example.com${at.startsWith("/") ? at : `/${at}`}${asked}`)),
    weight: 20,
  },
  { arbitrary: fc.constantFrom("opaque:a/b", "opaque:", "opaque:a").map((text) => new URL(text)), weight: 1 },
);

export const anyRequest: fc.Arbitrary<ReturnType<typeof request>> = fc
  .record({ url, method, headers: conditions(["x-a", "x-b", "X-C"]) })
  .map(({ headers, ...rest }) => ({
    ...rest,
    headers: new Headers(headers.map(({ name, value }): [string, string] => [name, value])),
  }));

/** For {@link crowdedRules}: what is asked meets many of them. */
export const crowdedRequest: fc.Arbitrary<ReturnType<typeof request>> = fc
  .record({
    at: fc.constantFrom("/a", "/a/"),
    sent: fc.tuple(...["x-a", "x-b", "a", "b"].map(() => fc.constantFrom("1", "2", ""))),
    method,
  })
  .map(({ at, sent: [first, second, third, fourth], method: asked }) =>
    request(`${at}?a=${third}&b=${fourth}`, {
      method: asked,
      headers: { "x-a": first ?? "", "x-b": second ?? "" },
    }),
  );
