import type { RoutesAnswer } from "@tulle/control/api/contract.ts";
import { describe, expect, test } from "vitest";
import { startStandIn } from "./stand-in.ts";
import { tulleAt } from "./tulle.ts";

const traffic = {
  seenBy: "caller",
  requests: 600,
  requestsPerSecond: 10,
  successRate: 0.975,
  p50Ms: 12,
  p95Ms: 48.2,
  p99Ms: 60,
  refused: 0,
} as const;

const anything = { path: { type: "PathPrefix", value: "/" }, headers: [], query: [] } as const;

type Line = RoutesAnswer["views"][number]["rules"][number];

const line = (rank: number, rule: string, match: string, more: Partial<Line> = {}): Line => ({
  rank,
  rule: `HTTPRoute/default/payments/${rule}`,
  conditions: anything,
  match,
  filters: [],
  backends: [{ service: "default/v1", weight: 1, share: 1 }],
  ...more,
});

const answer: RoutesAnswer = {
  of: "default/payments",
  kind: "Service",
  windowMs: 60_000,
  views: [
    {
      routes: "producer",
      namespaces: ["default", "office"],
      omitted: 0,
      rules: [
        line(1, "charge", "exact /pay, POST", { filters: ["rewrite", "mirror default/v2"], traffic }),
        line(2, "charge", "prefix /charge", { traffic }),
        line(3, "rest", "prefix /", {
          backends: [
            { service: "default/v1", weight: 2, share: 2 / 3 },
            { service: "default/gone", weight: 1, share: 1 / 3, unusable: "BackendNotFound" },
          ],
        }),
      ],
    },
    {
      routes: "consumer",
      namespaces: ["money"],
      port: 8080,
      omitted: 2,
      rules: [line(1, "mine", "prefix /", { rule: "HTTPRoute/money/mine/0" })],
    },
  ],
  unrouted: { ...traffic, requestsPerSecond: 0.5 },
};

describe("tulle routes", () => {
  test("lists rules in order of precedence, each rule's traffic once, for each who has routes of its own", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/routes", answer);
    const ended = await tulleAt(standIn, ["routes", "payments"]);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toBe(
      `
default/payments: the routes of its own namespace, for callers of default, office
RANK   RULE                                MATCH              FILTERS             BACKENDS                               RPS   SUCCESS     P95
   1   HTTPRoute/default/payments/charge   exact /pay, POST   rewrite             default/v1 100%                       10.0     97.5%   48 ms
                                                              mirror default/v2
   2   HTTPRoute/default/payments/charge   prefix /charge     -                   default/v1 100%                          "         "       "
   3   HTTPRoute/default/payments/rest     prefix /           -                   default/v1 66.67%                      0.0         -       -
                                                                                  default/gone 33.33% BackendNotFound

default/payments, port 8080: the callers' own routes, for callers of money
RANK   RULE                     MATCH      FILTERS   BACKENDS          RPS   SUCCESS   P95
   1   HTTPRoute/money/mine/0   prefix /   -         default/v1 100%   0.0         -     -
… and 2 more
`.trimStart(),
    );
    expect(ended.stderr).toBe(
      "0.5 requests a second matched no rule in the last 60 s and were answered 404.\n",
    );
    expect(standIn.received[0]?.url.search).toBe("?service=default%2Fpayments&windowMs=60000");
  });

  test("tells below which match never decides, and that the other's route is older", async () => {
    await using standIn = await startStandIn();
    const because = "its route is younger: of revision 2, the other of revision 1";
    const behind = { rule: "HTTPRoute/default/old/0", because };
    const rules = [line(1, "charge", "prefix /"), line(2, "late", "prefix /", { behind })];
    standIn.answer("GET /api/routes", {
      ...answer,
      views: [{ routes: "producer", namespaces: [], omitted: 0, rules }],
    });
    const { stdout } = await tulleAt(standIn, ["routes", "payments"]);
    expect(stdout.split("\n").at(-2)).toBe(
      `2 never decides: HTTPRoute/default/payments/late has the match of HTTPRoute/default/old/0, but ${because}.`,
    );
  });

  test("keeps to the callers of one namespace, to a window, and prints control's answer as JSON", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/routes", answer);
    const words = ["routes", "payments", "--from-namespace", "money", "--window", "10s", "-o", "json"];
    const ended = await tulleAt(standIn, words);
    expect(JSON.parse(ended.stdout)).toEqual(answer);
    expect(standIn.received[0]?.url.search).toBe(
      "?service=default%2Fpayments&namespace=money&windowMs=10000",
    );
  });

  test("lists what is bound at each listener of a gateway", async () => {
    await using standIn = await startStandIn();
    const listener = { routes: "listener", namespaces: [], omitted: 0 } as const;
    standIn.answer("GET /api/routes", {
      of: "default/public",
      kind: "Gateway",
      windowMs: 60_000,
      views: [
        {
          ...listener,
          listener: "default/public/http",
          hostname: "shop.example",
          rules: [line(1, "r", "prefix /")],
        },
        { ...listener, listener: "default/public/idle", rules: [] },
      ],
    });
    const { stdout } = await tulleAt(standIn, ["routes", "--gateway", "public"]);
    expect(stdout).toContain("default/public/http, shop.example\nRANK");
    expect(stdout).toContain("default/public/idle, every host\nNo route is bound here");
    expect(standIn.received[0]?.url.search).toBe("?gateway=public&windowMs=60000");
  });

  test.each([
    ["neither service nor gateway", ["routes"]],
    ["both", ["routes", "web", "--gateway", "public"]],
    ["a namespace at a gateway", ["routes", "--gateway", "public", "--from-namespace", "money"]],
    ["a window that is none", ["routes", "web", "--window", "2h"]],
  ])("exits with 2 for %s", async (_what, words) => {
    await using standIn = await startStandIn();
    expect(await tulleAt(standIn, words)).toMatchObject({ code: 2, stdout: "" });
    expect(standIn.received).toEqual([]);
  });
});
