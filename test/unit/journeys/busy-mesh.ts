import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { outbound } from "../../../mesh-runtime/outbound.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { meshTraffic } from "../../../mesh-runtime/policy/defaults.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import type { Loaded } from "../../../mesh-runtime/policy/loaded.ts";
import type { TrafficSettings } from "../../../mesh-runtime/resilience/words.ts";
import { entering } from "../../../mesh-runtime/routing/listeners.ts";
import type { Target } from "../../../mesh-runtime/routing/words.ts";
import { value } from "../identity/fixture.ts";
import { documents, policy } from "../policy/writing.ts";
import { quietPorts } from "./quiet-ports.ts";

/** How a request is answered. */
export interface Asked {
  /** Of one try after the other; then 200. */
  readonly statuses?: readonly number[];
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Answers wait for it. */
  readonly until?: Promise<unknown>;
  /** In [0, 1): which share it falls into. @default 0 */
  readonly point?: number;
}

/** What became of a request, and the tries that left. */
export interface Busy {
  readonly status: number;
  readonly sent: readonly Request[];
  readonly problem: string | null;
}

/**
 * Documents as they take effect in one isolate of `default/gateway` and in one of `default/web`, which remember what
 * they have sent. Callers are believed by their bindings, and a request leaves at once whatever the pause.
 */
export async function busyMesh(texts: readonly string[]) {
  const believing = policy("MeshConfig", "mesh", "{defaults: {evidence: binding}}");
  const snapshots = compile(documents(believing, ...texts));
  const clock = { now: () => 1_000_000 };

  async function isolate(workload: string) {
    const text = canonicalJson(snapshots.get(workload));
    const loaded = value(await load(text, { epoch: 1, digest: await digestOf(text) }, workload));
    const waiting = new Map<string, { readonly asked: Asked; readonly sent: Request[] }>();
    let point = 0;
    const ports = quietPorts(loaded, {
      clock,
      random: () => point,
      credential: async () => undefined,
      transport: {
        async send(_endpoint, request) {
          const { asked, sent } = waiting.get(request.headers.get("x-number") ?? "") ?? {};
          sent?.push(request);
          await asked?.until;
          return new Response(null, { status: asked?.statuses?.[(sent?.length ?? 1) - 1] ?? 200 });
        },
        vouchesFor: () => true,
      },
    });
    const journey = outbound(ports);
    return {
      loaded,
      async leave(
        url: URL,
        target: Target | undefined,
        traffic: TrafficSettings,
        asked: Asked,
      ): Promise<Busy> {
        if (target === undefined) throw new Error(`nobody is ${url.host}`);
        const sent: Request[] = [];
        const number = String(waiting.size);
        waiting.set(number, { asked, sent });
        point = asked.point ?? 0;
        const headers = new Fields(new Headers({ ...asked.headers, "x-number": number }));
        const { status, headers: said } = await journey({
          message: { url, method: asked.method ?? "GET", headers, body: null },
          signal: undefined,
          cause: undefined,
          startedAt: clock.now(),
          background: { run: () => undefined },
          target,
          traffic,
          policy: loaded,
        });
        return { status, sent, problem: said.get("tulle-problem") };
      },
    };
  }

  const workers = new Map<string, ReturnType<typeof isolate>>();
  const worker = (name: string) => {
    const known = workers.get(name) ?? isolate(name);
    workers.set(name, known);
    return known;
  };

  return {
    /** A request from outside. */
    async enter(to: string, asked: Asked = {}): Promise<Busy> {
      const { loaded, leave } = await worker("default/gateway");
      const url = new URL(to);
      return leave(url, entering(loaded.listenerFor, url), meshTraffic, asked);
    },
    /** A call of `default/web`. */
    async call(to: string, asked: Asked = {}): Promise<Busy> {
      const { loaded, leave } = await worker("default/web");
      const url = new URL(to);
      const destination = loaded.destinationByHost(url.hostname);
      return leave(url, destination, destination?.settings.traffic ?? meshTraffic, asked);
    },
    /** What a workload has in force. */
    loaded: async (workload: string): Promise<Loaded> => (await worker(workload)).loaded,
  };
}
