import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { type Endpoint, TransportFailure } from "../../../mesh-runtime/foundation/ports.ts";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import type { Credential } from "../../../mesh-runtime/identity/words.ts";
import { outbound } from "../../../mesh-runtime/outbound.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { meshTraffic } from "../../../mesh-runtime/policy/defaults.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import type { Loaded } from "../../../mesh-runtime/policy/loaded.ts";
import type { Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
import { entering } from "../../../mesh-runtime/routing/listeners.ts";
import { withRefused } from "../policy/refusing.ts";
import { documents, policy } from "../policy/writing.ts";
import { quietPorts } from "./quiet-ports.ts";

/** What became of a request. */
export interface Ending {
  readonly status: number;
  /** The binding that it went to; absent when it went nowhere. */
  readonly to?: string;
  /** Which problem, where the mesh itself answered. */
  readonly problem?: string;
}

/** A request that leaves. */
export interface Sent {
  /** `namespace/name` of the workload that sends it, or whose worker takes it in. @default default/web, or default/gateway */
  readonly from?: string;
  /** In [0, 1): which share it falls into. @default 0 */
  readonly point?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds for which it is under way already. @default 0 */
  readonly ageMs?: number;
}

const clock = { now: () => 1_000_000 };

/**
 * Documents as they take effect: compiled, loaded by each workload, and asked through its outbound journey. Every
 * Service is reached by its binding, and answers with its name; those in `gone` cannot be reached. What stands in
 * `inForce` is in force although it would be refused today.
 */
export function smallMesh(
  texts: readonly string[],
  gone: readonly string[] = [],
  inForce: readonly string[] = [],
) {
  const believing = policy("MeshConfig", "mesh", "{defaults: {evidence: binding}}");
  const valid = documents(believing, ...texts);
  const { documents: all, refused } = withRefused(valid, inForce);
  return meshOf(compile(all, { refused }), gone);
}

/** The same, of snapshots that somebody else has compiled. */
export function meshOf(snapshots: Pick<ReadonlyMap<string, Snapshot>, "get">, gone: readonly string[] = []) {
  async function loadedBy(workload: string): Promise<Loaded> {
    const text = canonicalJson(snapshots.get(workload));
    const loaded = await load(text, { epoch: 1, digest: await digestOf(text) }, workload);
    if (!loaded.ok) throw new Error(loaded.reason);
    return loaded.value;
  }

  async function leave(loaded: Loaded, url: URL, sent: Sent, inside: boolean): Promise<Ending> {
    const target = inside ? loaded.destinationByHost(url.hostname) : entering(loaded.listenerFor, url);
    if (target === undefined) throw new Error(`nobody is ${url.host}`);
    let to: string | undefined;
    const send = async (endpoint: Endpoint): Promise<Response> => {
      const binding = endpoint.kind === "url" ? endpoint.url : endpoint.binding;
      if (gone.includes(binding)) throw new TransportFailure("gone");
      to = binding;
      return new Response(binding);
    };
    const random = () => sent.point ?? 0;
    const journey = outbound(
      quietPorts(loaded, {
        clock,
        random,
        credential: () => credentialOf(loaded),
        transport: { send, vouchesFor: () => true },
      }),
    );
    const response = await journey({
      message: { url, method: "GET", headers: new Fields(new Headers(sent.headers)), body: null },
      signal: undefined,
      cause: undefined,
      startedAt: clock.now() - (sent.ageMs ?? 0),
      background: { run: () => undefined },
      target,
      traffic: meshTraffic,
      policy: loaded,
      entry: inside ? undefined : loaded.entry,
    });
    const { status } = response;
    if (to !== undefined) return { status, to };
    const { type } = (await response.json()) as { readonly type: string };
    return { status, problem: type.slice(type.lastIndexOf("/") + 1) };
  }

  /** Of no issuer: nobody here verifies what is signed with it. */
  async function credentialOf({ self }: Loaded): Promise<Credential> {
    const times = {
      issuedAt: clock.now(),
      expiresAt: clock.now() + 3_600_000,
      renewAt: clock.now() + 1_800_000,
    };
    return { id: self, wit: "e30.e30.e30", ...(await generateKeys()), ...times };
  }

  return {
    /** A call from one workload to a service. */
    call: async (url: string, sent: Sent = {}): Promise<Ending> =>
      leave(await loadedBy(sent.from ?? "default/web"), new URL(url), sent, true),
    /** What a workload runs. */
    snapshot: (workload: string) => snapshots.get(workload),
    /** A request from outside. */
    enter: async (url: string, sent: Sent = {}): Promise<Ending> =>
      leave(await loadedBy(sent.from ?? "default/gateway"), new URL(url), sent, false),
  };
}
