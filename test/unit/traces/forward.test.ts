import { describe, expect, test } from "vitest";
import { forward } from "../../../control/traces/forward.ts";
import { someSpan } from "../telemetry/fixtures.ts";

const spans = Array.from({ length: 1_300 }, () => someSpan);

function collector(...statuses: number[]) {
  const sizes: number[] = [];
  const fetch = async (request: Request) => {
    const body: { resourceSpans: { scopeSpans: { spans: unknown[] }[] }[] } = await request.json();
    sizes.push(body.resourceSpans[0]?.scopeSpans[0]?.spans.length ?? 0);
    return new Response(null, { status: statuses[sizes.length - 1] ?? 200 });
  };
  return { sizes, options: { fetch, endpoint: "https://otel.example.com" } };
}

describe("forward()", () => {
  test("sends all spans in batches of at most 512", async () => {
    const { sizes, options } = collector();
    expect(await forward(options, spans)).toEqual({ sent: 1_300, dropped: 0, reason: "" });
    expect(sizes).toEqual([512, 512, 276]);
  });

  test("drops and counts the rest after a failure, without another try", async () => {
    const { sizes, options } = collector(200, 503);
    expect(await forward(options, spans)).toEqual({
      sent: 512,
      dropped: 788,
      reason: "the collector answered 503",
    });
    expect(sizes).toEqual([512, 512]);
  });

  test("asks no collector when there is nothing to send", async () => {
    const { sizes, options } = collector();
    expect(await forward(options, [])).toEqual({ sent: 0, dropped: 0, reason: "" });
    expect(sizes).toEqual([]);
  });
});
