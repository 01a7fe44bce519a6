import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SpanRecord } from "../../mesh-runtime/telemetry/words.ts";
import { AccessLog } from "../support/access-log.ts";
import { word } from "../support/answers.ts";
import { Backend, hangs } from "../support/backend.ts";
import { treated } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";

const worker = (name: string) => fileURLToPath(new URL(`workers/${name}.ts`, import.meta.url));
const passAlong = worker("pass-along");
const last = new Backend();
const log = new AccessLog();
let mesh: TestMesh;

const telemetry = `
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: all }
spec: { accessLog: true, sampleRatio: 1 }
`;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      first: { entry: passAlong },
      second: { entry: passAlong, vars: { DELAY: "200" } },
      strict: { entry: passAlong },
      wire: { entry: worker("wire"), meshed: false },
      last,
    },
    policies: [
      open("first", "second", "strict", "wire", "last"),
      telemetry,
      treated("first", "timeout: 10s"),
      treated("strict", "timeout: 1s"),
    ],
    onLog: log.take,
  });
});
afterAll(() => mesh.dispose());

const from = (service: string, path: string): Promise<Response> =>
  mesh.from(service).fetch(`http://${path}`, { method: "POST" });

test("each hop is told what is left: never more than the hop before it had, less what that one spent", async () => {
  const told = (await (await from("gateway", "first/second/wire")).json()) as Record<string, string>;
  const left = Number(told["tulle-deadline-ms"]);
  expect(left).toBeGreaterThan(500);
  expect(left).toBeLessThanOrEqual(10_000 - 195);
  expect(told["tulle-hops"]).toBe("3");
});

test("without any limit on the way it is the default that travels", async () => {
  const told = (await (await from("gateway", "wire/")).json()) as Record<string, string>;
  const left = Number(told["tulle-deadline-ms"]);
  expect(left).toBeGreaterThan(10_000);
  expect(left).toBeLessThanOrEqual(15_000);
});

test("a last hop that hangs is answered 504 in time, and no hop of the chain goes on", async () => {
  // Everybody on the way has joined by then.
  expect(await word(from("gateway", "strict/first/last"))).toBe("200");
  last.script([hangs]);
  const begun = performance.now();
  expect(await word(from("gateway", "strict/first/last"))).toBe("deadline-exceeded");
  const took = performance.now() - begun;
  expect(took).toBeGreaterThanOrEqual(980);
  expect(took).toBeLessThan(5_000);
  expect(last.received).toHaveLength(1);

  // Every hop's own record of it: over when the first one's time was over, though their own limits are 10 s and 15 s.
  const { traceId } = await log.record(
    ({ direction, workload, status }) =>
      direction === "outbound" && workload === "default/gateway" && status === 504,
  );
  // Whoever is called off is torn down by the platform, where its own timer is not a moment faster: then it keeps no record
  // of its last call, which does not go on either.
  const spans = await spansOf(traceId, 6);
  const seen = spans.map(({ workload, kind }) => `${workload} ${kind}`).sort();
  const always = ["default/gateway 3", "default/strict 2", "default/strict 3"];
  const mostly = ["default/first 2", "default/first 3", "default/last 2"];
  expect(seen).toEqual([...always, ...mostly.filter((span) => seen.includes(span))].sort());
  const start = Math.min(...spans.map(({ startMs }) => startMs));
  for (const { endMs } of spans) expect(endMs - start).toBeLessThan(5_000);
  for (const { attributes } of spans)
    expect(["deadline-exceeded", "cancelled", "504"]).toContain(attributes["error.type"]);
});

/** The spans of a trace, as soon as so many are there. */
async function spansOf(traceId: string, count: number): Promise<readonly SpanRecord[]> {
  let spans: readonly SpanRecord[] = [];
  for (let round = 0; round < 100 && spans.length < count; round++) spans = await mesh.trace(traceId);
  return spans;
}
