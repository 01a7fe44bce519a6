import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { sharesOf } from "../../../mesh-runtime/policy/effective-rules.ts";
import { explainCall, explainEntry } from "../../../mesh-runtime/policy/explain.ts";
import { mostCandidates } from "../../../mesh-runtime/policy/explain-match.ts";
import type { Candidate, Explanation, Surroundings } from "../../../mesh-runtime/policy/explanation.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import type { Loaded, LoadedDestination } from "../../../mesh-runtime/policy/loaded.ts";
import { destinationTable } from "../../../mesh-runtime/policy/port-table.ts";
import { pathMatches } from "../../../mesh-runtime/routing/path-match.ts";
import { advantage, compareMatches, inPrecedence } from "../../../mesh-runtime/routing/precedence.ts";
import { routeMatches } from "../../../mesh-runtime/routing/route-match.ts";
import { sessionHeader } from "../../../mesh-runtime/routing/session.ts";
import { split } from "../../../mesh-runtime/routing/split.ts";
import type { RouteMatch, Rule } from "../../../mesh-runtime/routing/words.ts";
import { anyRequest, anyRules, crowdedRequest, crowdedRules } from "../routing/any.ts";
import { backend, match, named, prefix, type request, rule } from "../routing/examples.ts";
import { documents, entry, gateway, policy, route, service } from "./writing.ts";

/** A mesh in which a request can end in every way. */
const texts = [
  service("web"),
  service("shop", "{virtual: true}"),
  service("v1"),
  service("v2", "{evidence: binding}"),
  service("alone"),
  service("empty", "{virtual: true}"),
  service("gateway"),
  service("teller", "{}", "money"),
  service("billing", "{virtual: true}", "money"),
  policy(
    "AuthorizationPolicy",
    "web-may",
    "{targetRefs: [{kind: Service, name: v1}, {kind: Service, name: v2}], rules: [{from: [{source: {principals: [mesh.local/ns/default/sa/web]}}]}]}",
  ),
  policy(
    "AuthorizationPolicy",
    "no-deleting",
    "{action: DENY, targetRefs: [{kind: Service, name: v2}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}",
  ),
  route(
    "shop",
    "name: shop",
    `[
      {name: charge, matches: [{path: {value: /charge}, method: POST}], timeouts: {request: 2s}, retry: {codes: [503], attempts: 2}, backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]},
      {name: refund, matches: [{path: {value: /charge/refund}, headers: [{name: X-Tenant, value: b}]}], backendRefs: [{name: v1, port: 80}]},
      {name: move, matches: [{path: {value: /old}}], filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}, statusCode: 301}}]},
      {name: change, matches: [{path: {value: /change}}], filters: [
        {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: "1"}], remove: [X-B]}},
        {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2}}},
        {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: X-C, value: "3"}]}}],
        backendRefs: [{name: v1, port: 80}]},
      {name: nobody, matches: [{path: {value: /nobody}}]},
      {name: half, matches: [{path: {value: /half}}], backendRefs: [{name: v1, port: 80}, {name: empty, port: 80}]},
      {name: off, matches: [{path: {value: /off}}], backendRefs: [{name: v1, port: 80, weight: 0}]}
    ]`,
  ),
  route("billing", "name: billing", "[{backendRefs: [{name: teller, port: 80}]}]", "money"),
  gateway(
    "public",
    'listeners: [{name: http, port: 80, protocol: HTTP}, {name: shop, port: 80, protocol: HTTP, hostname: "*.example.com"}]',
  ),
  entry(
    "entrance",
    "hostnames: [shop.example.com], parentRefs: [{name: public}], rules: [{matches: [{path: {value: /buy}}], backendRefs: [{name: v1, port: 80}]}]",
  ),
];
const snapshots = compile(documents(...texts));

async function loadedAs(key: string): Promise<Loaded> {
  const text = canonicalJson(snapshots.get(key));
  const result = await load(text, { epoch: 7, digest: await digestOf(text) }, key);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

const now = Date.UTC(2026, 10, 23);
const surroundings: Surroundings = {
  now,
  access: (spiffeId) => {
    const inbound = [...snapshots.values()].find((one) => one.spiffeId === spiffeId)?.inbound;
    return inbound && { mode: inbound.mode, rules: inbound.authorization };
  },
  circuit: () => undefined,
};

interface Asking {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly circuits?: Readonly<Record<string, string>>;
}

const question = (url: string, { method = "GET", headers = {} }: Asking = {}) => ({
  url: new URL(url),
  method,
  headers: new Fields(new Headers(headers)),
});

let web: Loaded;
let gatewayWorker: Loaded;
beforeAll(async () => {
  [web, gatewayWorker] = await Promise.all([loadedAs("default/web"), loadedAs("default/gateway")]);
});

/** What becomes of a request of `web`. */
function asWeb(url: string, asking: Asking = {}): Explanation {
  const asked = question(url, asking);
  const destination = web.destinationByHost(asked.url.hostname);
  if (destination === undefined) throw new Error(`${url} is no service`);
  const { circuits = {} } = asking;
  const circuit: Surroundings["circuit"] = (key) =>
    circuits[key] === undefined ? undefined : { state: circuits[key], sinceMs: 5_000 };
  return explainCall(web, destination, asked, { ...surroundings, circuit });
}

function fromOutside(url: string): Explanation {
  const asked = question(url);
  const target = gatewayWorker.listenerFor(asked.url.hostname, 80);
  if (target === undefined) throw new Error(`${url} is let in by nobody`);
  return explainEntry(gatewayWorker, target, asked, surroundings);
}

const fateOf = ({ candidates }: Explanation, name: string): Candidate["fate"] | undefined =>
  candidates.find((one) => one.rule.endsWith(`/${name}`))?.fate;

/** The endings in a line each. */
const endings = (answer: Explanation): readonly string[] =>
  answer.endings.map(({ share, service: at, fate }) => {
    const end =
      fate.kind === "refused"
        ? `${fate.status} ${fate.problem}: ${fate.detail}`
        : fate.kind === "answered"
          ? `${fate.status} ${fate.location}`
          : "reached";
    return `${share} ${at ?? "-"} ${end}`;
  });

describe("the rule that wins", () => {
  test("is told with why the others did not", () => {
    const answer = asWeb("http://shop/charge/refund", { method: "POST", headers: { "x-tenant": "a" } });
    expect(answer.rule).toBe("HTTPRoute/default/shop/charge");
    expect(fateOf(answer, "charge")).toEqual({ kind: "wins" });
    expect(fateOf(answer, "refund")).toEqual({
      kind: "no match",
      unmet: [{ on: "header", name: "x-tenant", text: "header x-tenant must be b, is a" }],
    });
    expect(fateOf(answer, "move")).toMatchObject({
      unmet: [{ on: "path", text: "path /old is no prefix of /charge/refund" }],
    });
    expect(answer.candidates.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("is behind none that holds: the other is told to be of lower precedence, and in what", () => {
    const answer = asWeb("http://shop/charge/refund", { method: "POST", headers: { "x-tenant": "b" } });
    expect(answer.rule).toBe("HTTPRoute/default/shop/refund");
    expect(fateOf(answer, "charge")).toEqual({
      kind: "lower precedence",
      because: "longer path",
      text: "lower precedence: shorter prefix",
    });
  });

  test("may be none: every match then says what it lacks", () => {
    const answer = asWeb("http://shop/charge");
    expect(answer.rule).toBeUndefined();
    expect(fateOf(answer, "charge")).toMatchObject({
      unmet: [{ on: "method", text: "method must be POST, is GET" }],
    });
    expect(endings(answer)).toEqual(["1 - 404 no-route: no rule of default/shop matches"]);
    expect(answer.served).toBe(0);
  });

  test("is the default one of a service without routes", () => {
    const answer = asWeb("http://v1/x");
    expect(answer).toMatchObject({ rule: "default", candidates: [], addressed: { routes: "none" } });
    expect(endings(answer)).toEqual(["1 default/v1 reached"]);
  });

  test("repeats no credential of the request", () => {
    const rules = [rule("secret", [match(prefix("/"), { headers: named({ authorization: "Bearer a" }) })])];
    const answer = atService(rules, question("http://shop/", { headers: { authorization: "Bearer mine" } }));
    expect(JSON.stringify(answer)).not.toContain("mine");
    expect(answer.candidates[0]?.fate).toMatchObject({
      unmet: [{ text: "header authorization must be Bearer a, is another one" }],
    });
  });
});

/** A service whose rules are these, as `web` asks it. */
function atService(rules: readonly Rule[], asked: ReturnType<typeof question>): Explanation {
  const shop = web.destination("default/shop");
  if (shop === undefined) throw new Error("there is no shop");
  const settings = { ...shop.settings, rules };
  const table = destinationTable(settings);
  const destination: LoadedDestination = { ...shop, settings, ...(table === undefined ? {} : { table }) };
  return explainCall(web, destination, asked, surroundings);
}

describe("for any rules and any request", () => {
  const asFields = (asked: ReturnType<typeof request>) => ({ ...asked, headers: new Fields(asked.headers) });

  function holdsTrue(rules: readonly Rule[], drawn: ReturnType<typeof request>): void {
    const asked = asFields(drawn);
    const answer = atService(rules, asked);
    const all = inPrecedence(rules);
    const settings = { ...web.destination("default/shop")?.settings, rules } as LoadedDestination["settings"];
    const found = destinationTable(settings)?.find(asked);

    expect(answer.rule).toBe(found?.rule.name);
    expect(answer.candidates.length + answer.omitted).toBe(all.length);
    expect(answer.candidates.length).toBe(Math.min(all.length, mostCandidates));
    expect(answer.candidates.filter(({ fate }) => fate.kind === "wins")).toHaveLength(found ? 1 : 0);
    for (const { rank, rule: name, fate } of answer.candidates) {
      const matched = all[rank - 1];
      if (matched === undefined) throw new Error("a rank that does not exist");
      expect(name).toBe(matched.rule.name);
      switch (fate.kind) {
        case "wins":
          expect(matched.match).toBe(found?.match);
          break;
        case "lower precedence":
          if (found === undefined) throw new Error("behind nothing");
          expect(routeMatches(matched.match, asked)).toBe(true);
          expect(compareMatches(found.match, matched.match)).toBeLessThanOrEqual(0);
          expect(all.indexOf(matched)).toBeGreaterThan(all.findIndex((each) => each.match === found.match));
          expect(fate.because).toBe(advantage(found.match, matched.match));
          break;
        case "no match":
          expect(routeMatches(matched.match, asked)).toBe(false);
          expect(fate.unmet.map(({ on, name: of }) => `${on} ${of ?? ""}`)).toEqual(
            lacking(matched.match, asked),
          );
          expect(fate.unmet.length).toBeGreaterThan(0);
      }
    }
  }

  test("the winner is the table's, and each loser's reason is true", () => {
    fc.assert(fc.property(anyRules, anyRequest, holdsTrue), { seed: 22, numRuns: 400 });
  });

  test("also where many rules share a path and several hold", () => {
    fc.assert(fc.property(crowdedRules, crowdedRequest, holdsTrue), { seed: 22, numRuns: 200 });
  });

  /** Each condition asked by itself, as a match that demands nothing else. */
  function lacking({ path, method, headers, query }: RouteMatch, asked: ReturnType<typeof asFields>) {
    const nothing: RouteMatch = { path: prefix("/"), headers: [], query: [] };
    const opaque = { ...asked, url: new URL(`http://shop.example.com/${asked.url.search}`) };
    const lacks = (more: Partial<RouteMatch>) => !routeMatches({ ...nothing, ...more }, opaque);
    const firsts = <Each extends { readonly name: string }>(all: readonly Each[]) =>
      all.filter((each, at) => all.findIndex(({ name }) => name === each.name) === at);
    return [
      ...(pathMatches(path, asked.url.pathname) ? [] : ["path "]),
      ...(method !== undefined && lacks({ method }) ? ["method "] : []),
      ...firsts(headers).flatMap((one) => (lacks({ headers: [one] }) ? [`header ${one.name}`] : [])),
      ...firsts(query).flatMap((one) => (lacks({ query: [one] }) ? [`query ${one.name}`] : [])),
    ];
  }

  test("the shares of backends are those by which requests are split", () => {
    const weights = fc.array(fc.nat(20), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(weights, (drawn) => {
        const backends = drawn.map((weight, at) => backend(`shop/b${at}`, { weight }));
        const sum = drawn.reduce((total, weight) => total + weight, 0);
        const points = Array.from({ length: sum }, (_, at) => (at + 0.5) / sum);
        const chosen = points.map((point) => split(backends, [], point));
        for (const [at, share] of sharesOf(backends).entries())
          expect(share * sum).toBeCloseTo(chosen.filter((one) => one === backends[at]).length, 6);
      }),
      { seed: 22, numRuns: 200 },
    );
  });
});

describe("filters", () => {
  test("are told in order, with what each makes of the request", () => {
    const answer = asWeb("http://shop/change/it?x=1", { headers: { "x-a": "0", "x-b": "2" } });
    expect(answer.filters).toEqual([
      { type: "RequestHeaderModifier", text: "sets x-a: 1 (was 0); removes x-b" },
      { type: "URLRewrite", text: "makes it http://shop/v2/it?x=1", url: "http://shop/v2/it?x=1" },
      { type: "ResponseHeaderModifier", text: "of the answer: adds x-c: 3" },
    ]);
    expect(answer.backends[0]?.url).toBe("http://shop/v2/it?x=1");
  });

  test("that redirect answer in place of a backend", () => {
    const answer = asWeb("http://shop/old/things?x=1");
    expect(endings(answer)).toEqual(["1 - 301 http://shop/new/things?x=1"]);
    expect(answer).toMatchObject({ served: 1, backends: [] });
  });

  test("answer a preflight, which falls under the rule of what it asks for", () => {
    const cors = {
      type: "CORS",
      allowOrigins: ["https://a.example"],
      allowCredentials: false,
      allowMethods: ["PUT"],
      allowHeaders: [],
      exposeHeaders: [],
      maxAgeSeconds: 5,
    } as const;
    const rules = [rule("put", [match(prefix("/"), { method: "PUT" })], { filters: [cors] })];
    const preflight = (origin: string) =>
      atService(
        rules,
        question("http://shop/", {
          method: "OPTIONS",
          headers: { origin, "access-control-request-method": "PUT" },
        }),
      );
    const allowed = preflight("https://a.example");
    expect(allowed.rule).toBe("put");
    expect(endings(allowed)).toEqual(["1 - 204 undefined"]);
    expect(allowed.filters[0]?.text).toContain("access-control-allow-methods: PUT");
    expect(allowed.notes[0]).toContain("preflight");
    expect(preflight("https://b.example").filters[0]?.text).toContain("https://b.example is not among");
  });

  test("that copy say where to, how much, or why not", () => {
    const mirror = { type: "RequestMirror", service: "default/v2", numerator: 1, denominator: 4 } as const;
    const rules = [
      rule("copied", [match(prefix("/"))], {
        filters: [mirror, { ...mirror, service: "default/gone", unusable: "BackendNotFound" }],
      }),
    ];
    expect(atService(rules, question("http://shop/")).filters.map(({ text }) => text)).toEqual([
      "a copy of 25% of the requests goes to default/v2 too; its answer is ignored",
      "copies nothing to default/gone: BackendNotFound",
    ]);
  });
});

describe("access", () => {
  const watched = (more: readonly string[]) => compile(documents(...texts, ...more));
  const rules = [
    policy(
      "AuthorizationPolicy",
      "only-team-a",
      '{targetRefs: [{kind: Service, name: alone}], rules: [{from: [{source: {principals: ["*"], notNamespaces: [x]}}], to: [{operation: {methods: [GET], paths: ["/a*", "/{*}/b"]}}], when: [{key: "request.headers[X-Team]", values: [a]}]}]}',
    ),
    policy(
      "AuthorizationPolicy",
      "watch",
      "{action: AUDIT, targetRefs: [{kind: Service, name: alone}], rules: [{to: [{operation: {paths: [/a/secret]}}]}]}",
    ),
    '{apiVersion: mesh.tulle.dev/v1, kind: AuthorizationPolicy, metadata: {name: trial, annotations: {istio.io/dry-run: "true"}}, spec: {action: DENY, targetRefs: [{kind: Service, name: alone}], rules: [{}]}}',
    policy(
      "AuthorizationPolicy",
      "outside",
      '{action: DENY, targetRefs: [{kind: Service, name: gateway}], rules: [{from: [{source: {ipBlocks: [192.0.2.0/24]}}], to: [{operation: {hosts: ["*.example.com"]}}]}]}',
    ),
  ];

  async function asked(from: string, url: string, headers: HeadersInit = {}): Promise<Explanation> {
    const all = watched(rules);
    const text = canonicalJson(all.get(from));
    const result = await load(text, { epoch: 7, digest: await digestOf(text) }, from);
    if (!result.ok) throw new Error(result.reason);
    const question = { url: new URL(url), method: "GET", headers: new Fields(new Headers(headers)) };
    const around: Surroundings = {
      ...surroundings,
      access: (spiffeId) => {
        const inbound = [...all.values()].find((one) => one.spiffeId === spiffeId)?.inbound;
        return inbound && { mode: inbound.mode, rules: inbound.authorization };
      },
    };
    const { hostname } = question.url;
    const destination = result.value.destinationByHost(hostname);
    const listener = result.value.listenerFor(hostname, 80);
    if (from !== "default/gateway" && destination !== undefined)
      return explainCall(result.value, destination, question, around);
    if (listener === undefined) throw new Error(`nobody is ${hostname}`);
    return explainEntry(result.value, listener, question, around);
  }

  test("is told with all that the deciding rule asks for, and what audits and dry runs say", async () => {
    const answer = await asked("default/web", "http://alone/a/secret", { "x-team": "a" });
    expect(answer.backends[0]?.endpoints[0]).toMatchObject({
      access: {
        allowed: true,
        rule: "AuthorizationPolicy/default/only-team-a/0",
        audited: "AuthorizationPolicy/default/watch/0",
        dryRun: { allowed: false, rule: "AuthorizationPolicy/default/trial/0" },
      },
      because: "from * and not namespace x; GET and /a*, /{*}/b; header x-team is a",
    });
    expect(answer.notes).toEqual([
      "At default/alone: It is marked in the access log, by AuthorizationPolicy/default/watch/0.",
      "At default/alone: With the rules on a dry run it would be denied: AuthorizationPolicy/default/trial/0.",
    ]);
  });

  test("depends on the headers that are told", async () => {
    const answer = await asked("default/web", "http://alone/a", { "x-team": "b" });
    expect(endings(answer)).toEqual(["1 default/alone 403 denied: default: no ALLOW rule matched"]);
  });

  test("at a gateway depends on the address", async () => {
    const at = (headers: HeadersInit) => asked("default/gateway", "http://shop.example.com/buy", headers);
    const out = await at({ "x-forwarded-for": "192.0.2.7" });
    expect(out.endings).toMatchObject([
      { share: 1, fate: { kind: "refused", status: 403, detail: "AuthorizationPolicy/default/outside/0" } },
    ]);
    expect([out.served, out.backends]).toEqual([0, []]);
    expect(out.notes).toEqual([
      "The gateway keeps it out: AuthorizationPolicy/default/outside/0 (from address 192.0.2.0/24; host *.example.com).",
    ]);
    const within = await at({ "x-forwarded-for": "198.51.100.7" });
    expect(within.notes).toEqual(["The gateway lets it in: default: no ALLOW rule."]);
    expect(within.backends).toHaveLength(1);
    expect((await at({})).notes).toContainEqual(expect.stringContaining("with the header cf-connecting-ip"));
  });
});

describe("backends", () => {
  test("have their shares, and the rule that lets the caller in", () => {
    const answer = asWeb("http://shop/charge", { method: "POST" });
    expect(endings(answer)).toEqual(["0.9 default/v1 reached", "0.1 default/v2 reached"]);
    expect(answer.served).toBe(1);
    expect(answer.backends).toMatchObject([
      {
        share: 0.9,
        endpoints: [
          {
            address: "binding V1",
            evidence: "signature",
            proof: "signature",
            access: { allowed: true, rule: "AuthorizationPolicy/default/web-may/0" },
          },
        ],
      },
      { share: 0.1, endpoints: [{ evidence: "binding", proof: "binding", access: { allowed: true } }] },
    ]);
  });

  test("that deny, or allow nobody, refuse by name", () => {
    expect(endings(asWeb("http://v2/", { method: "DELETE" }))).toEqual([
      "1 default/v2 403 denied: AuthorizationPolicy/default/no-deleting/0",
    ]);
    expect(endings(asWeb("http://alone/"))).toEqual([
      "1 default/alone 403 denied: default: no ALLOW rule matched",
    ]);
  });

  test("that cannot be used keep their share, and it is refused", () => {
    const answer = asWeb("http://shop/half");
    expect(endings(answer)).toEqual([
      "0.5 default/v1 reached",
      "0.5 default/empty 500 no-backend: default/empty cannot be used: VirtualBackend",
    ]);
    expect(answer.served).toBe(0.5);
  });

  test("may be none, or have no weight", () => {
    expect(endings(asWeb("http://shop/nobody"))).toEqual(["1 - 500 no-backend: the rule names no backend"]);
    expect(endings(asWeb("http://shop/off"))).toEqual([
      "1 - 500 no-backend: no backend of the rule has weight",
    ]);
    expect(endings(asWeb("http://empty/"))).toEqual([
      "1 default/empty 503 unreachable: default/empty has no endpoint: it only routes to others",
    ]);
  });

  test("behind an open circuit are not reached, and others take what falls to them", () => {
    const circuits = { "default/v1": "open", "default/v2": "closed" };
    const answer = asWeb("http://shop/charge", { method: "POST", circuits });
    expect(endings(answer)).toEqual([
      "0.9 default/v1 503 circuit-open: the circuit of default/v1 is open",
      "0.1 default/v2 reached",
    ]);
    expect(answer.notes[0]).toContain("goes to another backend");
    expect(answer.backends[0]?.circuit?.seen).toEqual({ state: "open", sinceMs: 5_000 });
  });
});

describe("limits", () => {
  test("come from the route, and from the destination for the rest", () => {
    const { limits } = asWeb("http://shop/charge", { method: "POST" });
    expect(limits).toMatchObject({
      requestTimeoutMs: { value: 2_000, from: "route" },
      tryTimeoutMs: { value: 0, from: "destination" },
      retry: { attempts: { value: 2, from: "route" }, codes: { value: [503], from: "route" } },
    });
  });

  test("say whether an answer would be tried again: not after a write, unless it carries a key", () => {
    const retried = (asking: Asking) => asWeb("http://shop/charge", asking).limits?.retry.afterAnswer;
    expect(retried({ method: "POST" })).toMatchObject({
      retried: false,
      reason: "it may have been processed, and the method is not idempotent",
    });
    expect(retried({ method: "POST", headers: { "idempotency-key": "1" } })).toEqual({
      retried: true,
      reason: "",
    });
  });
});

describe("a request from outside", () => {
  test("comes in at the listener with the most specific hostname, and falls under what is bound there", () => {
    const answer = fromOutside("http://shop.example.com/buy");
    expect(answer.addressed).toEqual({
      kind: "listener",
      listener: "default/public/shop",
      protocol: "HTTP",
      port: 80,
      hostname: "*.example.com",
      bound: "shop.example.com",
    });
    expect(answer.rule).toBe("HTTPRoute/default/entrance/0");
    expect(endings(answer)).toEqual(["1 default/v1 403 denied: default: no ALLOW rule matched"]);
  });

  test("is not found where nothing is bound to its host", () => {
    expect(endings(fromOutside("http://other.example.com/buy"))).toEqual([
      "1 - 404 no-route: no rule of default/public/shop matches",
    ]);
  });
});

describe("a session", () => {
  const session = {
    type: "Header",
    name: "x-session",
    lifetime: "Session",
    absoluteTimeoutMs: 60_000,
  } as const;
  const kept = rule("HTTPRoute/default/kept/0", [match(prefix("/"))], {
    backends: [backend("default/v1", { weight: 1 }), backend("default/v2", { weight: 0 })],
    session,
  });
  const saying = (since: number) => {
    const taken = { service: "default/v2", endpoint: "V2" };
    const { value } = sessionHeader(new Headers(), session, kept.name, taken, since, false);
    return atService([kept], question("http://shop/", { headers: { "x-session": value } }));
  };

  test("that is known takes the request where it was before, whatever the weights", () => {
    const answer = saying(now - 1_000);
    expect(answer).toMatchObject({ session, pinned: { service: "default/v2", endpoint: "V2" } });
    expect(endings(answer)).toEqual(["1 default/v2 reached"]);
  });

  test("that has ended does not", () => {
    const answer = saying(now - 60_000);
    expect(answer).not.toHaveProperty("pinned");
    expect(endings(answer)).toEqual(["1 default/v1 reached"]);
  });
});

describe("several endpoints", () => {
  const several = compile(
    documents(
      service("web"),
      service("here"),
      service("there"),
      service(
        "both",
        "{endpoints: [{service: here, weight: 3}, {service: there, priority: 1, locality: {region: weur}}]}",
      ),
      policy("AuthorizationPolicy", "here", "{targetRefs: [{kind: Service, name: here}], rules: [{}]}"),
      policy(
        "TrafficPolicy",
        "both",
        "{targetRefs: [{kind: Service, name: both}], loadBalancing: {algorithm: RingHash, hashOn: {header: X-User}}}",
      ),
    ),
  );

  test("are told each with who answers there and whether it lets the caller in, and how one is chosen", async () => {
    const text = canonicalJson(several.get("default/web"));
    const result = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/web");
    if (!result.ok) throw new Error(result.reason);
    const both = result.value.destination("default/both");
    if (both === undefined) throw new Error("there is no service with two endpoints");
    const answer = explainCall(result.value, both, question("http://both/"), {
      ...surroundings,
      access: (spiffeId) => {
        const inbound = [...several.values()].find((one) => one.spiffeId === spiffeId)?.inbound;
        return inbound && { mode: inbound.mode, rules: inbound.authorization };
      },
    });
    expect(answer.backends).toMatchObject([
      {
        balancing: "RingHash by the header x-user, the nearest first",
        endpoints: [
          {
            name: "here",
            weight: 3,
            spiffeId: "spiffe://mesh.local/ns/default/sa/here",
            access: { allowed: true, rule: "AuthorizationPolicy/default/here/0" },
          },
          { name: "there", priority: 1, locality: { region: "weur" }, access: { allowed: false } },
        ],
      },
    ]);
    expect(endings(answer)).toEqual(["1 default/both reached"]);
    expect(answer.notes).toEqual(["Of default/both, there would not let the caller in."]);
  });
});

test("the ports that routes name have rules of their own, and the rest falls to the service", () => {
  const rules = (name: string) => [rule(name, [match(prefix("/"))], { backends: [backend("default/v1")] })];
  const shop = web.destination("default/shop");
  if (shop === undefined) throw new Error("there is no shop");
  const { rules: _, ...others } = shop.settings;
  const settings = { ...others, portRules: { "8080": rules("HTTPRoute/default/a/0") } };
  const table = destinationTable(settings);
  const destination: LoadedDestination = { ...shop, settings, ...(table === undefined ? {} : { table }) };
  const at = (url: string) => explainCall(web, destination, question(url), surroundings);
  expect(at("http://shop:8080/").rule).toBe("HTTPRoute/default/a/0");
  expect(at("http://shop/")).toMatchObject({ rule: "default", addressed: { port: 80, routes: "none" } });
});

test("routes of another namespace are told to be those of the caller or of the owner", () => {
  expect(asWeb("http://billing.money/").addressed).toMatchObject({ routes: "producer" });
  const consumer = compile(
    documents(
      ...texts,
      route("mine", "name: billing, namespace: money", "[{backendRefs: [{name: v1, port: 80}]}]"),
    ),
  ).get("default/web")?.destinations["money/billing"];
  expect(consumer?.rules?.[0]?.name).toBe("HTTPRoute/default/mine/0");
});
