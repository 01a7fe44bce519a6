import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Miniflare } from "miniflare";
import { parseDuration } from "../foundation/duration.ts";
import type { EdgeDelta, SpanRecord } from "../telemetry/words.ts";
import { type Harness, harnessOver, harnessWorker } from "./harness-client.ts";
import { type ServiceUnderTest, serviceDocuments, serviceWorker } from "./services.ts";
import type { Fault } from "./worker/fault.ts";
import { runInWorkerd, type WorkerToRun } from "./workerd.ts";
import { readWranglerConfig } from "./wrangler-config.ts";

export type { ServiceUnderTest } from "./services.ts";
export type { Fault } from "./worker/fault.ts";
export { runInWorkerd, type WorkerToRun } from "./workerd.ts";
export { readWranglerConfig, type WorkerConfig } from "./wrangler-config.ts";

export interface MeshOptions {
  /** The services of the mesh, by name (namespace `default`). */
  readonly services: Readonly<Record<string, ServiceUnderTest>>;
  /**
   * Policy documents: files, folders, or texts (a text has a line break). A service that no Service
   * document names gets a plain one. @default []
   */
  readonly policies?: readonly string[];
  /** Where lines that workers log go, the JSON access log among them. @default nowhere */
  readonly onLog?: (line: string) => void;
}

/** Something that changes policy: what `tulle apply` takes. */
export interface Applied {
  readonly revision: number;
  readonly applied: boolean;
  readonly issues: readonly {
    readonly severity: string;
    readonly line: number;
    readonly path: string;
    readonly message: string;
  }[];
}

export interface TestMesh extends AsyncDisposable {
  /** Sends a request from outside, through the gateway. */
  fetch(input: string, init?: RequestInit): Promise<Response>;
  /** Sends requests as a workload: through its outbound journey. */
  from(service: string): { fetch(input: string, init?: RequestInit): Promise<Response> };
  /** Delivers requests to a worker as they are: no gateway, no identity. */
  raw(service: string): { fetch(input: string, init?: RequestInit): Promise<Response> };
  /** Applies documents; returns when every service runs the result. Refused documents change nothing and are told in `issues`. */
  apply(policies: readonly string[]): Promise<Applied>;
  /** Golden signals and circuits, after everything that is under way has been reported. */
  signals(): Promise<Signals>;
  /** The spans of a trace, after everything that is under way has been reported. */
  trace(traceId: string): Promise<readonly SpanRecord[]>;
  /** Breaks a worker: it answers with a status, or is slow, for a share of its requests. */
  break(service: string, fault: Fault): Promise<void>;
  mend(service: string): Promise<void>;
  /** Moves the clock of every isolate on, and lets everything that is due be reported. */
  advance(duration: string | number): Promise<void>;
  /** Lets every isolate report what is due and take in what control answers. */
  settle(): Promise<void>;
  /** Calls the admin API as an operator. */
  api(path: string, init?: RequestInit): Promise<Response>;
  /** What runs the mesh, for tests that need its KV or Durable Objects. */
  readonly runtime: Miniflare;
  dispose(): Promise<void>;
}

export interface Signals {
  readonly edges: readonly EdgeDelta[];
  readonly circuits: readonly { readonly circuit: string; readonly state: string; readonly epoch: number }[];
}

const controlName = "tulle-control";
const gatewayName = "gateway";
/** How often `apply` asks before it says that a service does not follow. */
const mostRounds = 20;

/**
 * Starts a whole mesh in one workerd: control, gateway and the given services, all real.
 * @throws Error when a worker does not build or start, or when the policies are refused (with every issue)
 */
export async function startMesh(options: MeshOptions): Promise<TestMesh> {
  const token = randomBytes(24).toString("base64url");
  const control = readWranglerConfig(fileOf("@tulle/control/wrangler.toml"));
  const names = Object.keys(options.services);
  const workers: WorkerToRun[] = [
    {
      config: control,
      vars: { TULLE_OPERATOR_TOKEN: token, TULLE_KEY_SECRET: randomBytes(32).toString("base64") },
      wrap: (main) => wrapped(main, "breakable"),
    },
    serviceWorker(gatewayName, { entry: fileOf("@tulle/gateway-worker"), meshed: false }, names, wrapped),
    ...names.map((name) => serviceWorker(name, options.services[name] ?? {}, names, wrapped)),
  ];
  const harnessed = harnessWorker([controlName, gatewayName, ...names], control.compatibilityDate);
  const runtime = await runInWorkerd(
    [harnessed, ...workers],
    options.onLog === undefined ? {} : { onLog: options.onLog },
  );
  const mesh = testMesh(runtime, harnessOver(runtime), [gatewayName, ...names], token);
  try {
    const texts = sourcesOf(options.policies ?? []);
    const first = await mesh.apply([...texts, ...serviceDocuments([gatewayName, ...names], texts)]);
    if (!first.applied)
      throw new Error(`The policies are refused:\n${first.issues.map((issue) => issue.message).join("\n")}`);
    return mesh;
  } catch (error) {
    await mesh.dispose();
    throw error;
  }
}

function testMesh(runtime: Miniflare, harness: Harness, members: readonly string[], token: string): TestMesh {
  const api = (at: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${token}`);
    return harness.send(controlName, "worker", new Request(`http://control${at}`, { ...init, headers }));
  };
  const json = async <Answer>(at: string): Promise<Answer> => (await api(at)).json() as Promise<Answer>;
  const report = (join: boolean): Promise<number[]> =>
    Promise.all(members.map(async (name) => Number(await harness.call(name, "report", join))));
  const settle = async (): Promise<void> => void (await report(false));

  async function apply(policies: readonly string[]): Promise<Applied> {
    const sources = sourcesOf(policies).map((text, index) => ({ source: `document ${index + 1}`, text }));
    const response = await api("/api/policies", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sources, reason: "test" }),
    });
    const answer = (await response.json()) as Applied;
    if (!response.ok && response.status !== 422)
      throw new Error(`control answered ${response.status}: ${JSON.stringify(answer)}`);
    if (answer.issues.some((issue) => issue.severity === "error")) return { ...answer, applied: false };
    for (let round = 0; round < mostRounds; round++) {
      const epochs = await report(true);
      if (epochs.every((epoch) => epoch >= answer.revision)) return { ...answer, applied: true };
    }
    throw new Error(`Not every service runs revision ${answer.revision} after ${mostRounds} reports`);
  }

  return {
    fetch: (input, init) => harness.send(gatewayName, "worker", new Request(input, init)),
    from: (service) => ({
      fetch: (input, init) => harness.send(service, "driver", new Request(input, init)),
    }),
    raw: (service) => ({ fetch: (input, init) => harness.send(service, "worker", new Request(input, init)) }),
    apply,
    async signals() {
      await settle();
      return json<Signals>("/api/services");
    },
    async trace(traceId) {
      await settle();
      const response = await api(`/api/traces/${traceId}`);
      return response.ok ? ((await response.json()) as { spans: readonly SpanRecord[] }).spans : [];
    },
    break: async (service, fault) => void (await harness.call(service, "setFault", fault)),
    mend: async (service) => void (await harness.call(service, "setFault", null)),
    async advance(duration) {
      const ms = typeof duration === "number" ? duration : msOf(duration);
      await Promise.all([controlName, ...members].map((name) => harness.call(name, "advance", ms)));
      await settle();
    },
    settle,
    api,
    runtime,
    dispose: () => runtime.dispose(),
    [Symbol.asyncDispose]: () => runtime.dispose(),
  };
}

function msOf(text: string): number {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new RangeError(`Expected ${parsed.reason}, found ${JSON.stringify(text)}`);
  return parsed.value;
}

const driverFile = fileURLToPath(new URL("./worker/driver.ts", import.meta.url));
const drivenFile = fileURLToPath(new URL("./worker/driven.ts", import.meta.url));

/** The entry of a worker under test: its own exports, and the driver beside them. */
function wrapped(main: string, how: "driven" | "breakable"): string {
  return `
    import app from ${JSON.stringify(main)};
    import { ${how} } from ${JSON.stringify(drivenFile)};
    export * from ${JSON.stringify(main)};
    export { TulleDriver } from ${JSON.stringify(driverFile)};
    export default ${how}(app);`;
}

const fileOf = (specifier: string): string => fileURLToPath(import.meta.resolve(specifier));

/** The texts of documents: given as such, in files, or in folders. */
function sourcesOf(policies: readonly string[]): readonly string[] {
  return policies.flatMap((policy) => {
    if (policy.includes("\n")) return [policy];
    if (!statSync(policy).isDirectory()) return [readFileSync(policy, "utf8")];
    return readdirSync(policy)
      .filter((name) => /\.(ya?ml|json)$/.test(name))
      .sort()
      .map((name) => readFileSync(path.join(policy, name), "utf8"));
  });
}
