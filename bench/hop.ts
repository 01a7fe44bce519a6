/**
 * What the mesh adds to one hop between two workers. All variants run in one workerd process; requests are
 * interleaved at random, and the unmeshed pair runs twice (A/A), so that the noise is seen beside the result.
 *
 *     node bench/hop.ts [--rounds 100] [--hops 50] [--warm-up 100]
 *
 * V8 goes on optimizing a worker for tens of thousands of hops, so that the rounds before the first that counts
 * decide whether an isolate is measured that has just begun or one that has been at work for a minute.
 */
import http from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readWranglerConfig, runInWorkerd, type WorkerToRun } from "@tulle/mesh-runtime/testing";
import { freePorts, quantile, shuffled, textWorker } from "./support.ts";

const token = "only-for-this-bench-run-0123456789";
const runtimeFile = fileURLToPath(import.meta.resolve("@tulle/mesh-runtime/cloudflare"));

interface Variant {
  readonly name: string;
  readonly mesh?: {
    readonly evidence: "binding" | "signature";
    readonly rules: number;
    /** `refused`: each request is signed, none proved by a session. */
    readonly sessionProofs?: "refused";
  };
}

const variants: readonly Variant[] = [
  { name: "no-mesh" },
  { name: "no-mesh-again" },
  { name: "binding-10", mesh: { evidence: "binding", rules: 10 } },
  { name: "binding-1000", mesh: { evidence: "binding", rules: 1_000 } },
  { name: "signature-10", mesh: { evidence: "signature", rules: 10 } },
  { name: "signature-1000", mesh: { evidence: "signature", rules: 1_000 } },
  { name: "each-signed-10", mesh: { evidence: "signature", rules: 10, sessionProofs: "refused" } },
];

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "100" },
    hops: { type: "string", default: "50" },
    "warm-up": { type: "string", default: "100" },
  },
});
const rounds = Number(values.rounds);
const hopsPerRequest = Number(values.hops);
const warmUp = Number(values["warm-up"]);

const calleeText = (mesh: boolean): string => `
  ${mesh ? `import { mesh } from ${JSON.stringify(runtimeFile)};` : "const mesh = (app) => app;"}
  const app = mesh({ async fetch(request, env) { return new Response("called"); } });
  export default {
    fetch: app.fetch,
  };`;

/** The caller makes as many hops as the path says, one after the other; a request with none is what the way in from Node costs. */
const loopText = (mesh: boolean, host: string): string => `
  ${mesh ? `import { mesh } from ${JSON.stringify(runtimeFile)};` : "const mesh = (app) => app;"}
  const app = {
    async fetch(request, env) {
      const hops = Number(new URL(request.url).pathname.slice(1));
      for (let hop = 0; hop < hops; hop++) {
        const response = await env.${bindingOf(host)}.fetch("http://${host}/orders/17");
        if (response.status !== 200) return response;
        await response.text();
      }
      return new Response("done");
    },
  };
  export default mesh(app);`;

function worker(name: string, text: string, mesh: boolean, more: Partial<WorkerToRun> = {}): WorkerToRun {
  const control = {
    name: "tulle-control",
    entrypoint: "Workload",
    props: { service: name, namespace: "default" },
  };
  return {
    ...textWorker(name, text),
    ...more,
    services: { ...(mesh ? { MESH: control } : {}), ...more.services },
  };
}

/** Services, routes with so many rules on each callee, and the permission to call. */
function policies(): string {
  const meshed = variants.flatMap(({ name, mesh }) => (mesh === undefined ? [] : [{ name, ...mesh }]));
  return meshed
    .flatMap(({ name, evidence, rules, sessionProofs = "allowed" }) => [
      document("Service", "mesh.tulle.dev/v1", `caller-${name}`, { mode: "PERMISSIVE" }),
      document("Service", "mesh.tulle.dev/v1", `callee-${name}`, { evidence, sessionProofs }),
      document("AuthorizationPolicy", "mesh.tulle.dev/v1", `callee-${name}`, {
        targetRefs: [{ kind: "Service", name: `callee-${name}` }],
        action: "ALLOW",
        rules: [{ from: [{ source: { namespaces: ["default"] } }] }],
      }),
      ...routes(name, rules),
    ])
    .join("\n---\n");
}

/** The name that a Service document gives its binding when it says nothing else. */
const bindingOf = (service: string): string => service.toUpperCase().replaceAll("-", "_");

function routes(name: string, rules: number): string[] {
  const all = Array.from({ length: rules }, (_, index) => ({
    matches: [
      {
        path:
          index === rules - 1
            ? { type: "PathPrefix", value: "/orders" }
            : { type: "Exact", value: `/rule/${index}` },
      },
    ],
    backendRefs: [{ name: `callee-${name}`, port: 80 }],
  }));
  const found: string[] = [];
  for (let from = 0; from < all.length; from += 16) {
    found.push(
      document("HTTPRoute", "gateway.networking.k8s.io/v1", `callee-${name}-${from}`, {
        parentRefs: [{ group: "", kind: "Service", name: `callee-${name}` }],
        rules: all.slice(from, from + 16),
      }),
    );
  }
  return found;
}

const document = (kind: string, apiVersion: string, name: string, spec: object): string =>
  JSON.stringify({ apiVersion, kind, metadata: { name }, spec });

async function measure(): Promise<void> {
  const [controlPort = 0, ...callerPorts] = await freePorts(variants.length + 1);
  const ports = new Map(variants.map(({ name }, index) => [name, callerPorts[index] ?? 0]));
  const workers: WorkerToRun[] = [];
  for (const { name, mesh } of variants) {
    const port = ports.get(name) ?? 0;
    const props = { service: `caller-${name}`, namespace: "default" };
    workers.push(
      worker(`caller-${name}`, loopText(mesh !== undefined, `callee-${name}`), mesh !== undefined, {
        port,
        services: { [bindingOf(`callee-${name}`)]: { name: `callee-${name}`, props } },
      }),
      worker(`callee-${name}`, calleeText(mesh !== undefined), mesh !== undefined),
    );
  }
  const control: WorkerToRun = {
    config: readWranglerConfig(fileURLToPath(import.meta.resolve("@tulle/control/wrangler.toml"))),
    vars: { TULLE_OPERATOR_TOKEN: token, TULLE_KEY_SECRET: "a-key-secret-for-this-bench-run-only" },
    port: controlPort,
  };
  const runtime = await runInWorkerd([control, ...workers], { onLog: () => undefined });
  try {
    await apply(controlPort);
    const agents = new Map(
      [...ports.keys()].map((name) => [name, new http.Agent({ keepAlive: true, maxSockets: 1 })]),
    );
    const times = new Map<string, number[]>();
    for (let round = -warmUp; round < rounds; round++) {
      for (const { name } of shuffled(variants)) {
        const none = await timed(ports.get(name) ?? 0, 0, agents.get(name));
        const all = await timed(ports.get(name) ?? 0, hopsPerRequest, agents.get(name));
        if (round >= 0) times.set(name, [...(times.get(name) ?? []), (all - none) / hopsPerRequest]);
      }
    }
    for (const agent of agents.values()) agent.destroy();
    print(times);
  } finally {
    await runtime.dispose();
  }
}

async function apply(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/api/policies`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ sources: [{ source: "bench", text: policies() }], reason: "bench" }),
  });
  if (!response.ok)
    throw new Error(`control refused the policies: ${(await response.text()).slice(0, 2_000)}`);
}

function timed(port: number, hops: number, agent: http.Agent | undefined): Promise<number> {
  const begun = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    const request = http.get(
      { host: "127.0.0.1", port, path: `/${hops}`, ...(agent === undefined ? {} : { agent }) },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`port ${port} answered ${response.statusCode}`));
        response.resume();
        response.on("end", () => resolve(Number(process.hrtime.bigint() - begun) / 1_000));
      },
    );
    request.on("error", reject);
  });
}

function print(times: ReadonlyMap<string, readonly number[]>): void {
  const base = quantile(times.get("no-mesh") ?? [], 0.5);
  console.log(
    `one hop, microseconds; ${rounds} rounds of ${hopsPerRequest} hops each after ${warmUp} to warm up, interleaved in one workerd`,
  );
  console.log(
    `${"variant".padEnd(16)}${"p10".padStart(9)}${"p50".padStart(9)}${"p90".padStart(9)}${"added p50".padStart(11)}`,
  );
  for (const [name, all] of [...times].sort(([a], [b]) => order(a) - order(b))) {
    const [p10, p50, p90] = [0.1, 0.5, 0.9].map((share) => quantile(all, share));
    const cells = [p10, p50, p90].map((value) => (value ?? 0).toFixed(0).padStart(9)).join("");
    console.log(`${name.padEnd(16)}${cells}${((p50 ?? 0) - base).toFixed(0).padStart(11)}`);
  }
}

const order = (name: string): number => variants.findIndex((variant) => variant.name === name);

await measure();
