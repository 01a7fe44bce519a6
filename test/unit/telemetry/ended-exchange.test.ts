import { describe, expect, test } from "vitest";
import type { Refusal } from "../../../mesh-runtime/foundation/refusal.ts";
import {
  alwaysRecorded,
  classOf,
  type EndedExchange,
  edgesOf,
  reasonOf,
  spanOf,
} from "../../../mesh-runtime/telemetry/ended-exchange.ts";
import { emptyNotes, someTrace } from "./fixtures.ts";

const refusal: Refusal = { kind: "circuit-open", circuit: "shop/pay", retryAfterMs: 500 };
const notes = {
  ...emptyNotes(),
  destination: "shop/pay",
  route: "HTTPRoute/shop/pay/0",
  backend: "shop/pay-v1",
};
const departed: EndedExchange = {
  direction: "outbound",
  workload: "shop/web",
  method: "GET",
  url: () => new URL("http://pay:8080/charge?card=1"),
  startedAt: 1_000,
  endedAt: 1_025,
  trace: { ...someTrace, parentSpanId: "1111111111111111" },
  notes,
  epoch: 7,
  status: 200,
  thrown: undefined,
};
const arrived: EndedExchange = {
  ...departed,
  direction: "inbound",
  workload: "shop/pay",
  notes: { ...emptyNotes(), source: "shop/web", peer: "spiffe://m/ns/shop/sa/web", evidence: "binding" },
};
const thrown = { status: undefined, thrown: "TypeError" };

describe("classOf()", () => {
  test.each([
    [101, "1xx"],
    [200, "2xx"],
    [299, "2xx"],
    [304, "3xx"],
    [404, "4xx"],
    [500, "5xx"],
    [599, "5xx"],
  ] as const)("counts status %i as %s", (status, expected) => {
    expect(classOf({ ...departed, status })).toEqual({ class: expected, refusal: "" });
  });

  test("counts a problem of the mesh as refused, with its kind, whatever its status", () => {
    expect(classOf({ ...departed, status: 503, notes: { ...notes, refusal } })).toEqual({
      class: "refused",
      refusal: "circuit-open",
    });
  });

  test("counts an exception as 5xx on the way in, as refused on the way out", () => {
    expect(classOf({ ...arrived, ...thrown }).class).toBe("5xx");
    expect(classOf({ ...departed, ...thrown })).toEqual({ class: "refused", refusal: "internal" });
  });
});

describe("edgesOf()", () => {
  test("counts an arrival once, as the callee sees it", () => {
    expect(edgesOf(arrived)).toEqual([
      {
        key: {
          perspective: "inbound",
          source: "shop/web",
          destination: "shop/pay",
          route: "",
          backend: "shop/pay",
          class: "2xx",
          refusal: "",
        },
        latencyMs: 25,
      },
    ]);
  });

  test("counts a caller without identity as unknown", () => {
    expect(edgesOf({ ...arrived, notes: emptyNotes() })[0]?.key.source).toBe("unknown");
  });

  test("counts a departure once for its caller and once for each try", () => {
    const tries = [
      { backend: "shop/pay-v2", startedAt: 1_000, endedAt: 1_004, status: 503, refusal: undefined },
      { backend: "shop/pay-v2", startedAt: 1_005, endedAt: 1_006, status: undefined, refusal },
      { backend: "shop/pay-v1", startedAt: 1_007, endedAt: 1_009, status: undefined, refusal: undefined },
      { backend: "shop/pay-v1", startedAt: 1_010, endedAt: 1_025, status: 200, refusal: undefined },
    ];
    const edges = edgesOf({ ...departed, notes: { ...notes, tries } });
    expect(
      edges.map(({ key, latencyMs }) => [key.perspective, key.backend, key.class, key.refusal, latencyMs]),
    ).toEqual([
      ["effective", "shop/pay-v1", "2xx", "", 25],
      ["attempt", "shop/pay-v2", "5xx", "", 4],
      ["attempt", "shop/pay-v2", "refused", "circuit-open", 1],
      ["attempt", "shop/pay-v1", "refused", "unreachable", 2],
      ["attempt", "shop/pay-v1", "2xx", "", 15],
    ]);
    expect(new Set(edges.map(({ key }) => `${key.source} ${key.destination} ${key.route}`))).toEqual(
      new Set(["shop/web shop/pay HTTPRoute/shop/pay/0"]),
    );
  });
});

describe("spanOf()", () => {
  test("tells a departure as a client span under the names that OpenTelemetry has for it", () => {
    expect(spanOf(departed)).toEqual({
      traceId: someTrace.traceId,
      spanId: someTrace.spanId,
      parentSpanId: "1111111111111111",
      name: "GET HTTPRoute/shop/pay/0",
      kind: 3,
      startMs: 1_000,
      endMs: 1_025,
      attributes: {
        "http.request.method": "GET",
        "url.path": "/charge",
        "url.scheme": "http",
        "server.address": "pay",
        "server.port": 8080,
        "http.response.status_code": 200,
        "peer.service": "shop/pay",
        "tulle.route": "HTTPRoute/shop/pay/0",
        "tulle.backend": "shop/pay-v1",
        "tulle.attempts": 0,
        "tulle.epoch": 7,
      },
      status: 0,
      workload: "shop/web",
    });
  });

  test("tells an arrival as a server span, named by the workload where there is no route", () => {
    const span = spanOf({ ...arrived, trace: someTrace });
    expect(span).toMatchObject({ name: "GET shop/pay", kind: 2, status: 0 });
    expect(span.attributes).toMatchObject({ "tulle.source": "shop/web", "tulle.evidence": "binding" });
    expect("parentSpanId" in span).toBe(false);
  });

  test("names a departure by its destination where no route is attached to that", () => {
    const notes = { ...departed.notes, route: "default" };
    expect(spanOf({ ...departed, notes })).toMatchObject({ name: "GET shop/pay", kind: 3 });
  });

  test("takes no method that a caller has made up into a name", () => {
    const span = spanOf({ ...departed, method: "BREW" });
    expect(span.name).toBe("HTTP HTTPRoute/shop/pay/0");
    expect(span.attributes["http.request.method"]).toBe("_OTHER");
  });

  test("calls 4xx an error of the caller, not of the callee", () => {
    expect(spanOf({ ...departed, status: 404 })).toMatchObject({
      status: 2,
      attributes: { "error.type": "404" },
    });
    const server = spanOf({ ...arrived, status: 404 });
    expect(server.status).toBe(0);
    expect("error.type" in server.attributes).toBe(false);
    expect(spanOf({ ...arrived, status: 500 }).status).toBe(2);
  });

  test("tells a refusal with its whole reason on both sides", () => {
    for (const exchange of [departed, arrived]) {
      const refused = { ...exchange, status: 403, notes: { ...exchange.notes, refusal } };
      expect(spanOf(refused)).toMatchObject({
        status: 2,
        error: "circuit=shop/pay retryAfterMs=500",
        attributes: { "error.type": "circuit-open", "tulle.refusal": "circuit-open" },
      });
    }
  });

  test("tells of an exception its name and nothing else", () => {
    const span = spanOf({ ...departed, ...thrown });
    expect(span).toMatchObject({ status: 2, attributes: { "error.type": "TypeError" } });
    expect("http.response.status_code" in span.attributes).toBe(false);
  });

  test("lists the tries when there was more than one, sixteen at most", () => {
    const once = { backend: "b", startedAt: 1_001, endedAt: 1_002, status: 503, refusal: undefined };
    expect("events" in spanOf({ ...departed, notes: { ...notes, tries: [once] } })).toBe(false);
    const events = spanOf({ ...departed, notes: { ...notes, tries: [once, once] } }).events;
    expect(events).toHaveLength(2);
    expect(events?.[0]).toEqual({
      name: "tulle.try",
      timeMs: 1_001,
      attributes: { "tulle.backend": "b", "http.response.status_code": 503 },
    });
    expect(spanOf({ ...departed, notes: { ...notes, tries: Array(40).fill(once) } }).events).toHaveLength(16);
  });

  test("cuts what a name in a policy or a URL can make long", () => {
    const long = { ...notes, route: "HTTPRoute/".padEnd(3_000, "r"), peer: "p".repeat(3_000) };
    const span = spanOf({ ...departed, notes: long, url: () => new URL(`http://pay/${"x".repeat(3_000)}`) });
    expect(span.name).toHaveLength(256);
    for (const name of ["url.path", "tulle.route", "tulle.peer"]) {
      expect(span.attributes[name]).toHaveLength(1_024);
    }
  });

  test("never ends before it begins", () => {
    expect(spanOf({ ...departed, endedAt: 900 }).endMs).toBe(1_000);
  });
});

test("recorded without being sampled is what failed here, not what a caller got wrong", () => {
  expect(alwaysRecorded({ ...departed, status: 200 })).toBe(false);
  expect(alwaysRecorded({ ...departed, status: 404 })).toBe(false);
  expect(alwaysRecorded({ ...departed, status: 500 })).toBe(true);
  expect(alwaysRecorded({ ...departed, ...thrown })).toBe(true);
  expect(alwaysRecorded({ ...arrived, status: 403, notes: { ...arrived.notes, refusal } })).toBe(true);
});

test("a reason is everything that a refusal says beyond its kind", () => {
  expect(reasonOf(refusal)).toBe("circuit=shop/pay retryAfterMs=500");
  expect(reasonOf({ kind: "cancelled" })).toBe("");
});
