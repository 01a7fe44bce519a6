import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Revision, StatusAnswer, StoredDocument } from "../../control/api/contract.ts";
import { type Ended, temporaryDirectory, tulle } from "../cli/tulle.ts";
import { AccessLog } from "../support/access-log.ts";
import { entrance, open, split, virtual } from "../support/policy-texts.ts";

const worker = (name: string): { readonly entry: string } => ({
  entry: fileURLToPath(new URL(`workers/${name}.ts`, import.meta.url)),
});
const everything = `
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { sampleRatio: 1, accessLog: true }
`;
const ghost = `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: ghost }
spec: {}
`;

const log = new AccessLog();
const directory = temporaryDirectory();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { ...worker("relay") },
      v1: { ...worker("relay") },
      v2: { ...worker("relay") },
      idle: { fetch: () => new Response("idle") },
    },
    policies: [
      entrance("web"),
      virtual("payments"),
      open("web", "v1", "v2", "idle"),
      split("payments", { v1: 1, v2: 0 }),
      everything,
      ghost,
    ],
    onLog: log.take,
  });
  await sold(12);
});
afterAll(async () => {
  await mesh.dispose();
  directory[Symbol.dispose]();
});

/**
 * Sends requests that are served, and has them reported. Whoever looks at numbers sends his own: they are kept in
 * memory, and an object of which nobody asks anything for ten seconds is gone.
 */
async function sold(requests: number): Promise<void> {
  for (let request = 0; request < requests; request++) {
    const response = await mesh.fetch("http://shop.example.com/payments");
    expect(response.status).toBe(200);
    await response.body?.cancel();
  }
  await mesh.settle();
}

const run = (...words: string[]): Promise<Ended> =>
  tulle(words, {
    cwd: directory.path,
    env: { TULLE_URL: mesh.operator.url, TULLE_TOKEN: mesh.operator.token },
  });

/** Runs a command that must succeed; what it printed. */
async function shown(...words: string[]): Promise<string> {
  const ended = await run(...words);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return ended.stdout;
}
const shownAs = async <Answer>(...words: string[]): Promise<Answer> =>
  JSON.parse(await shown(...words, "-o", "json")) as Answer;

/** A line of a table: its cells, whatever is between them. */
const row = (...cells: readonly string[]): RegExp => new RegExp(`^ *${cells.join(" +")}`, "m");

describe("tulle status", () => {
  test("tells who runs the newest policy, who was never seen, and who runs nowhere", async () => {
    const { code, stdout: table } = await run("status", "--exit-code");
    expect(code).toBe(1);
    expect(table).toMatch(/^mesh\.local {2}revision 1 {2}epoch 1$/m);
    for (const name of ["gateway", "web", "v1", "v2", "idle"])
      expect(table).toMatch(row(`default/${name}`, "SYNCED", "1", "1"));
    expect(table).toMatch(row("default/ghost", "NOT SEEN", "-", "0", "never"));
    expect(table).toMatch(row("default/payments", "virtual"));
  });

  test("tells who still runs an older policy, until traffic has brought the newer one", async () => {
    writeFileSync(join(directory.path, "route.yaml"), split("payments", { v1: 2, v2: 0 }));
    expect(await shown("apply", "-f", "route.yaml", "--reason", "a first look")).toContain(
      "Revision 2 is in force: 1 changed.",
    );
    expect(await shown("status")).toMatch(row("default/idle", "STALE", "1", "1"));
    for (let request = 0; request < 50 && (await stateOf("idle")) !== "SYNCED"; request++) {
      await (await mesh.from("web").fetch("http://idle/")).body?.cancel();
    }
    expect(await shown("status")).toMatch(row("default/idle", "SYNCED", "2", "1"));
  });

  async function stateOf(name: string): Promise<string | undefined> {
    await mesh.settle();
    const { services } = (await (await mesh.api("/api/status")).json()) as StatusAnswer;
    return services.find(({ service }) => service === `default/${name}`)?.state;
  }
});

test("tulle check goes through everything, and says of each warning what to do", async () => {
  const report = await shown("check");
  for (const name of [
    "control reachable",
    "operator token",
    "clock skew",
    "signing keys",
    "policy store",
    "KV",
  ])
    expect(report).toMatch(new RegExp(`^ok {7}${name}: `, "m"));
  expect(report).toMatch(
    /^warning {2}service default\/ghost: It has not reported.*\n +→ Send it a request\./m,
  );
  expect(report).not.toContain("failed");
});

test("tulle stat counts what callers saw, on every edge and by backend", async () => {
  await sold(12);
  const [edges, payments] = await Promise.all([
    shown("stat", "--window", "5m"),
    shown("stat", "payments", "--by", "backend", "--window", "5m"),
  ]);
  expect(edges).toMatch(row("default/gateway", "default/public/http", "[\\d.]+", "100.0%"));
  expect(edges).toMatch(row("default/web", "default/payments", "[\\d.]+", "100.0%"));
  expect(payments).toMatch(row("default/web", "default/payments", "default/v1", "[\\d.]+", "100.0%"));
  expect(payments).not.toContain("default/v2");
});

test("tulle trace draws one request over every hop, each below the one that caused it", async () => {
  const { traceId } = await log.record(
    ({ direction, workload }) => direction === "inbound" && workload === "default/v1",
  );
  const waterfall = await shown("trace", traceId);
  expect(waterfall).toMatch(new RegExp(`^${traceId} {2}4 spans, 3 services`, "m"));
  const spans = waterfall.split("\n").filter((line) => line.includes("GET "));
  expect(spans.map((line) => line.search(/\S/))).toEqual([0, 2, 4, 6]);
  expect(spans.map((line) => / {2,}default\/(\w+) /.exec(line)?.[1])).toEqual([
    "gateway",
    "web",
    "web",
    "v1",
  ]);
  for (const line of spans) expect(line).toMatch(/ms +200$/);
  const unknown = await run("trace", "1".repeat(32));
  expect(unknown).toMatchObject({ code: 1, stdout: "" });
  expect(unknown.stderr).toContain("No span of trace");
});

test("tulle get lists documents, and gives one back as it was written", async () => {
  const [list, one] = await Promise.all([
    shown("get", "services"),
    shownAs<StoredDocument>("get", "route", "payments"),
  ]);
  for (const name of ["gateway", "ghost", "idle", "payments", "v1", "v2", "web"])
    expect(list).toMatch(row("Service", "default", name, "1"));
  expect(one).toMatchObject({ kind: "HTTPRoute", name: "payments", revision: 2 });
  expect(one.text).toBe(split("payments", { v1: 2, v2: 0 }));
});

describe("a change", () => {
  test("is shown by a dry run with its difference, and not made", async () => {
    writeFileSync(join(directory.path, "half.yaml"), split("payments", { v1: 1, v2: 1 }));
    const dry = await shown("apply", "-f", "half.yaml", "--dry-run");
    expect(dry).toMatch(/^ {2}-.*name: v2, port: 80, weight: 0 \}$/m);
    expect(dry).toMatch(/^ {2}\+.*name: v2, port: 80, weight: 1 \}$/m);
    expect(dry).toContain("Dry run (1 changed): nothing was changed; revision 2 stays in force.");
    expect((await shownAs<readonly Revision[]>("history")).map(({ revision }) => revision)).toEqual([2, 1]);
  });

  test("can be a deletion, is taken back by undo, and stays in the history", async () => {
    expect(await shown("delete", "service", "ghost")).toContain("Revision 3 is in force: 1 deleted.");
    expect(await shown("undo")).toContain("Revision 4 is in force: 1 created.");
    const history = await shown("history");
    expect(history).toMatch(
      row("4", ".*", "operator", "created Service/default/ghost", "undo of revision 3"),
    );
    expect(history).toMatch(row("3", ".*", "operator", "deleted Service/default/ghost"));
    expect(history).toMatch(row("2", ".*", "operator", "changed HTTPRoute/default/payments", "a first look"));
  });

  test("that would leave others without what they need is refused, and names them", async () => {
    const ended = await run("delete", "service", "v1");
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toMatch(
      /^AuthorizationPolicy\/default\/open-web:\d+:\d+ {2}error .*targetRefs\[1\]\.name/m,
    );
    expect(ended.stderr).toMatch(
      /^HTTPRoute\/default\/payments:\d+:\d+ {2}warning .*backendRefs\[0\]\.name/m,
    );
    expect(ended.stderr).toContain("revision 4 stays in force");
    expect((await run("delete", "service", "nobody")).code).toBe(1);
  });
});

const has = (members: object): unknown => expect.objectContaining(members);
const list: unknown = expect.any(Array);
test.each<[words: string, code: number, answer: unknown]>([
  ["status", 0, has({ trustDomain: "mesh.local", services: list })],
  ["check", 0, has({ checks: list })],
  ["stat", 0, has({ edges: list, circuits: list })],
  ["circuits", 0, expect.arrayContaining([has({ state: "closed" })])],
  ["routes payments", 0, has({ of: "default/payments", views: list })],
  ["explain --from web http://payments/", 0, has({ rule: "HTTPRoute/default/payments/0", served: 1 })],
  ["get services", 0, expect.arrayContaining([has({ kind: "Service", name: "v1" })])],
  ["history --limit 1", 0, [has({ revision: 4 })]],
  ["apply -f half.yaml --dry-run", 0, has({ applied: false, revision: 4, changes: list })],
  ["sync", 0, has({ adopted: [], invalid: [] })],
  ["delete service v1", 3, has({ applied: false, revision: 4, issues: list })],
  ["delete service ghost", 0, has({ applied: true, revision: 5 })],
  ["undo", 0, has({ applied: true, revision: 6 })],
  ["identity token --service ghost", 0, has({ service: "default/ghost", token: expect.any(String) })],
])("tulle %s -o json exits with %i and prints control's answer", async (words, code, answer) => {
  await sold(1);
  const ended = await run(...words.split(" "), "-o", "json");
  expect(ended, ended.stderr).toMatchObject({ code });
  expect(JSON.parse(ended.stdout)).toEqual(answer);
});

test("tulle trace -o json prints the spans that the waterfall draws", async () => {
  const { traceId } = await log.record(
    ({ direction, workload }) => direction === "inbound" && workload === "default/v1",
  );
  expect(await shownAs("trace", traceId)).toMatchObject({ spans: { length: 4 } });
});

test("tulle stat and tulle circuits show a service that fails, and what the mesh does about it", async () => {
  // So that the circuit does not half-open while somebody looks.
  await mesh.stopClock();
  await sold(4);
  await mesh.break("v1", { status: 503 });
  for (let request = 0; request < 20; request++) {
    await (await mesh.from("web").fetch("http://payments/")).body?.cancel();
  }
  await mesh.settle();
  const [signals, circuits] = await Promise.all([
    shown("stat", "payments", "--window", "5m"),
    shown("circuits"),
  ]);
  expect(signals).toMatch(row("default/web", "default/payments", "[\\d.]+", "\\d\\d\\.\\d%"));
  expect(signals).not.toContain("100.0%");
  expect(circuits).toMatch(row("default/v1", "open"));
});
