import { describe, expect, test } from "vitest";
import { type MeshMetrics, renderMetrics } from "../../../control/services/prometheus.ts";
import { someDelta } from "../telemetry/fixtures.ts";

const nothing: MeshMetrics = { edges: [], circuits: [], services: [], epoch: 0, refused: 0, events: {} };
const linesOf = (change: Partial<MeshMetrics>) => renderMetrics({ ...nothing, ...change }).split("\n");
const edgeLabels =
  'perspective="effective",source="shop/web",destination="shop/pay",route="HTTPRoute/shop/pay/0",backend="shop/pay-v1",class="2xx",refusal=""';

describe("renderMetrics()", () => {
  test("tells an empty mesh by its epoch, and that nothing in force is refused", () => {
    expect(renderMetrics(nothing)).toBe(
      "# HELP tulle_policy_epoch The newest policy epoch of the mesh.\n# TYPE tulle_policy_epoch gauge\ntulle_policy_epoch 0\n" +
        "# HELP tulle_documents_refused Documents in force that this version of Tulle refuses; tulle check names them.\n# TYPE tulle_documents_refused gauge\ntulle_documents_refused 0\n",
    );
  });

  test("counts requests by edge", () => {
    expect(linesOf({ edges: [someDelta({ count: 12 })] })).toContain(
      `tulle_requests_total{${edgeLabels}} 12`,
    );
  });

  test("makes cumulative buckets in seconds, whose last equals the count", () => {
    const latency = [1, 0, 2, ...new Array(13).fill(0), 4];
    const lines = linesOf({ edges: [someDelta({ count: 7, latency, latencySumMs: 250_500 })] });
    const buckets = lines.filter((line) => line.startsWith("tulle_request_duration_seconds_bucket"));
    expect(buckets.map((line) => /le="([^"]+)"\} (\d+)$/.exec(line)?.slice(1))).toEqual([
      ["0.001", "1"],
      ["0.002", "1"],
      ["0.005", "3"],
      ["0.01", "3"],
      ["0.025", "3"],
      ["0.05", "3"],
      ["0.075", "3"],
      ["0.1", "3"],
      ["0.25", "3"],
      ["0.5", "3"],
      ["0.75", "3"],
      ["1", "3"],
      ["2.5", "3"],
      ["5", "3"],
      ["10", "3"],
      ["30", "3"],
      ["+Inf", "7"],
    ]);
    expect(lines).toContain(`tulle_request_duration_seconds_sum{${edgeLabels}} 250.5`);
    expect(lines).toContain(`tulle_request_duration_seconds_count{${edgeLabels}} 7`);
  });

  test("adds up what several objects tell of one edge, because a series may stand there only once", () => {
    const text = renderMetrics({ ...nothing, edges: [someDelta(), someDelta({ count: 4 })] });
    expect(text.match(/^tulle_requests_total\{.*$/gm)).toEqual([`tulle_requests_total{${edgeLabels}} 5`]);
  });

  test("tells the state of a circuit as one of four", () => {
    const lines = linesOf({ circuits: [{ circuit: "shop/pay", state: "half-open" }] });
    expect(lines.filter((line) => line.startsWith("tulle_circuit_state"))).toEqual([
      'tulle_circuit_state{circuit="shop/pay",state="closed"} 0',
      'tulle_circuit_state{circuit="shop/pay",state="open"} 0',
      'tulle_circuit_state{circuit="shop/pay",state="half-open"} 1',
      'tulle_circuit_state{circuit="shop/pay",state="ramp"} 0',
    ]);
  });

  test("tells isolates, epochs and what workloads count", () => {
    const lines = linesOf({
      services: [{ service: "shop/web", isolates: 3, epoch: 41 }],
      epoch: 42,
      events: { spans_dropped: 5 },
    });
    expect(lines).toContain('tulle_isolates{service="shop/web"} 3');
    expect(lines).toContain('tulle_workload_epoch{service="shop/web"} 41');
    expect(lines).toContain("tulle_policy_epoch 42");
    expect(lines).toContain('tulle_workload_events_total{event="spans_dropped"} 5');
  });

  test("escapes backslash, quote and line feed in label values", () => {
    const lines = linesOf({ events: { 'a\\b"c\nd': 1 } });
    expect(lines).toContain('tulle_workload_events_total{event="a\\\\b\\"c\\nd"} 1');
  });

  test("announces every family once, right before its samples", () => {
    const text = renderMetrics({
      edges: [someDelta(), someDelta({ class: "5xx" })],
      circuits: [{ circuit: "shop/pay", state: "open" }],
      services: [{ service: "shop/web", isolates: 1, epoch: 1 }],
      epoch: 1,
      refused: 1,
      events: { x: 1 },
    });
    const announced: string[] = [];
    for (const line of text.trimEnd().split("\n")) {
      const name = /^# TYPE (\S+) (?:counter|gauge|histogram)$/.exec(line)?.[1];
      if (name !== undefined) announced.push(name);
      if (!line.startsWith("#"))
        expect(line.replace(/(_bucket|_sum|_count)?[{ ].*/, "")).toBe(announced.at(-1));
    }
    expect(announced).toHaveLength(8);
    expect(new Set(announced).size).toBe(8);
    expect(text.endsWith("\n")).toBe(true);
  });
});
