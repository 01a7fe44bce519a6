import fc from "fast-check";
import { expect, test } from "vitest";
import { inShort, read } from "./writing.ts";

/** A route with one match, whose members begin in line 9. */
const routeWith = (match: string): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart }
spec:
  parentRefs: [{ group: "", kind: Service, name: cart }]
  rules:
    - matches:
        -
${match
  .split("\n")
  .map((line) => `          ${line}`)
  .join("\n")}
      backendRefs: [{ name: cart, port: 80 }]
`;

const issuesOf = (match: string): readonly string[] => read(routeWith(match)).issues.map(inShort);

const pathOf = (type: string, value: string): string =>
  `path:\n  type: ${type}\n  value: ${JSON.stringify(value)}`;
const headerOf = (type: string, value: string): string =>
  `headers:\n  - name: x-a\n    type: ${type}\n    value: ${JSON.stringify(value)}`;
const queryOf = (type: string, value: string): string =>
  `queryParams:\n  - name: a\n    type: ${type}\n    value: ${JSON.stringify(value)}`;

const atPath = "11 spec.rules[0].matches[0].path.value";
const atHeader = "12 spec.rules[0].matches[0].headers[0].value";
const atQuery = "12 spec.rules[0].matches[0].queryParams[0].value";
const named = (list: string, ...names: readonly string[]): string =>
  `${list}:\n${names.map((name) => `  - { name: ${JSON.stringify(name)}, value: "1" }`).join("\n")}`;

/** A match, the place of what is wrong in it, and a part of what is said. */
const wrong: readonly (readonly [string, string, string])[] = [
  ...["Exact", "PathPrefix"].flatMap((type) =>
    (
      [
        ["", 'begins with "/"; write it first'],
        ["cart", 'begins with "/"; write it first'],
        ["http://a/b", 'begins with "/"; write it first'],
        ["//", 'contains "//"'],
        ["/a//b", 'contains "//"'],
        ["/a//", 'contains "//"'],
        ["/./a", '"/./"'],
        ["/a/./b", '"/./"'],
        ["/a/../b", '"/../"'],
        ["/a/.", "write it without"],
        ["/a/..", "write it without"],
        ["/..", "write it without"],
        ["/a%2fb", "without %2F"],
        ["/a%2Fb", "without %2F"],
        ["/a#b", "without #"],
        ["/a?b=1", "use queryParams"],
        ["/a b", "percent-encode"],
        ["/é", "percent-encode"],
        ['/"', "percent-encode"],
        ["/a%", "percent-encode"],
        ["/a%4", "percent-encode"],
        ["/a%zz", "percent-encode"],
        ["/a\\b", "percent-encode"],
        ["/{id}", "percent-encode"],
        ["/[id]", "percent-encode"],
        ["/a\n", "percent-encode"],
        [`/${"a".repeat(1_024)}`, "longer than 1024 characters; shorten it"],
      ] as const
    ).map(([value, reason]): readonly [string, string, string] => [pathOf(type, value), atPath, reason]),
  ),
  [pathOf("RegularExpression", "/(?=a)"), atPath, "RE2 has no look-ahead"],
  [pathOf("RegularExpression", "/(a"), atPath, "missing closing )"],
  [pathOf("RegularExpression", "/a{1,1000}"), atPath, "too large"],
  [pathOf("RegularExpression", `/${"a".repeat(1_024)}`), atPath, "longer than 1024 characters; shorten it"],
  [
    pathOf("Prefix", "/"),
    "10 spec.rules[0].matches[0].path.type",
    "one of Exact, PathPrefix, RegularExpression",
  ],
  ["path:\n  regex: /a", "10 spec.rules[0].matches[0].path.regex", "not a member"],
  ["path:\n  value: 1", "10 spec.rules[0].matches[0].path.value", "found 1"],
  [headerOf("Exact", ""), atHeader, "1 to 4096"],
  [headerOf("Exact", " a"), atHeader, "visible ASCII"],
  [headerOf("Exact", "a "), atHeader, "visible ASCII"],
  [headerOf("Exact", "é"), atHeader, "visible ASCII"],
  [headerOf("Exact", "a\r\nb"), atHeader, "visible ASCII"],
  [headerOf("Exact", "a".repeat(4_097)), atHeader, "1 to 4096"],
  [headerOf("Exact", "a  b"), atHeader, "blanks stand alone"],
  [headerOf("Exact", "a\t b"), atHeader, "blanks stand alone"],
  [headerOf("RegularExpression", ""), atHeader, "1 to 4096"],
  [headerOf("RegularExpression", "a|é"), atHeader, "visible ASCII"],
  [headerOf("RegularExpression", " a|b"), atHeader, "visible ASCII"],
  [headerOf("RegularExpression", "a  b"), atHeader, "[ ]{2}"],
  [headerOf("RegularExpression", "a".repeat(4_097)), atHeader, "1 to 4096"],
  [headerOf("RegularExpression", "(a)\\1"), atHeader, "RE2 has no back-references"],
  [headerOf("Prefix", "a"), "11 spec.rules[0].matches[0].headers[0].type", "one of Exact, RegularExpression"],
  [named("headers", "a b"), "10 spec.rules[0].matches[0].headers[0].name", "a header name"],
  [named("headers", ":method"), "10 spec.rules[0].matches[0].headers[0].name", "a header name"],
  [named("headers", "a".repeat(257)), "10 spec.rules[0].matches[0].headers[0].name", "a header name"],
  [named("headers", "a", "a"), "11 spec.rules[0].matches[0].headers[1]", "keep one of the two"],
  [
    named("headers", ...Array.from({ length: 17 }, (_, n) => `x-${n}`)),
    "9 spec.rules[0].matches[0].headers",
    "at most 16",
  ],
  [queryOf("Exact", ""), atQuery, "1 to 1024"],
  [queryOf("Exact", "a".repeat(1_025)), atQuery, "1 to 1024"],
  [queryOf("RegularExpression", "[a"), atQuery, "missing closing ]"],
  [
    queryOf("Glob", "a"),
    "11 spec.rules[0].matches[0].queryParams[0].type",
    "one of Exact, RegularExpression",
  ],
  [named("queryParams", "a[]"), "10 spec.rules[0].matches[0].queryParams[0].name", "a parameter name"],
  [named("queryParams", "a", "a"), "11 spec.rules[0].matches[0].queryParams[1]", "keep one of the two"],
  [
    named("queryParams", ...Array.from({ length: 17 }, (_, n) => `x-${n}`)),
    "9 spec.rules[0].matches[0].queryParams",
    "at most 16",
  ],
  ["method: get", "9 spec.rules[0].matches[0].method", "one of GET"],
  ["method: PURGE", "9 spec.rules[0].matches[0].method", "one of GET"],
  ["port: 80", "9 spec.rules[0].matches[0].port", "not a member"],
];

test.each(wrong)("%j is refused, with its place and what to do", (match, place, reason) => {
  const issues = issuesOf(match);
  expect(issues).toHaveLength(1);
  expect(issues[0]).toContain(`error ${place}: `);
  expect(issues[0]).toContain(reason);
});

test.each([
  pathOf("Exact", "/"),
  pathOf("PathPrefix", "/a/"),
  pathOf("Exact", "/.../..a/a../.a"),
  pathOf("Exact", "/-._~!$&'()*+,;=:@"),
  pathOf("PathPrefix", "/%C3%a9%2e%2E/%20"),
  pathOf("Exact", "/".padEnd(1_024, "a")),
  pathOf("RegularExpression", "/a//b|/./.*#?\\.\\./%2F"),
  pathOf("RegularExpression", "no-slash.*"),
  pathOf("RegularExpression", ""),
  "path:\n  type: RegularExpression",
  pathOf("RegularExpression", "/".padEnd(1_024, "a")),
  "path: {}",
  "headers: []",
  "queryParams: []",
  headerOf("Exact", "a\tb c"),
  headerOf("Exact", "a".repeat(4_096)),
  headerOf("RegularExpression", "^Bearer [^ ]+$|[ ]{2}"),
  named("headers", "!#$%&'*+-.^_`|~0aZ"),
  named("headers", "Color", "color"),
  named("headers", ...Array.from({ length: 16 }, (_, n) => `x-${n}`)),
  queryOf("Exact", " é&\n"),
  queryOf("RegularExpression", "\\d+"),
  named("queryParams", "a", "A"),
  ...["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"].map(
    (method) => `method: ${method}`,
  ),
])("%j is let through", (match) => {
  expect(issuesOf(match)).toEqual([]);
});

test("a path is let through exactly where the rules of the CRD let it through", () => {
  const piece = fc.constantFrom(
    ..."/a.%#?@:;=&~-é \\{\n",
    ...["//", "/./", "/../", "/..", "/.", "%2f", "%2F", "%41", "%4", "..", "/"],
  );
  const path = fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join("")}`);
  let right = 0;
  fc.assert(
    fc.property(path, fc.constantFrom("Exact", "PathPrefix"), (value, type) => {
      const allowed = allowedByTheCrd(value);
      expect(issuesOf(pathOf(type, value)).length === 0).toBe(allowed);
      right += Number(allowed);
    }),
    { seed: 22, numRuns: 1_500 },
  );
  expect(right).toBeGreaterThan(100);
});

/** The rules that the CRD of HTTPRoute has for `HTTPPathMatch`, one by one. */
const allowedByTheCrd = (value: string): boolean =>
  value.startsWith("/") &&
  !["//", "/./", "/../", "%2f", "%2F", "#"].some((part) => value.includes(part)) &&
  !value.endsWith("/..") &&
  !value.endsWith("/.") &&
  /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$/.test(value) &&
  !value.endsWith("\n");
