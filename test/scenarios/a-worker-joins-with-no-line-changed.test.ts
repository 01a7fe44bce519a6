import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fixture = fileURLToPath(new URL("fixtures/zero-code", import.meta.url));
const visitor = fileURLToPath(new URL("fixtures/visitor/wrangler.toml", import.meta.url));

const policies = `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: zero-code }
spec:
  targetRefs: [{ kind: Service, name: zero-code }]
  rules: [{ from: [{ source: { principals: [mesh.local/ns/default/sa/visitor] } }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: payments }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  rules: [{ from: [{ source: { principals: [mesh.local/ns/default/sa/zero-code] } }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: visitor }
spec:
  targetRefs: [{ kind: Service, name: visitor }]
  rules: [{ from: [{ source: { principals: [mesh.local/ns/default/sa/payments] } }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { accessLog: true }
`;

/** A project of its own, as a user has it: with the mesh in its `node_modules`. */
const project = mkdtempSync(path.join(tmpdir(), "tulle-zero-code-"));
const log = new AccessLog();
let mesh: TestMesh;

beforeAll(async () => {
  cpSync(fixture, project, { recursive: true });
  symlinkSync(path.join(root, "node_modules"), path.join(project, "node_modules"), "dir");
  mesh = await startMesh({
    services: {
      "zero-code": { config: path.join(project, "wrangler.toml") },
      visitor: { config: visitor },
      payments: { fetch: () => new Response("paid") },
    },
    policies: [policies],
    onLog: log.take,
  });
});
afterAll(async () => {
  await mesh?.dispose();
  rmSync(project, { recursive: true });
});

test("nothing of its code knows of a mesh", () => {
  expect(readFileSync(path.join(project, "src/index.ts"), "utf8")).not.toMatch(/tulle|mesh/i);
});

test("its default handler lets in whom a rule allows, and nobody else", async () => {
  expect((await mesh.raw("zero-code").fetch("http://zero-code/")).status).toBe(400);
  expect((await mesh.from("payments").fetch("http://zero-code/")).status).toBe(403);
  const response = await mesh.from("visitor").fetch("http://zero-code/orders");
  expect(await response.json()).toMatchObject({ pathname: "/orders" });
});

test("its Durable Object class stays exported, and keeps its state", async () => {
  const count = async (): Promise<number> => {
    const response = await mesh.from("visitor").fetch("http://zero-code/");
    return ((await response.json()) as { count: number }).count;
  };
  const before = await count();
  expect(await count()).toBe(before + 2);
});

test("what it sends to a service leaves signed, as itself", async () => {
  const response = await mesh.from("visitor").fetch("http://zero-code/pay");
  expect([response.status, await response.text()]).toEqual([200, "paid"]);
  const arrived = await log.record(
    ({ workload, direction }) => workload === "default/payments" && direction === "inbound",
  );
  expect(arrived).toMatchObject({
    peer: "spiffe://mesh.local/ns/default/sa/zero-code",
    evidence: "signature",
    status: 200,
  });
});

test("its named entrypoint stays exported, and its methods can be called", async () => {
  const response = await mesh.from("payments").fetch("http://visitor/double?of=21");
  expect([response.status, await response.json()]).toEqual([200, 42]);
});

test("wrangler deploys it in the form that the README documents", async () => {
  const readme = readFileSync(path.join(root, "README.md"), "utf8");
  const written = readFileSync(path.join(project, "wrangler.toml"), "utf8");
  for (const line of [/^main = ".*entry\.ts"$/m, /^"mesh:app" = ".*"$/m]) {
    const [documented] = line.exec(readme) ?? [];
    expect(documented).toBeDefined();
    expect(written).toContain(documented);
  }
  const out = path.join(project, "out");
  const { code, output } = await run("wrangler", ["deploy", "--dry-run", "--outdir", out], project);
  expect({ code, output }).toMatchObject({
    code: 0,
    output: expect.stringContaining("env.COUNTER (Counter)"),
  });
  expect(existsSync(path.join(out, "entry.js"))).toBe(true);
});

const quiet = {
  CI: "1",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_LOG_PATH: path.join(project, "wrangler-logs"),
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_SEND_METRICS: "false",
};

function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ code: number | null; output: string }> {
  const executable = path.join(root, "node_modules/.bin", command);
  const child = spawn(process.execPath, [executable, ...args], { cwd, env: { ...process.env, ...quiet } });
  let output = "";
  const keep = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}
