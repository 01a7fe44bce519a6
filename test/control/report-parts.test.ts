import type { EdgeDelta, SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";
import type { ReportRequest } from "@tulle/mesh-runtime/workload-contract.ts";
import { expect, test } from "vitest";
import { attributed } from "../../control/report-parts.ts";

const edge: EdgeDelta = {
  perspective: "effective",
  source: "default/victim",
  destination: "default/payments",
  route: "default",
  backend: "default/payments",
  class: "5xx",
  refusal: "",
  count: 1_000,
  latency: [],
  latencySumMs: 0,
};
const span: SpanRecord = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  name: "GET",
  kind: 3,
  startMs: 0,
  endMs: 1,
  attributes: {},
  status: 0,
  workload: "default/victim",
};
const report: ReportRequest = {
  version: 1,
  isolate: "isolate",
  workload: "default/taken-over",
  id: "id",
  epoch: 1,
  digest: "",
  bundleSequence: 1,
  circuits: [],
  edges: [
    edge,
    { ...edge, perspective: "attempt" },
    { ...edge, perspective: "inbound", destination: "default/victim" },
  ],
  spans: [span],
  counters: {},
};

test("a workload cannot report calls or spans in another's name", () => {
  const { edges, spans } = attributed(report);
  expect(edges.map(({ source, destination }) => [source, destination])).toEqual([
    ["default/taken-over", "default/payments"],
    ["default/taken-over", "default/payments"],
    ["default/victim", "default/taken-over"],
  ]);
  expect(spans.map(({ workload }) => workload)).toEqual(["default/taken-over"]);
});
