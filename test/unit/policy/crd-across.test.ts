import { describe, expect, test } from "vitest";
import { changed, documents, issuesOf, type Kind, kinds, mirror, placeOf, pruned } from "./crd-documents.ts";

/*
 * The rules of the CRDs across members (CEL), each by its message: a value that breaks it at each place that it is
 * for, and one beside it that does not.
 */

interface Pair {
  readonly wrong: unknown;
  readonly right: unknown;
}
const pair = (wrong: unknown, right: unknown): Pair => ({ wrong, right });

const redirect = { type: "RequestRedirect", requestRedirect: {} };
const replacing = { type: "ReplacePrefixMatch", replacePrefixMatch: "/b" };
const whole = { type: "ReplaceFullPath", replaceFullPath: "/b" };
const rewrite = (path: object = whole) => ({ type: "URLRewrite", urlRewrite: { path } });
const redirected = (path: object) => ({ type: "RequestRedirect", requestRedirect: { path } });
const cors = { type: "CORS", cors: {} };
const toRequest = { type: "RequestHeaderModifier", requestHeaderModifier: {} };
const toResponse = { type: "ResponseHeaderModifier", responseHeaderModifier: {} };
const backend = { name: "b", port: 80 };
const path = (value: string, type = "PathPrefix") => ({ type, value });
const onPrefix = [{ path: path("/a") }];
const ref = (name: string, more: object = {}) => ({ name, ...more });

/** With exactly one match, which is a prefix, and otherwise. */
const onePrefix = (rule: object): readonly Pair[] => [
  pair({ ...rule, matches: [{ path: path("/a", "Exact") }] }, { ...rule, matches: onPrefix }),
  pair({ ...rule, matches: [...onPrefix, { path: path("/b") }] }, rule),
  pair({ ...rule, matches: [{ path: path("/a", "RegularExpression") }] }, { ...rule, matches: [{}] }),
];
const once = (filter: object): readonly Pair[] => [
  pair([filter, mirror(), filter], [filter, mirror(), mirror()]),
];

/** A filter whose body is missing, and one with another's. */
const bodies = (type: string, filter: object): Readonly<Record<string, readonly Pair[]>> => {
  const member =
    type === "CORS" || type === "URLRewrite"
      ? type.replace(/^[A-Z]+(?=[A-Z]|$)/, (all) => all.toLowerCase())
      : `${type[0]?.toLowerCase()}${type.slice(1)}`;
  const beside = type === "RequestHeaderModifier" ? cors : toRequest;
  return {
    [`filter.${member} must be nil if the filter.type is not ${type}`]: [
      pair({ ...beside, ...filter, type: beside.type }, beside),
    ],
    [`filter.${member} must be specified for ${type} filter.type`]: [pair({ type }, filter)],
  };
};
const refusedBodies = (type: string): Readonly<Record<string, readonly Pair[]>> => {
  const member = `${type[0]?.toLowerCase()}${type.slice(1)}`;
  return {
    [`filter.${member} must be nil if the filter.type is not ${type}`]: [
      pair({ ...cors, [member]: {} }, cors),
    ],
    [`filter.${member} must be specified for ${type} filter.type`]: [pair({ type }, cors)],
  };
};

const alone = (item: string): readonly Pair[] => [pair(["*", item], ["*"]), pair([item, "*"], [item])];
const wrongPaths = (...values: readonly string[]): readonly Pair[] =>
  values.flatMap((value) =>
    ["Exact", "PathPrefix"].map((type) =>
      pair(path(value, type), path(`/right${value.replace(/[^a-z]/g, "")}`, type)),
    ),
  );
const cookie = { type: "Cookie", cookie: {} };
const header = { type: "Header", header: { name: "x-session" } };
const sessions: Readonly<Record<string, readonly Pair[]>> = {
  "AbsoluteTimeout must be specified when cookie lifetimeType is Permanent": [
    pair(
      { cookie: { lifetimeType: "Permanent" } },
      { cookie: { lifetimeType: "Permanent" }, absoluteTimeout: "1h" },
    ),
  ],
  "cookie must be nil if type is not Cookie": [pair({ ...header, cookie: {} }, header)],
  "cookie must be specified for Cookie type": [pair({}, { cookie: {} }), pair({ type: "Cookie" }, cookie)],
  "header must be nil if type is not Header": [pair({ ...cookie, header: { name: "x" } }, cookie)],
  "header must be specified for Header type": [pair({ type: "Header" }, header)],
};

/** The keys of texts by name, which have a form of their own. */
const keyed = (what: "Label" | "Annotation"): Readonly<Record<string, readonly Pair[]>> => ({
  [`${what} keys must be in the form of an optional DNS subdomain prefix followed by a required name segment of up to 63 characters.`]:
    [
      ...["", "-a", "a-", "a b", "a/", "/a", "a/b/c", "A/b", "a..b/c", "é"].map((key) =>
        pair({ [key]: "" }, { "a-b.c/D_e.f-1": "" }),
      ),
      pair({ ["a".repeat(64)]: "" }, { [`a/${"a".repeat(63)}`]: "" }),
    ],
  [`If specified, the ${what.toLowerCase()} key's prefix must be a DNS subdomain not longer than 253 characters in total.`]:
    [pair({ [`${"a".repeat(253)}/a`]: "" }, { [`${"a".repeat(252)}/a`]: "" })],
});

const refs = "when parentRefs includes 2 or more references to the same parent";
const broken: Readonly<Record<Kind, Readonly<Record<string, readonly Pair[]>>>> = {
  HTTPRoute: {
    [`sectionName or port must be specified ${refs}`]: [
      pair([ref("g"), ref("g", { port: 80 })], [ref("g", { port: 80 }), ref("g", { port: 81 })]),
      pair([ref("g", { sectionName: "a" }), ref("g")], [ref("g", { sectionName: "a" }), ref("h")]),
      pair(
        [ref("g", { sectionName: "a" }), ref("g", { port: 80 })],
        [ref("g"), ref("g", { namespace: "n" })],
      ),
    ],
    [`sectionName or port must be unique ${refs}`]: [
      pair([ref("g"), ref("g")], [ref("g"), ref("g", { group: "", kind: "Service" })]),
      pair(
        [ref("g", { sectionName: "a", port: 80 }), ref("g", { sectionName: "a", port: 80 })],
        [ref("g", { sectionName: "a", port: 80 }), ref("g", { sectionName: "a", port: 81 })],
      ),
    ],
    "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128":
      [
        pair(
          [64, 64, 1].map((count) => ({ matches: Array(count).fill({}) })),
          [64, 63, 1].map((count) => ({ matches: Array(count).fill({}) })),
        ),
      ],
    "Rule name must be unique within the route": [
      pair([ref("a"), {}, ref("a")], [ref("a"), {}, {}, ref("b")]),
    ],
    "RequestRedirect filter must not be used together with backendRefs": [
      pair({ filters: [redirect], backendRefs: [backend] }, { filters: [redirect], backendRefs: [] }),
    ],
    "When using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified":
      onePrefix({ filters: [redirected(replacing)] }),
    "When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified":
      onePrefix({ filters: [rewrite(replacing)] }),
    "Within backendRefs, when using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified":
      onePrefix({ backendRefs: [{ ...backend, filters: [redirected(replacing)] }] }),
    "Within backendRefs, When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified":
      onePrefix({ backendRefs: [{ ...backend, filters: [rewrite(replacing)] }] }),
    "Must have port for Service reference": [
      pair({ name: "b" }, backend),
      pair({ name: "b", group: "", kind: "Service" }, { name: "b", group: "mesh.tulle.dev" }),
      pair({ name: "b", namespace: "n" }, { name: "b", kind: "Bucket" }),
    ],
    "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both": [
      pair([redirect, rewrite()], [rewrite(), cors]),
    ],
    "CORS filter cannot be repeated": once(cors),
    "RequestHeaderModifier filter cannot be repeated": once(toRequest),
    "ResponseHeaderModifier filter cannot be repeated": once(toResponse),
    "RequestRedirect filter cannot be repeated": [pair([redirect, redirect], [mirror(), mirror()])],
    "URLRewrite filter cannot be repeated": once(rewrite()),
    ...bodies("CORS", cors),
    ...bodies("RequestHeaderModifier", toRequest),
    ...bodies("ResponseHeaderModifier", toResponse),
    ...bodies("RequestMirror", mirror()),
    ...bodies("RequestRedirect", redirect),
    ...bodies("URLRewrite", rewrite()),
    ...refusedBodies("ExtensionRef"),
    ...refusedBodies("ExternalAuth"),
    "AllowHeaders cannot contain '*' alongside other methods": alone("x-a"),
    "AllowMethods cannot contain '*' alongside other methods": alone("GET"),
    "AllowOrigins cannot contain '*' alongside other origins": alone("https://a.example"),
    "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter": [
      pair(
        { backendRef: backend, percent: 1, fraction: { numerator: 1 } },
        { backendRef: backend, percent: 1 },
      ),
    ],
    "numerator must be less than or equal to denominator": [
      pair({ numerator: 3, denominator: 2 }, { numerator: 2, denominator: 2 }),
      pair({ numerator: 101 }, { numerator: 100 }),
    ],
    "replaceFullPath must be specified when type is set to 'ReplaceFullPath'": [
      pair({ type: "ReplaceFullPath" }, whole),
    ],
    "type must be 'ReplaceFullPath' when replaceFullPath is set": [
      pair({ ...replacing, replaceFullPath: "/" }, replacing),
    ],
    "replacePrefixMatch must be specified when type is set to 'ReplacePrefixMatch'": [
      pair({ type: "ReplacePrefixMatch" }, replacing),
    ],
    "type must be 'ReplacePrefixMatch' when replacePrefixMatch is set": [
      pair({ ...whole, replacePrefixMatch: "/" }, whole),
    ],
    "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']": wrongPaths(
      "",
      "a",
      "a/b",
    ),
    "must not contain '//' when type one of ['Exact', 'PathPrefix']": wrongPaths("//", "/a//b", "/a//"),
    "must not contain '/./' when type one of ['Exact', 'PathPrefix']": wrongPaths("/./", "/a/./b"),
    "must not contain '/../' when type one of ['Exact', 'PathPrefix']": wrongPaths("/../", "/a/../b"),
    "must not contain '%2f' when type one of ['Exact', 'PathPrefix']": wrongPaths("/a%2fb"),
    "must not contain '%2F' when type one of ['Exact', 'PathPrefix']": wrongPaths("/a%2Fb"),
    "must not contain '#' when type one of ['Exact', 'PathPrefix']": wrongPaths("/a#b", "/#"),
    "must not end with '/..' when type one of ['Exact', 'PathPrefix']": wrongPaths("/..", "/a/.."),
    "must not end with '/.' when type one of ['Exact', 'PathPrefix']": wrongPaths("/.", "/a/."),
    "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']": [
      pair(path("/a", "Prefix"), path("/a//b", "RegularExpression")),
    ],
    "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) for types ['Exact', 'PathPrefix']":
      [
        ...wrongPaths("/a b", "/é", "/a%", "/a%4", "/a?b", "/[a]", "/a\n"),
        pair(path('/"'), path("/-._~!$&'()*+,;=:@%41")),
      ],
    ...sessions,
    "backendRequest timeout cannot be longer than request timeout": [
      pair({ request: "1s", backendRequest: "1001ms" }, { request: "1s", backendRequest: "1000ms" }),
      pair({ request: "1ms", backendRequest: "1h" }, { request: "0s", backendRequest: "1h" }),
    ],
  },
  Gateway: {
    "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']": [
      pair(
        [{ name: "a", port: 80, protocol: "HTTP", tls: { certificateRefs: [ref("c")] } }],
        [{ name: "a", port: 80, protocol: "HTTPS", tls: { certificateRefs: [ref("c")] } }],
      ),
    ],
    "tls mode must be Terminate for protocol HTTPS": [
      pair(
        [
          {
            name: "a",
            port: 80,
            protocol: "HTTPS",
            tls: { mode: "Passthrough", certificateRefs: [ref("c")] },
          },
        ],
        [{ name: "a", port: 80, protocol: "HTTPS", tls: { mode: "Terminate", certificateRefs: [ref("c")] } }],
      ),
    ],
    "tls mode must be set for protocol TLS": [
      pair([{ name: "a", port: 80, protocol: "TLS" }], [{ name: "a", port: 80, protocol: "HTTPS" }]),
    ],
    "hostname must not be specified for protocols ['TCP', 'UDP']": [
      pair(
        [{ name: "a", port: 80, protocol: "TCP", hostname: "a" }],
        [{ name: "a", port: 80, protocol: "HTTP", hostname: "a" }],
      ),
    ],
    "Listener name must be unique within the Gateway": [
      pair(
        [80, 81].map((port) => ({ name: "a", port, protocol: "HTTP" })),
        [80, 81].map((port) => ({ name: `a${port}`, port, protocol: "HTTP" })),
      ),
    ],
    "Combination of port, protocol and hostname must be unique for each listener": [
      pair(
        ["a", "b"].map((name) => ({ name, port: 80, protocol: "HTTP" })),
        ["a", "b"].map((name) => ({ name, port: 80, protocol: "HTTP", hostname: name })),
      ),
      pair(
        ["a", "b"].map((name) => ({ name, port: 80, protocol: "HTTP", hostname: "h" })),
        [
          { name: "a", port: 80, protocol: "HTTP", hostname: "h" },
          { name: "b", port: 80, protocol: "HTTP" },
        ],
      ),
    ],
    "certificateRefs or options must be specified when mode is Terminate": [
      pair({}, { certificateRefs: [ref("c")] }),
      pair({ mode: "Terminate", certificateRefs: [] }, { mode: "Terminate", certificateRefs: [ref("c")] }),
    ],
    ...keyed("Label"),
    ...keyed("Annotation"),
  },
  ReferenceGrant: {},
  XBackendTrafficPolicy: {
    "interval cannot be greater than one hour or less than one second": [
      pair("999ms", "1000ms"),
      pair("1h1ms", "60m"),
    ],
    "interval cannot be greater than one hour": [pair("0s", "1ms"), pair("1h1ms", "60m"), pair("61m", "1h")],
    ...sessions,
  },
};

describe.each(Object.keys(kinds) as Kind[])("%s", (kind) => {
  const { rules } = kinds[kind];

  test("has a case for each rule of its CRD", () => {
    expect(Object.keys(broken[kind]).sort()).toEqual(Object.keys(rules).sort());
  });

  test.each(Object.entries(rules).flatMap(([message, paths]) => paths.map((one) => [message, one] as const)))(
    "%s: %s",
    (message, where) => {
      for (const { wrong, right } of broken[kind][message] ?? []) {
        const [document, place] = pruned(documents[kind], placeOf(documents[kind], where) ?? []);
        const [refused, taken] = [wrong, right].map((value) => issuesOf(changed(document, place, value)));
        expect({ wrong, refused }).not.toEqual({ wrong, refused: [] });
        expect({ right, taken }).toEqual({ right, taken: [] });
      }
    },
  );
});
