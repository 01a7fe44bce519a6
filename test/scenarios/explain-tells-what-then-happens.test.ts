import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExplainAnswer, RoutesAnswer } from "../../control/api/contract.ts";
import { tulle } from "../cli/tulle.ts";
import { word } from "../support/answers.ts";
import { open, virtual } from "../support/policy-texts.ts";

const route = (name: string, parent: string, rules: string, hostnames = ""): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [${parent}]${hostnames}
  rules:
${rules.replaceAll(/^/gm, "    ")}
`;

const rules = `- name: rest
  backendRefs: [{ name: a, port: 80 }]
- name: charge
  matches: [{ path: { value: /charge }, method: POST }]
  backendRefs: [{ name: b, port: 80 }]
- name: tenant
  matches: [{ path: { value: /charge }, headers: [{ name: X-Tenant, value: b }] }]
  backendRefs: [{ name: c, port: 80 }]
- name: pattern
  matches: [{ path: { type: RegularExpression, value: "/goods/[0-9]+" } }]
  backendRefs: [{ name: b, port: 80 }]
- name: query
  matches: [{ path: { value: /charge }, queryParams: [{ name: v, value: "2" }] }]
  backendRefs: [{ name: a, port: 80 }]
- name: old
  matches: [{ path: { value: /old } }]
  filters: [{ type: RequestRedirect, requestRedirect: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /new }, statusCode: 301 } }]
- name: rewritten
  matches: [{ path: { value: /deep } }]
  filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /flat } } }]
  backendRefs: [{ name: a, port: 80 }]
- name: shared
  matches: [{ path: { value: /shared }, method: PUT }]
  filters:
    - { type: RequestMirror, requestMirror: { backendRef: { name: c, port: 80 } } }
    - { type: CORS, cors: { allowOrigins: ["https://a.example"], allowMethods: [PUT] } }
  backendRefs: [{ name: b, port: 80 }]
- name: nobody
  matches: [{ path: { type: Exact, value: /nobody } }]
- name: locked
  matches: [{ path: { type: Exact, value: /locked } }]
  backendRefs: [{ name: vault, port: 80 }]
- name: virtual
  matches: [{ path: { type: Exact, value: /virtual } }]
  backendRefs: [{ name: narrow, port: 80 }]`;

const policies = [
  virtual("shop", "narrow"),
  open("a", "b", "c"),
  route("shop", '{ group: "", kind: Service, name: shop }', rules),
  route(
    "narrow",
    '{ group: "", kind: Service, name: narrow }',
    "- matches: [{ path: { type: Exact, value: /one } }]\n  backendRefs: [{ name: a, port: 80 }]",
  ),
  `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: tulle
  listeners:
    - { name: any, protocol: HTTP, port: 80 }
    - { name: shop, protocol: HTTP, port: 80, hostname: "*.example.com" }
`,
  route(
    "entrance",
    "{ name: public }",
    "- backendRefs: [{ name: b, port: 80 }]",
    "\n  hostnames: [shop.example.com]",
  ),
  route("any", "{ name: public, sectionName: any }", "- backendRefs: [{ name: a, port: 80 }]"),
];

/** What a backend says: its name and the path that it was asked for. */
const backend = (name: string) => ({
  fetch: (request: Request) => new Response(`${name} ${new URL(request.url).pathname}`),
});

let mesh: TestMesh;
beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      a: backend("a"),
      b: backend("b"),
      c: backend("c"),
      vault: backend("vault"),
    },
    policies,
  });
});
afterAll(() => mesh.dispose());

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What explain says, in the words in which the mesh answers. */
async function told(url: string, { method = "GET", headers = {} }: Asked, from: string | undefined) {
  const response = await mesh.api("/api/explain", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...(from === undefined ? {} : { from }),
      method,
      url,
      headers: Object.entries(headers).map(([name, value]) => ({ name, value })),
    }),
  });
  const answer = (await response.json()) as ExplainAnswer;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

function endOf({ endings, backends }: ExplainAnswer): string {
  expect(endings).toHaveLength(1);
  const [{ fate, service } = { fate: undefined, service: undefined }] = endings;
  switch (fate?.kind) {
    case "reached": {
      const { pathname } = new URL(backends[0]?.url ?? "");
      return `${service?.replace("default/", "")} ${pathname}`;
    }
    case "answered":
      return fate.location === undefined ? `${fate.status}` : `${fate.status} ${fate.location}`;
    case "refused":
      return `${fate.status} ${fate.problem}`;
    default:
      return "nothing";
  }
}

/** What really happens, in the same words. */
async function happens(send: () => Promise<Response>): Promise<string> {
  const response = await send();
  if (response.status === 200) return response.text();
  const location = response.headers.get("location");
  if (location !== null) return `${response.status} ${location}`;
  const { status } = response;
  const kind = await word(response);
  return kind === `${status}` ? kind : `${status} ${kind}`;
}

/** The rules under which the requests of a test were counted. */
async function countedRules(destination: string): Promise<ReadonlyMap<string, number>> {
  const { edges } = await mesh.signals();
  const counts = new Map<string, number>();
  for (const edge of edges)
    if (edge.perspective === "effective" && edge.destination === destination)
      counts.set(edge.route, (counts.get(edge.route) ?? 0) + edge.count);
  return counts;
}

const calls: readonly (readonly [url: string, asked: Asked])[] = [
  ["http://shop/", {}],
  ["http://shop/charge", {}],
  ["http://shop/charge/refund", { method: "POST" }],
  ["http://shop/chargeback", { method: "POST" }],
  ["http://shop/charge", { method: "POST", headers: { "x-tenant": "b" } }],
  ["http://shop/charge", { headers: { "x-tenant": "b" } }],
  ["http://shop/charge", { headers: { "x-tenant": "a" } }],
  ["http://shop/charge?v=2", {}],
  ["http://shop/charge?v=2", { headers: { "x-tenant": "b" } }],
  ["http://shop/goods/17", {}],
  ["http://shop/goods/17/photo", {}],
  ["http://shop/old/things?x=1", {}],
  ["http://shop/deep/down", {}],
  ["http://shop/shared", { method: "PUT", headers: { origin: "https://a.example" } }],
  [
    "http://shop/shared",
    { method: "OPTIONS", headers: { origin: "https://b.example", "access-control-request-method": "PUT" } },
  ],
  ["http://shop/nobody", {}],
  ["http://shop/locked", {}],
  ["http://shop/virtual", {}],
  ["http://narrow/one", {}],
  ["http://narrow/two", {}],
  ["http://a/anything", {}],
  ["http://vault/gold", {}],
];

describe("what explain says of a call is what then happens", () => {
  test.each(calls)("%s %j", async (url, asked) => {
    const answer = await told(url, asked, "web");
    const destination = `default/${new URL(url).hostname}`;
    const before = await countedRules(destination);
    const real = await happens(() => mesh.from("web").fetch(url, { ...asked, redirect: "manual" }));
    expect(endOf(answer)).toBe(real);

    const after = await countedRules(destination);
    const under = [...after].filter(([rule, count]) => count > (before.get(rule) ?? 0)).map(([rule]) => rule);
    expect(under).toEqual([answer.rule ?? ""]);
  });

  test.each(["http://shop.example.com/x", "http://other.example.com/x", "http://elsewhere.example/x"])(
    "%s from outside",
    async (url) => {
      const answer = await told(url, {}, undefined);
      expect(endOf(answer)).toBe(await happens(() => mesh.fetch(url)));
    },
  );
});

describe("tulle", () => {
  const run = (...words: string[]) =>
    tulle(words, { env: { TULLE_URL: mesh.operator.url, TULLE_TOKEN: mesh.operator.token } });

  test("explain shows it to an operator, and its exit code to a script", async () => {
    const reached = await run(
      "explain",
      "--from",
      "web",
      "http://shop/charge",
      "-X",
      "POST",
      "-H",
      "x-tenant: a",
    );
    expect(reached, reached.stderr).toMatchObject({ code: 0 });
    expect(reached.stdout).toContain("100% reaches default/b\n");
    expect(reached.stdout).toContain("header x-tenant must be b, is a");
    expect(reached.stdout).toMatch(/access +allowed by AuthorizationPolicy\/default\/open-a\/0/);
    const refused = await run("explain", "--from", "web", "http://vault/");
    expect(refused).toMatchObject({ code: 6 });
    expect(refused.stdout).toContain("refused 403 denied default/vault: default: no ALLOW rule matched");
  });

  test("routes counts each rule's requests, and those that no rule took", async () => {
    await mesh.settle();
    const listed = await run("routes", "shop", "--window", "5m", "-o", "json");
    const { views } = JSON.parse(listed.stdout) as RoutesAnswer;
    const counts = await countedRules("default/shop");
    for (const { rule, traffic } of views[0]?.rules ?? []) expect(traffic?.requests).toBe(counts.get(rule));
    expect(views[0]?.rules.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const narrow = await run("routes", "narrow", "--window", "5m");
    expect(narrow.stdout).toContain("HTTPRoute/default/narrow/0");
    expect(narrow.stderr).toContain("matched no rule");
  });
});
