import type { ExplainAnswer } from "@tulle/control/api/contract.ts";
import { defaultCircuit } from "@tulle/mesh-runtime/policy/defaults.ts";
import { describe, expect, test } from "vitest";
import { startStandIn } from "./stand-in.ts";
import { tulleAt } from "./tulle.ts";

const endpoint: ExplainAnswer["backends"][number]["endpoints"][number] = {
  name: "PAYMENTS_V1",
  weight: 1,
  priority: 0,
  address: "binding PAYMENTS_V1",
  evidence: "signature",
  proof: "signature",
  access: { allowed: true, rule: "AuthorizationPolicy/default/payments/0" },
};

const anything = { path: { type: "PathPrefix", value: "/" }, headers: [], query: [] } as const;

const answer: ExplainAnswer = {
  epoch: 41,
  caller: { service: "default/web", spiffeId: "spiffe://shop.example/ns/default/sa/web" },
  method: "POST",
  url: "http://payments/charge",
  addressed: {
    kind: "service",
    service: "default/payments",
    host: "payments",
    port: 80,
    routes: "producer",
  },
  rule: "HTTPRoute/default/payments/charge",
  candidates: [
    {
      rank: 1,
      rule: "HTTPRoute/default/payments/refund",
      conditions: anything,
      match: "prefix /charge/refund, x-tenant: b",
      fate: {
        kind: "no match",
        unmet: [
          { on: "path", text: "path /charge/refund is no prefix of /charge" },
          { on: "header", name: "x-tenant", text: "header x-tenant must be b, is a" },
        ],
      },
    },
    {
      rank: 2,
      rule: "HTTPRoute/default/payments/charge",
      conditions: anything,
      match: "prefix /charge, POST",
      fate: { kind: "wins" },
    },
    {
      rank: 3,
      rule: "HTTPRoute/default/payments/rest",
      conditions: anything,
      match: "prefix /",
      fate: { kind: "lower precedence", because: "longer path", text: "lower precedence: shorter prefix" },
    },
  ],
  omitted: 7,
  filters: [
    { type: "URLRewrite", text: "makes it http://payments/v2/charge", url: "http://payments/v2/charge" },
  ],
  backends: [
    {
      service: "default/payments-v1",
      weight: 9,
      share: 0.9,
      filters: [],
      url: "http://payments/v2/charge",
      endpoints: [endpoint],
      circuit: { policy: defaultCircuit, seen: { state: "closed", sinceMs: 120_000 } },
      maxInFlight: 20,
      ending: { kind: "reached" },
    },
    {
      service: "default/gone",
      weight: 1,
      share: 0.1,
      unusable: "BackendNotFound",
      filters: [],
      url: "http://payments/v2/charge",
      endpoints: [],
      ending: {
        kind: "refused",
        status: 500,
        problem: "no-backend",
        detail: "default/gone cannot be used: BackendNotFound",
      },
    },
  ],
  limits: {
    requestTimeoutMs: { value: 2_000, from: "route" },
    tryTimeoutMs: { value: 0, from: "backends" },
    retry: {
      attempts: { value: 2, from: "route" },
      codes: { value: [503], from: "route" },
      budget: { ratio: 0.2, reservePerSecond: 10 },
      afterAnswer: {
        retried: false,
        reason: "it may have been processed, and the method is not idempotent",
      },
      backoffBaseMs: 25,
      backoffMaxMs: 250,
    },
    maxInFlight: 1_024,
  },
  session: { type: "Cookie", name: "cart", lifetime: "Session" },
  endings: [
    { share: 0.9, service: "default/payments-v1", fate: { kind: "reached" } },
    {
      share: 0.1,
      service: "default/gone",
      fate: {
        kind: "refused",
        status: 500,
        problem: "no-backend",
        detail: "default/gone cannot be used: BackendNotFound",
      },
    },
  ],
  served: 0.9,
  notes: ["something to know"],
};

const words = ["explain", "--from", "web", "http://payments/charge", "-X", "POST", "-H", "X-Tenant: a"];

describe("tulle explain", () => {
  test("says how it ends first, and then everything that decides", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/explain", answer);
    const ended = await tulleAt(standIn, words);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toBe(
      `
POST http://payments/charge as default/web
   90% reaches default/payments-v1
   10% refused 500 no-backend default/gone: default/gone cannot be used: BackendNotFound
  note: something to know

  means    service default/payments (host payments, port 80); the routes of its own namespace hold
  rule     HTTPRoute/default/payments/charge, by prefix /charge, POST
  session  cookie cart keeps a session at one backend and endpoint, until the browser is closed

Matches, in order of precedence
RANK   RULE                                MATCH                                WHY
   1   HTTPRoute/default/payments/refund   prefix /charge/refund, x-tenant: b   path /charge/refund is no prefix of /charge
                                                                                header x-tenant must be b, is a
   2   HTTPRoute/default/payments/charge   prefix /charge, POST                 wins
   3   HTTPRoute/default/payments/rest     prefix /                             lower precedence: shorter prefix
… and 7 more, further from winning

Filters, in order
  1. URLRewrite: makes it http://payments/v2/charge

Backends
default/payments-v1  90% (weight 9)
  asked for  http://payments/v2/charge
  endpoint   binding PAYMENTS_V1
  evidence   signature is demanded, the caller proves each try by its own key
  access     allowed by AuthorizationPolicy/default/payments/0
  circuit    closed for 2 min; opens at 5 failures in a row over 500 ms, or at 50% failures of at least 20 within 10 s
default/gone  10% (weight 1)
  unusable  BackendNotFound; its share is answered 500 and goes to no other

What bounds it
  timeout    2 s for all tries (the route)
  each try   none (the backends' policies)
  retries    up to 2 (the route) of what was not delivered
             not after an answer: it may have been processed, and the method is not idempotent
             pauses up to 25 ms, growing to 250 ms
  budget     20% of the requests may be retries, and 10 a second of this rule in any case
  in flight  1024 requests at once from one isolate
             default/payments-v1: 20 of them, whichever route leads there
`.trimStart(),
    );
    expect(standIn.received[0]?.body).toEqual({
      from: "default/web",
      method: "POST",
      url: "http://payments/charge",
      headers: [{ name: "x-tenant", value: "a" }],
    });
  });

  test("exits with 6 where nothing would be reached, and prints the answer all the same", async () => {
    await using standIn = await startStandIn();
    const { rule: _, limits: __, ...rest } = answer;
    const fate = {
      kind: "refused",
      status: 404,
      problem: "no-route",
      detail: "no rule of default/payments matches",
    } as const;
    standIn.answer("POST /api/explain", { ...rest, backends: [], endings: [{ share: 1, fate }], served: 0 });
    const ended = await tulleAt(standIn, words);
    expect(ended.code).toBe(6);
    expect(ended.stdout).toContain("100% refused 404 no-route: no rule of default/payments matches\n");
    expect(ended.stdout).toContain("  rule     none\n");
    const json = await tulleAt(standIn, [...words, "-o", "json"]);
    expect(json.code).toBe(6);
    expect(JSON.parse(json.stdout)).toMatchObject({ served: 0, epoch: 41 });
  });

  test("of a redirect says where it leads, and exits with 0", async () => {
    await using standIn = await startStandIn();
    const fate = {
      kind: "answered",
      status: 301,
      location: "https://other.example.com/",
      by: "a filter of r",
    } as const;
    standIn.answer("POST /api/explain", {
      ...answer,
      backends: [],
      endings: [{ share: 1, fate }],
      served: 1,
    });
    const ended = await tulleAt(standIn, words);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain("answered 301, Location https://other.example.com/ (a filter of r)");
  });

  test("shows each of several endpoints, and how one is chosen", async () => {
    await using standIn = await startStandIn();
    const [backend] = answer.backends;
    if (backend === undefined) throw new Error("the answer has a backend");
    const there: typeof endpoint = {
      ...endpoint,
      name: "there",
      address: "https://there.example",
      priority: 1,
      locality: { region: "weur", zone: "FRA" },
      spiffeId: "spiffe://shop.example/ns/default/sa/there",
      access: { allowed: false, rule: "default: no ALLOW rule matched" },
    };
    standIn.answer("POST /api/explain", {
      ...answer,
      replay: "strict",
      backends: [
        {
          ...backend,
          endpoints: [
            { ...endpoint, replay: "strict", responses: "signed", sessionProofs: "refused" },
            there,
          ],
          balancing: "LeastRequest",
        },
      ],
    });
    const { stdout } = await tulleAt(standIn, words);
    expect(stdout).toContain(
      `
  endpoint   PAYMENTS_V1: binding PAYMENTS_V1, weight 1
  endpoint   there: https://there.example, weight 1, priority 1, in weur/FRA, answered by spiffe://shop.example/ns/default/sa/there
  balancing  LeastRequest
  evidence   signature is demanded, the caller signs each try, which is let in once in the whole mesh; the answer must be signed
  evidence   signature is demanded, the caller proves each try by its own key
  access     PAYMENTS_V1: allowed by AuthorizationPolicy/default/payments/0
  access     there: denied by default: no ALLOW rule matched
`,
    );
    expect(stdout).toMatch(/^ *replay +strict: signed, it is let in once in the whole mesh$/m);
  });

  test("asks for a request from outside without --from, by the gateway that --via names", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/explain", {
      ...answer,
      caller: { service: "default/gateway", spiffeId: "" },
      addressed: {
        kind: "listener",
        listener: "default/public/shop",
        protocol: "HTTP",
        port: 80,
        hostname: "*.example.com",
        bound: "shop.example.com",
      },
    });
    const ended = await tulleAt(standIn, ["explain", "shop.example.com/buy", "--via", "public/shop"]);
    expect(standIn.received[0]?.body).toEqual({
      via: "public/shop",
      method: "GET",
      url: "http://shop.example.com/buy",
      headers: [],
    });
    expect(ended.stdout).toContain("from outside, by default/gateway\n");
    expect(ended.stdout).toContain(
      "means    listener default/public/shop (HTTP 80, *.example.com, routes bound to shop.example.com)\n",
    );
  });

  test.each([
    ["no URL", ["explain"], ""],
    ["what is no URL", ["explain", "http://"], "is not a URL"],
    ["a header without a colon", ["explain", "http://a/", "-H", "Bearer hidden"], "must be like"],
    ["two senders", ["explain", "http://a/", "--from", "web", "--via", "public"], "exclude each other"],
    ["a namespace of nobody", ["explain", "http://a/", "-n", "shop"], "--from"],
  ])("exits with 2 for %s", async (_what, given, message) => {
    await using standIn = await startStandIn();
    const ended = await tulleAt(standIn, given);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).not.toContain("hidden");
    expect(standIn.received).toEqual([]);
  });

  test("exits with 1 for a sender that does not exist, and says who is meant", async () => {
    await using standIn = await startStandIn();
    standIn.problem(
      "POST /api/explain",
      404,
      "There is no such thing",
      'There is no service wbe; did you mean "web"?',
    );
    const ended = await tulleAt(standIn, words);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toContain('did you mean "web"?');
  });
});
