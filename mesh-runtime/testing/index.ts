import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Miniflare } from "miniflare";
import { parseDuration } from "../foundation/duration.ts";
import type { EdgeDelta, SpanRecord } from "../telemetry/words.ts";
import { type Harness, harnessOver, harnessWorker } from "./harness-client.ts";
import { type ServiceUnderTest, serviceDocuments, serviceWorker, type Wrapping } from "./services.ts";
import type { Fault } from "./worker/fault.ts";
import { startWorkerd, type VarsOf, type Workerd, type WorkerToRun } from "./workerd.ts";
import { readWranglerConfig } from "./wrangler-config.ts";

export type { ServiceUnderTest } from "./services.ts";
export type { Fault } from "./worker/fault.ts";
export { runInWorkerd, type VarsOf, type WorkerToRun } from "./workerd.ts";
export { readWranglerConfig, type WorkerConfig } from "./wrangler-config.ts";

export interface MeshOptions {
  /** The services of the mesh, by name. */
  readonly services: Readonly<Record<string, ServiceUnderTest>>;
  /**
   * Policy documents: files, folders, or texts (a text has a line break). A service that no Service
   * document names gets a plain one. @default []
   */
  readonly policies?: readonly string[];
  /** Variables and secrets of control, over its own. */
  readonly controlVars?: Readonly<Record<string, unknown>>;
  /** Variables of the gateway worker, such as its limits. */
  readonly gatewayVars?: Readonly<Record<string, unknown>>;
  /** Folder that keeps KV and Durable Objects, the one that wrangler calls `--persist-to`. @default none: they are gone with the mesh */
  readonly persist?: string;
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
  /** Where the gateway listens on this machine, for clients of other sorts; the host it hears is theirs to say. */
  readonly url: string;
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
  /**
   * Breaks a worker: it answers with a status, or is slow, for a share of its requests. `control` is the
   * control plane: its admin API answers so, and to every workload it throws instead.
   */
  break(service: string, fault: Fault): Promise<void>;
  mend(service: string): Promise<void>;
  /** How many requests have been hit since `break`: what reached a worker that does not run. */
  hits(service: string): Promise<number>;
  /**
   * Ends every isolate and starts them all again, as a deploy does: nobody has joined then and nothing is
   * broken, while KV, what Durable Objects have stored, and the time that tests moved on stay.
   * @param vars variables by the worker's name, over those that it had
   */
  restart(vars?: VarsOf): Promise<void>;
  /** Resets every Durable Object of control: what they have in memory is lost, what they have stored stays. */
  resetObjects(): Promise<void>;
  /** Moves the clock of every isolate on, and lets everything that is due be reported. */
  advance(duration: string | number): Promise<void>;
  /** Stops the clock of every isolate, so that only `advance` moves it on, however slow the machine is. Timeouts run on. */
  stopClock(): Promise<void>;
  /** Lets every isolate report what is due and take in what control answers. */
  settle(): Promise<void>;
  /** Calls the admin API as an operator. */
  api(path: string, init?: RequestInit): Promise<Response>;
  /** Where control listens on this machine, and its operator token: what the CLI calls TULLE_URL and TULLE_TOKEN. */
  readonly operator: { readonly url: string; readonly token: string };
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
const mostRounds = 400;

/**
 * Starts a whole mesh in one workerd: control, gateway and the given services, all real.
 * @throws Error when a worker does not build or start, or when the policies are refused (with every issue)
 */
export async function startMesh(options: MeshOptions): Promise<TestMesh> {
  const token = randomBytes(24).toString("base64url");
  const control = readWranglerConfig(fileOf("@tulle/control/wrangler.toml"));
  const names = Object.keys(options.services);
  const gateway: ServiceUnderTest = {
    entry: fileOf("@tulle/gateway-worker"),
    meshed: false,
    ...(options.gatewayVars === undefined ? {} : { vars: options.gatewayVars }),
  };
  const workers: WorkerToRun[] = [
    {
      config: control,
      vars: {
        TULLE_OPERATOR_TOKEN: token,
        TULLE_KEY_SECRET: randomBytes(32).toString("base64"),
        ...options.controlVars,
      },
      port: 0,
      wrap: (main) => wrapped(main, "control"),
    },
    { ...serviceWorker(gatewayName, gateway, names, wrapped), port: 0 },
    ...names.map((name) => {
      const { isolateOf = name } = options.services[name] ?? {};
      return serviceWorker(name, options.services[isolateOf] ?? {}, names, wrapped, isolateOf);
    }),
  ];
  const harnessed = harnessWorker([controlName, gatewayName, ...names], control.compatibilityDate);
  const workerd = await startWorkerd([harnessed, ...workers], {
    inspectObjects: true,
    ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
    ...(options.persist === undefined ? {} : { persist: options.persist }),
  });
  const { runtime } = workerd;
  const [url, controlUrl] = await Promise.all([
    addressOf(runtime, gatewayName),
    addressOf(runtime, controlName),
  ]);
  const mesh = testMesh(workerd, harnessOver(runtime), [gatewayName, ...names], {
    url,
    operator: { url: controlUrl, token },
  });
  try {
    const texts = sourcesOf(options.policies ?? []);
    const documents = serviceDocuments({ [gatewayName]: gateway, ...options.services }, texts);
    const first = await mesh.apply([...texts, ...documents]);
    if (!first.applied)
      throw new Error(`The policies are refused:\n${first.issues.map((issue) => issue.message).join("\n")}`);
    return mesh;
  } catch (error) {
    await mesh.dispose();
    throw error;
  }
}

function testMesh(
  { runtime, restart }: Workerd,
  harness: Harness,
  members: readonly string[],
  { url, operator }: Pick<TestMesh, "url" | "operator">,
): TestMesh {
  let movedOn = 0;
  let stoppedAt: number | undefined;
  const api = (at: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${operator.token}`);
    return harness.send(controlName, "worker", new Request(`http://control${at}`, { ...init, headers }));
  };
  const json = async <Answer>(at: string): Promise<Answer> => (await api(at)).json() as Promise<Answer>;
  const report = (join: boolean): Promise<number[]> =>
    Promise.all(members.map(async (name) => Number(await harness.call(name, "report", join))));
  const settle = async (): Promise<void> => void (await report(false));
  const everywhere = (method: string, ...args: readonly unknown[]): Promise<unknown> =>
    Promise.all([controlName, ...members].map((name) => harness.call(name, method, ...args)));
  const workerOf = (name: string): string =>
    name === "control" && !members.includes(name) ? controlName : known(name);

  /** The name of a worker that is there: a misspelt one must not look like an answer of the mesh. */
  function known(name: string): string {
    if (name === controlName || members.includes(name)) return name;
    throw new Error(`There is no service ${name} in this mesh under test; it has ${members.join(", ")}.`);
  }

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
      fetch: async (input, init) => harness.send(known(service), "driver", new Request(input, init)),
    }),
    raw: (service) => ({
      fetch: async (input, init) => harness.send(known(service), "worker", new Request(input, init)),
    }),
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
    break: async (service, fault) => void (await harness.call(workerOf(service), "setFault", fault)),
    mend: async (service) => void (await harness.call(workerOf(service), "setFault", null)),
    hits: async (service) => Number(await harness.call(workerOf(service), "hits")),
    async restart(vars = {}) {
      await restart(vars);
      await everywhere("advance", movedOn);
      if (stoppedAt !== undefined) await everywhere("stopClock", stoppedAt);
    },
    resetObjects: () => resetObjects(runtime),
    async advance(duration) {
      const ms = typeof duration === "number" ? duration : msOf(duration);
      movedOn += ms;
      await everywhere("advance", ms);
      await settle();
    },
    async stopClock() {
      stoppedAt = Date.now();
      await everywhere("stopClock", stoppedAt);
    },
    settle,
    api,
    url,
    operator,
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
function wrapped(main: string, how: Wrapping): string {
  const rpc = how === "control" ? "export const Workload = breakableRpc(all.Workload);" : "";
  return `
    import app, * as all from ${JSON.stringify(main)};
    import { breakable, breakableRpc, driven } from ${JSON.stringify(drivenFile)};
    export * from ${JSON.stringify(main)};
    export { TulleDriver } from ${JSON.stringify(driverFile)};
    ${rpc}
    export default ${how === "driven" ? "driven" : "breakable"}(app);`;
}

const objectClasses = [
  "PolicyObject",
  "IssuerObject",
  "ServiceObject",
  "TraceObject",
  "ReplayObject",
] as const;

async function resetObjects(runtime: Miniflare): Promise<void> {
  for (const className of objectClasses) {
    const ids = await runtime.listDurableObjectIds(className, controlName);
    for (const id of ids) await evicted(runtime.unsafeEvictDurableObject(controlName, className, { id }));
  }
}

/** An object that is not running has nothing in memory to lose. */
async function evicted(evicting: Promise<void>): Promise<void> {
  try {
    await evicting;
  } catch (error) {
    if (!(error instanceof Error && error.message.includes("not currently running"))) throw error;
  }
}

const addressOf = async (runtime: Miniflare, worker: string): Promise<string> =>
  (await runtime.unsafeGetDirectURL(worker)).origin;

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
