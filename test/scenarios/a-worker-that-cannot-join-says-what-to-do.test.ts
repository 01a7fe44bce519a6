import { fileURLToPath } from "node:url";
import { runInWorkerd, startMesh, type TestMesh, type WorkerToRun } from "@tulle/mesh-runtime/testing";
import type { Miniflare } from "miniflare";
import { parse } from "smol-toml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";

const main = fileURLToPath(new URL("workers/lonely.ts", import.meta.url));

/** A worker that carries the mesh, and whatever of its configuration a test is about. */
const lonely = (name: string, more: Partial<WorkerToRun> = {}): WorkerToRun => ({
  config: {
    name,
    main,
    compatibilityDate: "2026-10-01",
    compatibilityFlags: [],
    alias: {},
    vars: {},
    kv: {},
    durableObjects: {},
    services: {},
  },
  ...more,
});

/** What an operator and a caller see of a worker. */
interface Seen {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
  readonly problem: { readonly type?: string; readonly detail?: string };
}

async function seen(response: Pick<Response, "status" | "headers" | "text">): Promise<Seen> {
  const text = await response.text();
  const problem = text.startsWith("{") ? (JSON.parse(text) as Seen["problem"]) : {};
  return { status: response.status, retryAfter: response.headers.get("retry-after"), text, problem };
}

const problemType = (kind: string): string => `https://tulle.dev/problems/${kind}`;

describe("a worker outside of any mesh", () => {
  const log = new AccessLog();
  let runtime: Miniflare;
  beforeAll(async () => {
    runtime = await runInWorkerd(
      [
        lonely("unbound"),
        lonely("misled", { services: { MESH: "unbound" } }),
        lonely("mispinned", { vars: { TULLE_ROOT: "perhaps-a-secret" }, services: { MESH: "unbound" } }),
      ],
      { onLog: log.take },
    );
  });
  afterAll(() => runtime?.dispose());
  const ask = async (name: string): Promise<Seen> => {
    const worker = await runtime.getWorker(name);
    return seen((await worker.fetch("http://lonely/")) as unknown as Response);
  };

  test("that has no binding MESH answers its first request with the very lines to add", async () => {
    const { status, problem, text } = await ask("unbound");
    expect([status, problem.type]).toEqual([500, problemType("misconfigured")]);
    expect(text).not.toContain("handled");
    const lines = problem.detail?.slice(problem.detail.indexOf("[[services]]")) ?? "";
    expect(parse(lines)).toEqual({
      services: [
        {
          binding: "MESH",
          service: "tulle-control",
          entrypoint: "Workload",
          props: { service: "my-service", namespace: "default" },
        },
      ],
    });
    expect(problem.detail).toContain("wrangler.toml");
  });

  test("tells the operator so in its log, once and not with every request", async () => {
    await Promise.all([ask("unbound"), ask("unbound"), ask("unbound")]);
    const line = await log.line('"event":"misconfigured"');
    expect(line).toContain("[[services]]");
    await ask("misled");
    await log.line("mesh-not-ready");
    expect(log.lines.filter((each) => each.includes("no binding named MESH"))).toHaveLength(1);
  });

  test("whose MESH leads elsewhere is not ready, and says when to come again", async () => {
    const { status, problem, retryAfter, text } = await ask("misled");
    expect([status, problem.type, retryAfter]).toEqual([503, problemType("mesh-not-ready"), "1"]);
    expect(text).not.toContain("handled");
  });

  test("whose pinned root is no key trusts nobody, and does not repeat the value", async () => {
    const { status, problem } = await ask("mispinned");
    expect([status, problem.type]).toEqual([500, problemType("misconfigured")]);
    expect(problem.detail).toContain("TULLE_ROOT");
    await log.line("TULLE_ROOT");
    expect([problem.detail, ...log.lines].join("\n")).not.toContain("perhaps-a-secret");
  });

  test("does not run its schedule either", async () => {
    const worker = await runtime.getWorker("unbound");
    expect(await worker.scheduled()).toMatchObject({ outcome: "exception" });
    expect(log.lines.join("\n")).not.toContain("the schedule ran");
  });
});

describe("a worker that no Service document names", () => {
  const log = new AccessLog();
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await startMesh({
      services: { newcomer: { entry: main }, web: { entry: main } },
      policies: [
        `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: everybody-verified }
spec: { rules: [{ from: [{ source: { principals: ["*"] } }] }] }
`,
      ],
      onLog: log.take,
    });
    const deleted = await mesh.api("/api/policies/Service/default/newcomer", { method: "DELETE" });
    expect(deleted.status).toBe(200);
    await mesh.restart();
  });
  afterAll(() => mesh?.dispose());

  test("is refused by control, lets nobody in, and says how to register it; what it says works", async () => {
    const { status, problem, text } = await seen(await mesh.raw("newcomer").fetch("http://newcomer/"));
    expect([status, problem.type]).toEqual([500, problemType("misconfigured")]);
    expect(text).not.toContain("handled");
    expect(problem.detail).toContain("No Service default/newcomer is registered");
    const [, document = ""] = /<<EOF\n([\s\S]*)\nEOF$/.exec(problem.detail ?? "") ?? [];
    expect(await log.line('"event":"misconfigured"')).toContain("default/newcomer");

    // Meanwhile nobody can call it: it has no identity that a proof could be for.
    expect((await mesh.from("web").fetch("http://newcomer/")).status).toBe(404);
    // A join that failed is remembered for a second.
    await mesh.advance("2s");
    expect((await mesh.apply([`${document}\n`])).applied).toBe(true);
    expect((await mesh.raw("newcomer").fetch("http://newcomer/")).status).toBe(400);
    expect(await (await mesh.from("web").fetch("http://newcomer/")).text()).toBe("handled");
  });

  test("that is taken out of the mesh while it runs is no longer called", async () => {
    expect(await (await mesh.from("web").fetch("http://newcomer/")).text()).toBe("handled");
    const response = await mesh.api("/api/policies/Service/default/newcomer", { method: "DELETE" });
    expect(response.status).toBe(200);
    // Control keeps what it knows of the mesh for a quarter of a second, and tells it with the next report.
    await mesh.advance("2s");
    await mesh.settle();
    expect((await mesh.from("web").fetch("http://newcomer/")).status).toBe(404);
  });
});
