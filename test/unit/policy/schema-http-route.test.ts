import { describe, expect, test } from "vitest";
import { broken } from "./right-documents.ts";
import { inShort, read } from "./writing.ts";

const long = "x".repeat(1025);

describe("a wrong HTTPRoute is refused at its line", () => {
  test.each([
    [
      "weight: 10",
      "weight: -10",
      "25 spec.rules[0].backendRefs[1].weight",
      "a whole number from 0 to 1000000, found -10.",
    ],
    ["weight: 90", "weight: 1000001", "22 spec.rules[0].backendRefs[0].weight", "found 1000001."],
    ["weight: 90", "weight: 1.5", "22 spec.rules[0].backendRefs[0].weight", "found 1.5."],
    ["weight: 90", 'weight: "90"', "22 spec.rules[0].backendRefs[0].weight", 'found "90".'],
    ["weight: 90", "wieght: 90", "22 spec.rules[0].backendRefs[0].wieght", 'did you mean "weight"?'],
    [
      "weight: 90",
      "subset: v1",
      "22 spec.rules[0].backendRefs[0].subset",
      "is not a member that exists here; remove it.",
    ],
    ["name: payments-v1", "filters: []", "21 spec.rules[0].backendRefs[0].name", "is missing; write a name"],
    ["name: payments-v1", "name: Payments", "21 spec.rules[0].backendRefs[0].name", 'found "Payments".'],
    ["  name: payments\n", "  name: -payments\n", "4 metadata.name", 'found "-payments".'],
    ["  name: payments\n", "  name: 12\n", "4 metadata.name", "found 12."],
    ["kind: Service", "kind: Pod", "8 spec.parentRefs[0].kind", 'one of Gateway, Service, found "Pod".'],
    ['group: ""', "group: apps", "7 spec.parentRefs[0].group", "a Service is not of this group"],
    [
      "      name: payments\n",
      "      name: payments\n      sectionName: a\n",
      "10 spec.parentRefs[0].sectionName",
      "a Service has no sections",
    ],
    [
      "value: /charge",
      "value: charge",
      "13 spec.rules[0].matches[0].path.value",
      'begins with "/"; write it first.',
    ],
    ["value: /charge", "value: /a//b", "13 spec.rules[0].matches[0].path.value", 'contains "//"'],
    ["value: /charge", "value: /a/./b", "13 spec.rules[0].matches[0].path.value", "write it without."],
    ["value: /charge", "value: /a/..", "13 spec.rules[0].matches[0].path.value", "write it without."],
    ["value: /charge", "value: /a%2Fb", "13 spec.rules[0].matches[0].path.value", "without %2F."],
    ["value: /charge", 'value: "/a#b"', "13 spec.rules[0].matches[0].path.value", "without #."],
    ["value: /charge", 'value: "/a?b"', "13 spec.rules[0].matches[0].path.value", "use queryParams."],
    [
      "value: /charge",
      "value: /a%zz",
      "13 spec.rules[0].matches[0].path.value",
      "percent-encode every character",
    ],
    ["value: /charge", `value: /${long}`, "13 spec.rules[0].matches[0].path.value", "longer than 1024"],
    ["type: PathPrefix", "type: Prefix", "13 spec.rules[0].matches[0].path.type", "one of Exact, PathPrefix"],
    ["method: POST", "method: post", "14 spec.rules[0].matches[0].method", 'found "post".'],
    [
      'name: X-Canary, value: "1"',
      'name: "X Y", value: "1"',
      "15 spec.rules[0].matches[0].headers[0].name",
      "a header name",
    ],
    [
      "name: X-Canary",
      "name: Tulle-Hops",
      "15 spec.rules[0].matches[0].headers[0].name",
      "this header belongs to the mesh",
    ],
    ['value: "1"', 'value: ""', "15 spec.rules[0].matches[0].headers[0].value", "a header value"],
    ['value: "1"', 'value: "1\\r\\n2"', "15 spec.rules[0].matches[0].headers[0].value", "a header value"],
    ['value: "1"', 'value: "€"', "15 spec.rules[0].matches[0].headers[0].value", "visible ASCII"],
    [
      'headers: [{ name: X-Canary, value: "1" }]',
      'headers: [{ name: A, value: "1" }, { name: A, value: "2" }]',
      "15 spec.rules[0].matches[0].headers[1]",
      'the header "A" stands here twice',
    ],
    [
      "queryParams: [{",
      "queryParams: [{ type: Prefix,",
      "16 spec.rules[0].matches[0].queryParams[0].type",
      'one of Exact, RegularExpression, found "Prefix".',
    ],
    [
      "type: RequestHeaderModifier",
      "type: ExtensionRef",
      "18 spec.rules[0].filters[0].type",
      "not supported",
    ],
    [
      "requestHeaderModifier: { set: [{ name: X-A, value: a }] }",
      "requestHeaderModifier: { set: [{ name: X-A, value: a }], remove: [x-a] }",
      "19 spec.rules[0].filters[0].requestHeaderModifier.remove[0]",
      'the header "x-a" stands here twice',
    ],
    ...[
      "Signature",
      "workload-identity-token",
      "tulle-attempt-credits",
      "traceparent",
      "Content-Digest",
    ].flatMap((name): [string, string, string, string][] => [
      [
        "{ name: X-A, value: a }",
        `{ name: ${name}, value: a }`,
        "19 spec.rules[0].filters[0].requestHeaderModifier.set[0].name",
        "this header belongs to the mesh",
      ],
      [
        "set: [{ name: X-A, value: a }]",
        `remove: [${name}]`,
        "19 spec.rules[0].filters[0].requestHeaderModifier.remove[0]",
        "no document may match by it, forge or strip it",
      ],
    ]),
    ["request: 2s", "request: 1.5s", "27 spec.rules[0].timeouts.request", 'a duration such as "250ms"'],
    ["request: 2s", "request: 0", "27 spec.rules[0].timeouts.request", "found 0."],
    [
      "backendRequest: 1s",
      "backendRequest: 3s",
      "27 spec.rules[0].timeouts.backendRequest",
      "cannot take longer than the request",
    ],
    ["codes: [503]", "codes: [200]", "28 spec.rules[0].retry.codes[0]", "from 400 to 599, found 200."],
    ["attempts: 2", "attempts: 0", "28 spec.rules[0].retry.attempts", "found 0."],
    [
      "- name: canary",
      "- name: canary\n      sessionPersistence: { type: IP }",
      "12 spec.rules[0].sessionPersistence.type",
      "one of Cookie, Header",
    ],
    [
      "  rules:\n",
      "  hostnames: [https://a.example]\n  rules:\n",
      "10 spec.hostnames[0]",
      "a host name such as",
    ],
    ["  rules:\n", "  hostnames: [10.0.0.1]\n  rules:\n", "10 spec.hostnames[0]", "a host name such as"],
    [
      "  name: payments\n",
      "  name: payments\n  labels: {a: 1}\n",
      "5 metadata.labels.a",
      "write it in quotes.",
    ],
    [
      "  name: payments\n",
      "  name: payments\n  creationTimestamp: now\n",
      "5 metadata.creationTimestamp",
      "a time such as",
    ],
    [
      "gateway.networking.k8s.io/v1\n",
      "gateway.networking.k8s.io/v1alpha2\n",
      "1 apiVersion",
      "one of gateway.networking.k8s.io/v1",
    ],
    ["kind: HTTPRoute", "kind: HTTPRout", "2 kind", 'did you mean "HTTPRoute"?'],
    ["kind: HTTPRoute", "kind: GRPCRoute", "2 kind", "The kind GRPCRoute is not supported yet"],
    ["kind: HTTPRoute", "kind: VirtualService", "2 kind", "not read; write HTTPRoute."],
    ["kind: HTTPRoute\n", "", "1 kind", "A document must say its kind"],
  ])("%j → %j", (part, replacement, where, message) => {
    const issues = broken("route", part, replacement);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(`error ${where}: `);
    expect(issues[0]).toContain(message);
  });

  const rules = (text: string) =>
    read(
      `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a},\nspec: {parentRefs: [{name: g}], rules: ${text}}}`,
    ).issues.map(inShort);
  const redirect =
    "{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /x}}}";
  const rewrite =
    "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /x}}}";
  const one = "matches: [{path: {value: /a}}]";

  test.each([
    ["no rules at all", "[]", "spec.rules: an empty list could mean"],
    ["too many rules", `[${"{}, ".repeat(17)}]`, "spec.rules must be a list of 1 to 16, found a list of 17."],
    [
      "too many matches",
      `[${`{matches: [${"{}, ".repeat(64)}]}, `.repeat(3)}]`,
      "spec.rules: a route has at most 128 matches",
    ],
    ["two rules of one name", "[{name: a}, {name: a}]", 'spec.rules[1]: the rule name "a" stands here twice'],
    [
      "a redirect with a backend",
      `[{${one}, filters: [${redirect}], backendRefs: [{name: b, port: 80}]}]`,
      "spec.rules[0].backendRefs: a request that is redirected reaches no backend",
    ],
    [
      "a redirect that is rewritten",
      `[{${one}, filters: [${redirect}, ${rewrite}]}]`,
      "spec.rules[0].filters[1]: a request that is redirected reaches no backend",
    ],
    [
      "a filter twice",
      `[{${one}, filters: [${rewrite}, ${rewrite}]}]`,
      'spec.rules[0].filters[1]: the type of filter "URLRewrite" stands here twice',
    ],
    [
      "a prefix replaced with two matches",
      `[{matches: [{}, {path: {value: /a}}], filters: [${rewrite}]}]`,
      "spec.rules[0].filters[0]: ReplacePrefixMatch needs exactly one PathPrefix match",
    ],
    [
      "a prefix replaced with an exact match",
      `[{matches: [{path: {type: Exact}}], filters: [${rewrite}]}]`,
      "spec.rules[0].filters[0]: ReplacePrefixMatch needs",
    ],
    [
      "a prefix replaced for a backend, without one prefix",
      `[{matches: [{path: {type: Exact}}], backendRefs: [{name: b, port: 80, filters: [${rewrite}]}]}]`,
      "spec.rules[0].backendRefs[0].filters[0]: ReplacePrefixMatch needs",
    ],
    [
      "a redirect to a strange status",
      "[{filters: [{type: RequestRedirect, requestRedirect: {statusCode: 300}}]}]",
      "statusCode must be one of 301, 302, 303, 307, 308, found 300.",
    ],
    [
      "a redirect to a wildcard",
      '[{filters: [{type: RequestRedirect, requestRedirect: {hostname: "*.a"}}]}]',
      "hostname must be a host name",
    ],
    [
      "a full path that is not one",
      "[{filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: x}}}]}]",
      'replaceFullPath: a path begins with "/"',
    ],
    [
      "a path of another type",
      "[{filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replacePrefixMatch: /x}}}]}]",
      "replacePrefixMatch: this member does not belong to the type ReplaceFullPath",
    ],
    [
      "a filter without its member",
      "[{filters: [{type: URLRewrite}]}]",
      "filters[0].urlRewrite: the type URLRewrite needs this member; write it.",
    ],
    [
      "a member of another filter",
      "[{filters: [{type: URLRewrite, urlRewrite: {}, cors: {}}]}]",
      "filters[0].cors: this member does not belong to the type URLRewrite",
    ],
  ])("for %s", (_name, text, message) => {
    const issues = rules(text);
    expect(
      issues.some((issue) => issue.startsWith("error 2 ") && issue.includes(message)),
      issues.join("\n"),
    ).toBe(true);
  });
});
