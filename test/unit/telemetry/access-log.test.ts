import { describe, expect, test } from "vitest";
import { accessLine, accessRecord } from "../../../mesh-runtime/telemetry/access-log.ts";
import type { EndedExchange } from "../../../mesh-runtime/telemetry/ended-exchange.ts";
import { emptyNotes, someTrace } from "./fixtures.ts";

const ended: EndedExchange = {
  direction: "outbound",
  workload: "shop/web",
  method: "GET",
  url: () => new URL("https://user:hunter2@pay.shop/charge?token=hunter2#hunter2"),
  startedAt: 1_700_000_000_000,
  endedAt: 1_700_000_000_025,
  trace: { ...someTrace, baggage: "secret=hunter2" },
  notes: {
    ...emptyNotes(),
    peer: "spiffe://m/ns/shop/sa/pay",
    evidence: "signature",
    route: "r",
    backend: "shop/pay",
  },
  epoch: 7,
  status: 200,
  thrown: undefined,
};

describe("accessRecord()", () => {
  test("tells an exchange", () => {
    expect(accessRecord(ended)).toEqual({
      time: "2023-11-14T22:13:20.000Z",
      direction: "outbound",
      workload: "shop/web",
      peer: "spiffe://m/ns/shop/sa/pay",
      evidence: "signature",
      method: "GET",
      path: "/charge",
      status: 200,
      durationMs: 25,
      traceId: someTrace.traceId,
      route: "r",
      backend: "shop/pay",
      attempts: 0,
      epoch: 7,
      rule: "",
      refusal: "",
      reason: "",
    });
  });

  test("has no way in for query strings, fragments, credentials in URLs, or baggage", () => {
    expect(accessLine(accessRecord(ended))).not.toContain("hunter2");
  });

  test("tells the whole reason of a refusal", () => {
    const notes = {
      ...emptyNotes(),
      refusal: {
        kind: "denied",
        rule: "AuthorizationPolicy/shop/pay/0",
        principal: "spiffe://m/ns/shop/sa/ads",
      } as const,
    };
    expect(accessRecord({ ...ended, notes, status: 403 })).toMatchObject({
      refusal: "denied",
      reason: "rule=AuthorizationPolicy/shop/pay/0 principal=spiffe://m/ns/shop/sa/ads",
    });
  });

  test("says 0 when nothing was answered, and 500 when the arrival's handler broke", () => {
    const broken = { ...ended, status: undefined, thrown: "TypeError" };
    expect(accessRecord(broken).status).toBe(0);
    expect(accessRecord({ ...broken, direction: "inbound" }).status).toBe(500);
  });

  test("cuts texts that a caller can make long", () => {
    const url = () => new URL(`https://pay/${"x".repeat(5_000)}`);
    expect(accessRecord({ ...ended, url, method: "M".repeat(5_000) })).toMatchObject({
      path: `/${"x".repeat(1_023)}`,
      method: "M".repeat(1_024),
    });
  });
});

test("a record is one line, whatever is in it", () => {
  const record = { ...accessRecord(ended), reason: 'a\nb\r"c"' };
  expect(accessLine(record)).not.toMatch(/[\r\n]/);
  expect(JSON.parse(accessLine(record))).toEqual(record);
});
