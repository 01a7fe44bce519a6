import { describe, expect, test } from "vitest";
import { kinds } from "../../../mesh-runtime/policy/schema.ts";
import { documents, inShort, read } from "./writing.ts";

/** A right document of a kind; each case below changes one line of one. */
const right = {
  route: `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: payments
spec:
  parentRefs:
    - group: ""
      kind: Service
      name: payments
  rules:
    - name: canary
      matches:
        - path: { type: PathPrefix, value: /charge }
          method: POST
          headers: [{ name: X-Canary, value: "1" }]
          queryParams: [{ name: v, value: "2" }]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: X-A, value: a }] }
      backendRefs:
        - name: payments-v1
          weight: 90
          port: 80
        - name: payments-v2
          weight: 10
          port: 80
      timeouts: { request: 2s, backendRequest: 1s }
      retry: { codes: [503], attempts: 2, backoff: 50ms }
`,
  gateway: `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public, annotations: { mesh.tulle.dev/worker: edge } }
spec:
  gatewayClassName: tulle
  listeners:
    - name: http
      port: 80
      protocol: HTTP
      hostname: "*.example.com"
      allowedRoutes: { namespaces: { from: All } }
`,
  grant: `apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: shop }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop }]
  to: [{ group: "", kind: Service }]
`,
  service: `apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: payments }
spec:
  mode: STRICT
  evidence: signature
  identity: spiffe://mesh.local/ns/default/sa/payments
  endpoint: { url: "https://payments.example.com" }
  binding: PAYMENTS
  ports: [{ name: http, port: 80 }]
  timeout: 10s
  maxInFlight: 100
  maxDigestBytes: 65536
  largeBody: unsigned
`,
  traffic: `apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: payments }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  timeout: 3s
  retry: { attempts: 2, codes: [503], budgetRatio: 0.1, nonIdempotent: false }
  circuit: { consecutiveFailures: 3, window: 5s }
  maxInFlight: 10
`,
  access: `apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: payments }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  action: ALLOW
  rules:
    - from:
        - source: { principals: [mesh.local/ns/default/sa/web] }
      to:
        - operation: { methods: [POST], paths: [/charge*] }
`,
  telemetry: `apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: shop }
spec:
  sampleRatio: 0.5
  accessLog: true
  otlpEndpoint: https://otlp.example.com
`,
  config: `apiVersion: mesh.tulle.dev/v1
kind: MeshConfig
metadata: { name: mesh }
spec:
  trustDomain: shop.example
  defaults: { mode: PERMISSIVE, evidence: binding, sampleRatio: 1 }
`,
} as const;

type Name = keyof typeof right;

/** The issues of a document with one part of its text replaced. */
function broken(name: Name, part: string, replacement: string): readonly string[] {
  const text = right[name];
  if (!text.includes(part)) throw new Error(`the ${name} has no ${part}`);
  return read(text.replace(part, replacement)).issues.map(inShort);
}

describe("a right document", () => {
  test.each(Object.keys(right) as Name[])("of every kind is let through: %s", (name) => {
    const { written, issues } = read(right[name]);
    expect(issues).toEqual([]);
    expect(written).toHaveLength(1);
  });

  test("may have a name of 253 characters, dots or none, where Kubernetes lets it", () => {
    for (const name of ["a".repeat(253), `${"a".repeat(251)}.b`])
      for (const kind of ["Gateway", "HTTPRoute"]) {
        const spec =
          kind === "Gateway"
            ? `{gatewayClassName: tulle, listeners: [{name: ${name}, port: 80, protocol: HTTP}]}`
            : `{parentRefs: [{name: ${name}, sectionName: ${name}}]}`;
        const text = `{apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, metadata: {name: ${name}}, spec: ${spec}}`;
        expect(read(text).issues).toEqual([]);
        expect(
          read(text.replace(`metadata: {name: ${name}`, `metadata: {name: ${name}c`)).issues,
        ).toHaveLength(1);
      }
  });

  test("has every default that a standard gives", () => {
    const [document] = documents(
      `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {parentRefs: [{name: g}]}}`,
    );
    expect(document).toEqual({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "a", namespace: "default" },
      spec: {
        parentRefs: [{ kind: "Gateway", name: "g" }],
        rules: [{ matches: [{ path: { type: "PathPrefix", value: "/" } }] }],
      },
    });
    const [redirect] = documents(
      `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {parentRefs: [{name: g}], rules: [{filters: [{type: RequestRedirect, requestRedirect: {}}], matches: [{headers: [{name: a, value: b}]}]}, {backendRefs: [{name: s, port: 80}]}]}}`,
    );
    expect(redirect?.spec).toMatchObject({
      rules: [
        {
          filters: [{ requestRedirect: { statusCode: 302 } }],
          matches: [{ path: { type: "PathPrefix", value: "/" }, headers: [{ type: "Exact" }] }],
        },
        { backendRefs: [{ group: "", kind: "Service", weight: 1 }] },
      ],
    });
    const [gateway] = documents(
      `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: a}, spec: {gatewayClassName: tulle, listeners: [{name: a, port: 80, protocol: HTTP}]}}`,
    );
    expect(gateway?.spec).toMatchObject({ listeners: [{ allowedRoutes: { namespaces: { from: "Same" } } }] });
  });
});

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

describe("other wrong documents are refused at their line", () => {
  test.each([
    [
      "gateway",
      "gatewayClassName: tulle",
      "gatewayClassName: nginx",
      "5 spec.gatewayClassName",
      'must be "tulle"',
    ],
    [
      "gateway",
      "protocol: HTTP",
      "protocol: TLS",
      "9 spec.listeners[0].protocol",
      "a worker sees no connections",
    ],
    ["gateway", "port: 80", "port: 0", "8 spec.listeners[0].port", "a port from 1 to 65535"],
    [
      "gateway",
      "from: All",
      "from: Selector",
      "11 spec.listeners[0].allowedRoutes.namespaces.from",
      "without a selector no namespace is meant",
    ],
    [
      "gateway",
      "from: All",
      "from: None",
      "11 spec.listeners[0].allowedRoutes.namespaces.from",
      "remove the listener",
    ],
    [
      "gateway",
      "from: All",
      "from: Selector, selector: {matchExpressions: [{key: a, operator: In}]}",
      "11 spec.listeners[0].allowedRoutes.namespaces.selector.matchExpressions[0].values",
      "In compares with values; name one",
    ],
    [
      "gateway",
      "from: All",
      "from: Selector, selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
      "11 spec.listeners[0].allowedRoutes.namespaces.selector.matchExpressions[0].values",
      "Exists looks at the name alone; remove values",
    ],
    [
      "gateway",
      "protocol: HTTP",
      "protocol: TCP",
      "9 spec.listeners[0].protocol",
      "a worker sees no connections",
    ],
    [
      "gateway",
      "protocol: HTTP",
      "protocol: UDP",
      "9 spec.listeners[0].protocol",
      "a worker sees no packets",
    ],
    ["gateway", "protocol: HTTP", "protocol: h2c", "9 spec.listeners[0].protocol", "HTTP/2 over TLS alone"],
    [
      "gateway",
      "protocol: HTTP",
      "protocol: HTTPS\n      tls: { mode: Passthrough }",
      "10 spec.listeners[0].tls.mode",
      "a worker sees no connections",
    ],
    [
      "gateway",
      "name: http\n",
      "name: http\n      tls: {}\n",
      "8 spec.listeners[0].tls",
      "tls belongs to HTTPS",
    ],
    [
      "gateway",
      "mesh.tulle.dev/worker",
      "mesh.tulle.dev/wroker",
      '3 metadata.annotations["mesh.tulle.dev/wroker"]',
      "the mesh does not read",
    ],
    ["gateway", "  listeners:\n", "  addresses: []\n  listeners:\n", "6 spec.addresses", "the platform's"],
    [
      "gateway",
      "    - name: http\n",
      "    - {name: http, port: 81, protocol: HTTP}\n    - name: http\n",
      "8 spec.listeners[1]",
      'the listener name "http" stands here twice',
    ],
    [
      "gateway",
      "    - name: http\n",
      '    - {name: b, port: 80, protocol: HTTP, hostname: "*.example.com"}\n    - name: http\n',
      "8 spec.listeners[1]",
      "the port, protocol and hostname",
    ],
    ["grant", "to: [{", "to: [], x: [{", "6", ""],
    ["service", "mode: STRICT", "mode: DISABLE", "5 spec.mode", "not supported"],
    ["service", "evidence: signature", "evidence: none", "6 spec.evidence", "one of binding, signature"],
    [
      "service",
      "spiffe://mesh.local/ns/default/sa/payments",
      "spiffe://Mesh.local/payments",
      "7 spec.identity",
      "a SPIFFE ID of a workload",
    ],
    [
      "service",
      "https://payments.example.com",
      "http://payments.example.com",
      "8 spec.endpoint.url",
      "an origin such as",
    ],
    [
      "service",
      "https://payments.example.com",
      "https://user:secret@payments.example.com",
      "8 spec.endpoint.url",
      'found "https://…@payments.example.com".',
    ],
    [
      "service",
      "https://payments.example.com",
      "https://payments.example.com/base",
      "8 spec.endpoint.url",
      "without path",
    ],
    [
      "service",
      'endpoint: { url: "https://payments.example.com" }',
      "endpoint: {}",
      "8 spec.endpoint",
      "leads nowhere",
    ],
    [
      "service",
      "endpoint:",
      "virtual: true\n  endpoint:",
      "9 spec.endpoint",
      "a virtual Service has no worker",
    ],
    ["service", "binding: PAYMENTS", "binding: MESH", "9 spec.binding", "the binding to the control plane"],
    ["service", "binding: PAYMENTS", "binding: pay-ments", "9 spec.binding", "the name of a binding"],
    [
      "service",
      "[{ name: http, port: 80 }]",
      "[{ port: 80 }, { port: 80 }]",
      "10 spec.ports[1]",
      'the port "80" stands here twice',
    ],
    ["service", "timeout: 10s", "timeout: 10", "11 spec.timeout", "found 10."],
    ["service", "maxInFlight: 100", "maxInFlight: 0", "12 spec.maxInFlight", "found 0."],
    ["service", "largeBody: unsigned", "largeBody: accept", "14 spec.largeBody", "one of reject, unsigned"],
    ["service", "mode: STRICT", "selector: {app: x}", "5 spec.selector", "write an endpoint"],
    ["service", "name: payments }", "name: payments.v1 }", "3 metadata.name", 'found "payments.v1".'],
    [
      "traffic",
      "kind: Service",
      "kind: Gateway",
      "5 spec.targetRefs[0].kind",
      "not supported yet; name the Services",
    ],
    ["traffic", "[{ kind: Service, name: payments }]", "[]", "5 spec.targetRefs", "an empty list could mean"],
    ["traffic", "budgetRatio: 0.1", "budgetRatio: 20", "7 spec.retry.budgetRatio", "a number from 0 to 1"],
    [
      "traffic",
      "nonIdempotent: false",
      "nonIdempotent: no",
      "7 spec.retry.nonIdempotent",
      'true or false, found "no".',
    ],
    ["traffic", "window: 5s", "window: 0s", "8 spec.circuit.window", "a duration above 0"],
    ["traffic", "window: 5s", "failureRatio: 0", "8 spec.circuit.failureRatio", "every success would open"],
    ["traffic", "maxInFlight: 10", "rateLimit: {}", "9 spec.rateLimit", "not supported yet"],
    ["access", "action: ALLOW", "action: ALOW", "6 spec.action", "one of ALLOW, DENY, AUDIT"],
    ["access", "action: ALLOW", "action: CUSTOM", "6 spec.action", "no external authorizers"],
    ["access", "action: ALLOW", "selector: {}", "6 spec.selector", "use targetRefs"],
    [
      "access",
      "    - from:",
      "    - when: [{key: source.namespaces, values: [a]}]\n      from:",
      "8 spec.rules[0].when[0].key",
      'did you mean "source.namespace"?',
    ],
    [
      "access",
      "    - from:",
      "    - when: [{key: 'request.auth.claims.iss', values: [a]}]\n      from:",
      "8 spec.rules[0].when[0].key",
      "write each name in brackets",
    ],
    [
      "access",
      "    - from:",
      "    - when: [{key: 'request.headers[x-a]'}]\n      from:",
      "8 spec.rules[0].when[0]",
      "without values it says nothing",
    ],
    [
      "access",
      "    - from:",
      "    - when: [{key: 'request.headers[tulle-epoch]', values: [a]}]\n      from:",
      "8 spec.rules[0].when[0].key",
      "the mesh's own; use source.principal",
    ],
    [
      "access",
      "    - from:",
      "    - when: [{key: 'request.headers[Authorization]', values: [Bearer a]}]\n      from:",
      "8 spec.rules[0].when[0].values[0]",
      "its value is a secret",
    ],
    [
      "access",
      "    - from:",
      "    - when: [{key: mesh.evidence, values: [signatur]}]\n      from:",
      "8 spec.rules[0].when[0].values[0]",
      'did you mean "signature"?',
    ],
    [
      "access",
      "    - from:",
      "    - when: [{key: remote.ip, values: [10.0.0.0/8]}]\n      from:",
      "8 spec.rules[0].when[0].key",
      "use ipBlocks",
    ],
    [
      "access",
      "principals: [mesh.local/ns/default/sa/web]",
      "requestPrincipals: [x]",
      "9 spec.rules[0].from[0].source.requestPrincipals",
      "it must be an issuer, a slash and a subject",
    ],
    [
      "access",
      "principals: [mesh.local/ns/default/sa/web]",
      "ipBlocks: [10.1.0.0/8]",
      "9 spec.rules[0].from[0].source.ipBlocks[0]",
      "nothing but zeros after its first 8 bits",
    ],
    [
      "access",
      "principals: [mesh.local/ns/default/sa/web]",
      "ipBlocks: [10.0.0.0/8], remoteIpBlocks: [10.0.0.0/8]",
      "9 spec.rules[0].from[0].source.remoteIpBlocks",
      "the same address here",
    ],
    [
      "access",
      "principals: [mesh.local/ns/default/sa/web]",
      "principals: []",
      "9 spec.rules[0].from[0].source.principals",
      "an empty list could mean",
    ],
    [
      "access",
      "{ principals: [mesh.local/ns/default/sa/web] }",
      "{}",
      "9 spec.rules[0].from[0].source",
      "could mean none or any",
    ],
    [
      "access",
      "mesh.local/ns/default/sa/web",
      "mesh.local//web",
      "9 spec.rules[0].from[0].source.principals[0]",
      "a SPIFFE ID such as",
    ],
    [
      "access",
      "methods: [POST]",
      "methods: [post]",
      "11 spec.rules[0].to[0].operation.methods[0]",
      "a method in upper case",
    ],
    [
      "access",
      "methods: [POST]",
      "hosts: ['a:80']",
      "11 spec.rules[0].to[0].operation.hosts[0]",
      "a host name without port",
    ],
    [
      "access",
      "methods: [POST]",
      "ports: ['80']",
      "11 spec.rules[0].to[0].operation.ports",
      "a worker has one way in",
    ],
    [
      "access",
      "/charge*",
      "'/{**}/a/{*}'",
      "11 spec.rules[0].to[0].operation.paths[0]",
      'in which "{**}" is the last operator',
    ],
    ["access", "/charge*", "'/a{*}'", "11 spec.rules[0].to[0].operation.paths[0]", "is a whole segment"],
    ["access", "/charge*", "/a/../charge", "11 spec.rules[0].to[0].operation.paths[0]", "a dot segment"],
    ["access", "/charge*", "/c*e*", "11 spec.rules[0].to[0].operation.paths[0]", "one asterisk at most"],
    ["telemetry", "sampleRatio: 0.5", "sampleRatio: 50", "5 spec.sampleRatio", "a number from 0 to 1"],
    ["telemetry", "https://otlp", "https://u:p@otlp", "7 spec.otlpEndpoint", "without user and query"],
    ["telemetry", "accessLog: true", "accessLogging: []", "6 spec.accessLogging", "write accessLog: true"],
    ["config", "trustDomain: shop.example", "trustDomain: Shop", "5 spec.trustDomain", "a trust domain"],
    ["config", "mode: PERMISSIVE", "mode: OPEN", "6 spec.defaults.mode", "one of STRICT, PERMISSIVE"],
  ] as const)("%s: %j → %j", (name, part, replacement, where, message) => {
    const issues = broken(name, part, replacement);
    expect(
      issues.some((issue) => issue.startsWith(`error ${where}`) && issue.includes(message)),
      issues.join("\n"),
    ).toBe(true);
  });
});

describe("issues", () => {
  test("are all told, in the order of the text", () => {
    const issues = broken("route", "weight: 90", "weight: -1\n          foo: 1\n          bar: 2");
    expect(issues.map((issue) => issue.split(":")[0])).toEqual([
      "error 22 spec.rules[0].backendRefs[0].weight",
      "error 23 spec.rules[0].backendRefs[0].foo",
      "error 24 spec.rules[0].backendRefs[0].bar",
    ]);
  });

  test("name source, document, what was expected and found", () => {
    expect(read(right.route.replace("weight: 10", "weight: -10")).issues).toEqual([
      {
        severity: "error",
        source: "test.yaml",
        line: 25,
        column: 19,
        document: "HTTPRoute/default/payments",
        path: "spec.rules[0].backendRefs[1].weight",
        expected: "a whole number from 0 to 1000000",
        found: "-10",
        message: "spec.rules[0].backendRefs[1].weight must be a whole number from 0 to 1000000, found -10.",
      },
    ]);
  });

  test("of one document do not hide another that is right", () => {
    const { written, issues } = read(`${right.service}---\nkind: Nothing\n---\n${right.traffic}`);
    expect(written.map(({ document }) => document.kind)).toEqual(["Service", "TrafficPolicy"]);
    expect(issues).toMatchObject([{ line: 16, document: "Nothing/default/?" }]);
  });

  test("in a List point into it", () => {
    const { issues } = read("kind: List\napiVersion: v1\nitems:\n  - kind: Servce\n");
    expect(issues).toMatchObject([
      { path: "items[0].kind", line: 4, message: expect.stringContaining('"Service"?') },
    ]);
  });

  test.each(["just a text", "- a\n- list", "12"])("say what a document is if %j is none", (text) => {
    expect(read(text).issues).toMatchObject([
      { line: 1, expected: "an object with apiVersion, kind, metadata and spec" },
    ]);
  });

  test("never repeat a long text whole", () => {
    const [issue] = read(right.service.replace("mode: STRICT", `mode: ${"s".repeat(5_000)}`)).issues;
    expect(issue?.message.length).toBeLessThan(250);
  });

  test("are sentences", () => {
    const { issues } = read(right.route.replaceAll(/value|name|type/g, "wrong"));
    expect(issues.length).toBeGreaterThan(3);
    for (const { message } of issues) expect(message).toMatch(/[.?]$/);
  });
});

test("every kind is in the table under its own name", () => {
  for (const kind of Object.keys(kinds)) {
    const { issues } = read(`{apiVersion: wrong, kind: ${kind}, metadata: {name: a}, spec: {}}`);
    expect(issues.map(({ path }) => path)).toContain("apiVersion");
    expect(issues.map(({ path }) => path)).not.toContain("kind");
  }
});
