import type { ServicesAnswer, StatusAnswer } from "@tulle/control/api/contract.ts";
import { latencyBoundsMs } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import type { EdgeDelta, SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";
import { describe, expect, test } from "vitest";
import { operatorToken, startStandIn } from "./stand-in.ts";
import { tulleAt } from "./tulle.ts";

type Service = StatusAnswer["services"][number];

const web: Service = {
  service: "default/web",
  spiffeId: "spiffe://shop.example/ns/default/sa/web",
  state: "SYNCED",
  epoch: 41,
  isolates: 3,
  lastSeenMs: 1_200,
  virtual: false,
};
const virtual: Service = {
  ...web,
  service: "default/router",
  state: "NOT SEEN",
  epoch: 0,
  isolates: 0,
  virtual: true,
};
const status = (...services: Service[]): StatusAnswer => ({
  trustDomain: "shop.example",
  revision: 41,
  epoch: 41,
  time: "2026-11-23T10:00:00.000Z",
  services,
});

describe("tulle status", () => {
  test("names documents in force that this version of Tulle refuses, and fails for them if it is asked to", async () => {
    await using standIn = await startStandIn();
    const refused = [{ document: "HTTPRoute/default/r", issues: [], meanwhile: "It answers 500." }];
    standIn.answer("GET /api/status", { ...status(), refused });
    const ended = await tulleAt(standIn, ["status", "--exit-code"]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toBe(
      "REFUSED HTTPRoute/default/r: this version of Tulle refuses it. It answers 500. See tulle check.\n",
    );
    expect((await tulleAt(standIn, ["status"])).code).toBe(0);
  });

  test("shows which service runs which epoch", async () => {
    await using standIn = await startStandIn();
    const { lastSeenMs: _never, ...unseen } = web;
    standIn.answer(
      "GET /api/status",
      status(
        web,
        { ...web, service: "default/cart", state: "STALE", epoch: 40, isolates: 1, lastSeenMs: 90_000 },
        { ...unseen, service: "default/payments", state: "NOT SEEN", epoch: 0, isolates: 0 },
        virtual,
      ),
    );
    const ended = await tulleAt(standIn, ["status"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toBe(
      [
        "shop.example  revision 41  epoch 41",
        "SERVICE            STATE      EPOCH   ISOLATES   LAST REPORT",
        "default/web        SYNCED        41          3   1 s ago",
        "default/cart       STALE         40          1   2 min ago",
        "default/payments   NOT SEEN       -          0   never",
        "default/router     virtual        -          -   -",
        "",
      ].join("\n"),
    );
  });

  test.each([
    ["0 when all are synced, virtual services aside", [web, virtual], 0],
    ["1 when one is stale", [web, { ...web, state: "STALE" as const }], 1],
    ["1 when one was not seen", [{ ...web, state: "NOT SEEN" as const }], 1],
  ])("with --exit-code exits with %s", async (_what, services, code) => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/status", status(...services));
    expect(await tulleAt(standIn, ["status", "--exit-code", "-o", "json"])).toMatchObject({ code });
  });
});

describe("tulle check", () => {
  const fine = { name: "issuer key", result: "ok", detail: "1 active", remedy: "" } as const;
  const now = (offsetMs = 0) => new Date(Date.now() + offsetMs).toISOString();

  test("puts what only a client can see before control's own lines", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/check", { time: now(), checks: [fine] });
    const ended = await tulleAt(standIn, ["check"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout.split("\n").map((line) => line.replace(/: .*/, ""))).toEqual([
      "ok       control reachable",
      "ok       operator token",
      "ok       clock skew",
      "ok       issuer key",
      "Everything is in order.",
      "",
    ]);
    expect(ended.stdout).toContain("accepted (from TULLE_TOKEN)");
    expect(ended.stdout).not.toContain(operatorToken);
  });

  test("exits with 1 when a check failed, and says what to do; a warning alone is no failure", async () => {
    await using standIn = await startStandIn();
    const warning = { name: "kv", result: "warning", detail: "slow", remedy: "Wait." } as const;
    standIn.answer("GET /api/check", { time: now(), checks: [warning] });
    expect((await tulleAt(standIn, ["check"])).code).toBe(0);

    const failed = {
      name: "key secret",
      result: "failed",
      detail: "missing",
      remedy: "Set TULLE_KEY_SECRET.",
    } as const;
    standIn.answer("GET /api/check", { time: now(), checks: [fine, warning, failed] });
    const ended = await tulleAt(standIn, ["check"]);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain(
      "failed   key secret: missing\n         → Set TULLE_KEY_SECRET.\n1 failed, 1 warning.",
    );
  });

  test.each([
    ["20 s apart are a warning", 20_000, "warning", 0],
    ["10 min apart are a failure", -600_000, "failed", 1],
  ])("clocks that are %s", async (_what, offsetMs, result, code) => {
    await using standIn = await startStandIn();
    standIn.handle("GET /api/check", (_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ time: now(offsetMs), checks: [] }));
    });
    const ended = await tulleAt(standIn, ["check", "-o", "json"]);
    expect(ended.code).toBe(code);
    expect(JSON.parse(ended.stdout).checks).toContainEqual(
      expect.objectContaining({ name: "clock skew", result }),
    );
  });

  test("shows a token that is not accepted as a failed line and exits with 4", async () => {
    await using standIn = await startStandIn();
    const ended = await tulleAt(standIn, ["check"], { env: { TULLE_TOKEN: "another-mesh" } });
    expect(ended.code).toBe(4);
    expect(ended.stdout).toContain("ok       control reachable");
    expect(ended.stdout).toContain(
      "failed   operator token: Control does not accept the token from TULLE_TOKEN",
    );
  });
});

describe("tulle stat", () => {
  const bucket = (ms: number) => latencyBoundsMs.findIndex((bound) => ms <= bound);
  const edge = (count: number, change: Partial<EdgeDelta> = {}): EdgeDelta => ({
    perspective: "effective",
    source: "default/web",
    destination: "default/payments",
    route: "HTTPRoute/default/payments/0",
    backend: "default/payments-v1",
    class: "2xx",
    refusal: "",
    count,
    latency: [...latencyBoundsMs, 0].map((_bound, at) => (at === bucket(50) ? count : 0)),
    latencySumMs: count * 40,
    ...change,
  });
  const services = (
    edges: readonly EdgeDelta[],
    circuits: ServicesAnswer["circuits"] = [],
  ): ServicesAnswer => ({
    windowMs: 10_000,
    edges,
    circuits,
    latencyBoundsMs,
  });
  const measured = services(
    [
      edge(90),
      edge(10, { class: "5xx", backend: "default/payments-v2" }),
      edge(120, { perspective: "attempt" }),
      edge(30, { source: "outside", destination: "default/web", perspective: "inbound" }),
    ],
    [
      { circuit: "default/payments-v2", state: "open", sinceMs: 12_000, epoch: 3 },
      { circuit: "default/web", state: "closed", sinceMs: 99_000, epoch: 1 },
    ],
  );

  test("draws golden signals of each edge, and the circuits that are not closed", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/services", measured);
    const ended = await tulleAt(standIn, ["stat", "--window", "10s"]);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toBe(
      [
        "SOURCE        DESTINATION         RPS   SUCCESS     P50     P95     P99   RETRIES   REFUSED",
        "default/web   default/payments   10.0     90.0%   38 ms   49 ms   50 ms     20.0%         0",
        "outside       default/web *       3.0    100.0%   38 ms   49 ms   50 ms         -         0",
        "",
        "CIRCUIT               STATE   FOR    EPOCH",
        "default/payments-v2   open    12 s       3",
        "",
      ].join("\n"),
    );
    expect(ended.stderr).toContain("counted by the callee");
    expect(standIn.received[0]?.url.search).toBe("?windowMs=10000");
  });

  test("keeps to one service, and splits by backend", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/services", measured);
    const ended = await tulleAt(standIn, ["stat", "payments", "--by", "backend", "-o", "json"]);
    const answer = JSON.parse(ended.stdout);
    expect(
      answer.edges.map((one: { backend: string; successRate: number }) => [one.backend, one.successRate]),
    ).toEqual([
      ["default/payments-v1", 1],
      ["default/payments-v2", 0],
    ]);
    expect(answer.circuits).toEqual([]);
  });

  test("says when control's memory is shorter than the window asked for", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/services", measured);
    const ended = await tulleAt(standIn, ["stat", "--window", "1h"]);
    expect(ended.stderr).toContain("Control remembers 10 s only");
    expect(ended.stdout).toContain(" 10.0 ");
  });

  test("says that nothing was requested", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/services", services([]));
    expect(await tulleAt(standIn, ["stat", "--window", "10s"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "No request in the last 10 s.\n",
    });
  });

  test("shows no quantile of buckets that it does not know", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/services", { ...measured, latencyBoundsMs: [1, 10, 100] });
    const ended = await tulleAt(standIn, ["stat", "--window", "10s"]);
    expect(ended.stdout).not.toContain("ms");
    expect(ended.stderr).toContain("other buckets");
  });

  test.each(["0s", "2h", "soon"])("exits with 2 for the window %s", async (window) => {
    await using standIn = await startStandIn();
    expect(await tulleAt(standIn, ["stat", "--window", window])).toMatchObject({ code: 2, stdout: "" });
  });

  test("tulle circuits lists all of them", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/services", measured);
    const ended = await tulleAt(standIn, ["circuits"]);
    expect(ended.stdout).toContain("default/web           closed   2 min       1");
  });
});

describe("tulle trace", () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const span = (spanId: string, change: Partial<SpanRecord>): SpanRecord => ({
    traceId,
    spanId,
    name: "GET /buy",
    kind: 2,
    startMs: 1_000,
    endMs: 1_100,
    attributes: { "http.response.status_code": 200 },
    status: 0,
    workload: "default/web",
    ...change,
  });
  const spans = [
    span("b", {
      parentSpanId: "a",
      name: "POST payments",
      kind: 3,
      startMs: 1_050,
      attributes: { "tulle.refusal": "circuit-open", "http.response.status_code": 503 },
      status: 2,
      error: "circuit default/payments is open",
    }),
    span("a", {}),
  ];

  test("draws a waterfall: who called whom, for how long, and how it ended", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/traces/:id", { traceId, spans });
    const ended = await tulleAt(standIn, ["trace", `00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    const full = "█".repeat(36);
    expect(ended.stdout).toBe(
      [
        `${traceId}  2 spans, 1 service, 100 ms, 1 error`,
        `SPAN              SERVICE       TIME${" ".repeat(37)}TOOK   ENDED`,
        `GET /buy          default/web   ${full}   100 ms   200`,
        `  POST payments   default/web   ${" ".repeat(18)}${full.slice(18)}    50 ms   503 circuit-open`,
        "default/web POST payments: circuit default/payments is open",
        "",
      ].join("\n"),
    );
    expect(standIn.received[0]?.url.pathname).toBe(`/api/traces/${traceId}`);
  });

  test("makes control characters in span names visible, so that no caller writes on an operator's terminal", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/traces/:id", {
      traceId,
      spans: [span("a", { name: "GET \u001b]0;owned\u0007\u001b[2J" })],
    });
    const ended = await tulleAt(standIn, ["trace", traceId]);
    expect(ended.stdout).toContain("GET \\u001b]0;owned\\u0007\\u001b[2J");
    expect(ended.stdout).not.toContain("\u001b");
  });

  test("exits with 1 for a trace that nobody knows, and with 2 for what is no trace id", async () => {
    await using standIn = await startStandIn();
    expect(await tulleAt(standIn, ["trace", traceId])).toMatchObject({ code: 1, stdout: "" });
    standIn.answer("GET /api/traces/:id", { traceId, spans: [] });
    expect(await tulleAt(standIn, ["trace", traceId])).toMatchObject({ code: 1, stdout: "" });
    expect(await tulleAt(standIn, ["trace", "../status"])).toMatchObject({ code: 2, stdout: "" });
    expect(standIn.received).toHaveLength(2);
  });
});

describe("tulle identity token", () => {
  const answer = { service: "shop/worker", token: "join-token", expiresAt: "2026-11-23T10:10:00.000Z" };

  test("prints the join token on stdout alone, so that it can be piped", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/identity/tokens", answer);
    const ended = await tulleAt(standIn, ["identity", "token", "--service", "shop/worker", "--ttl", "5m"]);
    expect(ended).toMatchObject({ code: 0, stdout: "join-token\n" });
    expect(ended.stderr).toBe(
      "Join token for shop/worker: works once, until 2026-11-23T10:10:00.000Z. It is not shown again.\n",
    );
    expect(standIn.received[0]?.body).toEqual({ service: "shop/worker", ttlMs: 300_000 });
  });

  test.each([
    ["no service", ["identity", "token"]],
    ["a life above ten minutes", ["identity", "token", "--service", "web", "--ttl", "11m"]],
  ])("exits with 2 for %s", async (_what, words) => {
    await using standIn = await startStandIn();
    expect(await tulleAt(standIn, words)).toMatchObject({ code: 2, stdout: "" });
    expect(standIn.received).toEqual([]);
  });

  test("exits with 4 and names the role when the token's own is too low", async () => {
    await using standIn = await startStandIn();
    standIn.problem("POST /api/identity/tokens", 403, "The role viewer is too low", "This wants admin.");
    const ended = await tulleAt(standIn, ["identity", "token", "--service", "web"]);
    expect(ended).toMatchObject({ code: 4, stdout: "" });
    expect(ended.stderr).toContain(
      "Your token does not allow this: The role viewer is too low. This wants admin.",
    );
  });
});
