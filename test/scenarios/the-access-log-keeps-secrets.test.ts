import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AccessRecord } from "../../mesh-runtime/telemetry/words.ts";
import { AccessLog } from "../support/access-log.ts";
import { word } from "../support/answers.ts";
import { Backend, fails } from "../support/backend.ts";
import { treated } from "../support/circuits.ts";
import { type Collector, startCollector } from "../support/collector.ts";
import { entrance, open } from "../support/policy-texts.ts";

const worker = (name: string) => fileURLToPath(new URL(`workers/${name}.ts`, import.meta.url));
const log = new AccessLog();
const payments = new Backend();
let collector: Collector;
let mesh: TestMesh;
/** Whatever must stand in no record, with the word for it. */
const secrets = new Map<string, string>([
  ["the query", "4111111111111111"],
  ["the body", "the-body-of-this-request"],
  ["the answer's body", "the-body-of-this-answer"],
  ["the application's token", "application-token-zzz"],
  ["the cookie", "cookie-zzz"],
  ["a forged token", "forged-token-zzz"],
  ["the answer's cookie", "set-cookie-zzz"],
  ["the baggage", "baggage-zzz"],
]);

beforeAll(async () => {
  collector = await startCollector();
  mesh = await startMesh({
    services: {
      web: { entry: worker("pass-everything-along") },
      payments,
      wire: { entry: worker("wire"), meshed: false },
    },
    policies: [
      entrance("web"),
      open("web", "payments"),
      treated("payments", "retry: { budgetRatio: 1 }"),
      `
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: all }
spec: { sampleRatio: 1, accessLog: true, otlpEndpoint: "${collector.url}" }
`,
    ],
    onLog: log.take,
  });
});
afterAll(async () => {
  await mesh.dispose();
  await collector[Symbol.asyncDispose]();
});

const headers = {
  authorization: `Bearer ${secrets.get("the application's token")}`,
  cookie: `session=${secrets.get("the cookie")}`,
  baggage: `user=${secrets.get("the baggage")}`,
  "idempotency-key": "order-1",
};
const request = { method: "POST", headers, body: String(secrets.get("the body")) };
const query = `?card=${secrets.get("the query")}`;

const isRecord = (record: AccessRecord): boolean =>
  record.path === "/payments/charge" || record.path === "/charge";

test("every exchange on every hop is one line of JSON with everything that an operator looks for", async () => {
  payments.script([
    fails(503, { "set-cookie": `a=${secrets.get("the answer's cookie")}` }),
    () => new Response(secrets.get("the answer's body")),
  ]);
  const answer = await mesh.fetch(`http://shop.example.com/payments/charge${query}`, request);
  expect(await answer.text()).toBe(secrets.get("the answer's body"));
  expect(payments.received.map(({ body }) => body)).toEqual([request.body, request.body]);
  await log.when(() => log.records(isRecord).length >= 5);
  const records = log.records(isRecord);
  expect(new Set(records.map(({ traceId }) => traceId)).size).toBe(1);
  const lines = records.map(({ direction, workload, status, attempts }) => [
    direction,
    workload,
    status,
    attempts,
  ]);
  expect(lines).toHaveLength(5);
  expect(lines).toEqual(
    expect.arrayContaining([
      ["outbound", "default/gateway", 200, 1],
      ["inbound", "default/web", 200, 0],
      ["outbound", "default/web", 200, 2],
      ["inbound", "default/payments", 503, 0],
      ["inbound", "default/payments", 200, 0],
    ]),
  );
});

test("refusals say why, and repeat nothing of what was sent", async () => {
  const forged = {
    ...request,
    headers: {
      ...headers,
      "workload-identity-token": `e30.${secrets.get("a forged token")}.e30`,
      signature: `wimse=:${btoa(String(secrets.get("a forged token")))}:`,
      "signature-input": `wimse=("@method");nonce="${secrets.get("a forged token")}"`,
    },
  };
  const refused = await mesh.raw("payments").fetch(`http://payments/refused${query}`, forged);
  expect(await word(refused)).toBe("unidentified");
  const record = await log.record(({ path }) => path === "/refused");
  expect(record).toMatchObject({ status: 400, refusal: "unidentified", peer: "" });
  expect(record.reason).toMatch(/^step=\w+ /);
});

test("no token, signature, body, query, cookie or header stands in a record, a span or a metric", async () => {
  // What goes over the wire between two workers, as one outside of the mesh sees it.
  const seen = await mesh.from("web").fetch(`http://wire/looks${query}`, request);
  const wire = (await seen.json()) as Record<string, string>;
  const token = String(wire["workload-identity-token"]);
  expect(token.split(".")).toHaveLength(3);
  for (const [index, part] of token.split(".").entries()) secrets.set(`part ${index} of the WIT`, part);
  secrets.set("the signature", String(/:(.+):/.exec(String(wire.signature))?.[1]));
  secrets.set("the nonce", String(/nonce="([^"]+)"/.exec(String(wire["signature-input"]))?.[1]));
  secrets.set("the digest", String(/:(.+):/.exec(String(wire["content-digest"]))?.[1]));
  await log.record(({ path, direction }) => path === "/looks" && direction === "outbound");
  await mesh.settle();

  const records = log.lines.filter((line) => line.startsWith('{"time":')).join("\n");
  const spans = collector.requests.map(({ text }) => text).join("\n");
  const metrics = await (await mesh.api("/metrics")).text();
  // What is looked through is not empty, and has what it may have.
  for (const text of [records, spans]) expect(text).toContain("/payments/charge");
  expect(metrics).toContain("default/payments");
  for (const [what, secret] of secrets) {
    expect(secret.length, what).toBeGreaterThan(9);
    for (const text of [records, spans, metrics]) expect(text.includes(secret), what).toBe(false);
  }
});
