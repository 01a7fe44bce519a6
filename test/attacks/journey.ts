import { header } from "../../mesh-runtime/foundation/headers.ts";
import type { Handling } from "../../mesh-runtime/handled.ts";
import type { AnsweringPorts } from "../../mesh-runtime/identity/answering.ts";
import { GrantedSessions } from "../../mesh-runtime/identity/granted-sessions.ts";
import { ReplayWindow } from "../../mesh-runtime/identity/replay.ts";
import type { SessionKey } from "../../mesh-runtime/identity/session-keys.ts";
import { WitCache } from "../../mesh-runtime/identity/svid.ts";
import type { TrustBundle } from "../../mesh-runtime/identity/trust-bundle.ts";
import type { AskAdmission } from "../../mesh-runtime/identity/unrepeated.ts";
import { inbound } from "../../mesh-runtime/inbound.ts";
import { canonicalJson, digestOf } from "../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../mesh-runtime/policy/compile.ts";
import { load } from "../../mesh-runtime/policy/load.ts";
import type { Loaded } from "../../mesh-runtime/policy/loaded.ts";
import type { Snapshot } from "../../mesh-runtime/policy/snapshot.ts";
import { InFlight } from "../../mesh-runtime/resilience/admitted.ts";
import { Instruments } from "../../mesh-runtime/telemetry/instruments.ts";
import type { AccessRecord } from "../../mesh-runtime/telemetry/words.ts";
import { now, value } from "../unit/identity/fixture.ts";
import { type Users, users } from "../unit/identity/users.ts";
import { documents, policy, service } from "../unit/policy/writing.ts";

/*
 * A worker as an attacker meets it: the whole inbound journey over policy that was written, compiled and loaded,
 * with real cryptography. STRICT, and only `default/web` may call, and not what is below /admin.
 */

const written = [
  service("web"),
  service("payments"),
  policy("MeshConfig", "mesh", "{trustDomain: example.org}"),
  policy(
    "AuthorizationPolicy",
    "web-may-pay",
    "{rules: [{from: [{source: {principals: [example.org/ns/default/sa/web]}}]}]}",
  ),
  policy(
    "AuthorizationPolicy",
    "nobody-administers",
    '{action: DENY, rules: [{to: [{operation: {paths: ["/admin*"]}}, {operation: {methods: [DELETE]}}]}]}',
  ),
];

/** Makes a snapshot of these documents ready, with something of it changed before it is signed for. */
export async function loadedPolicy(
  change: (snapshot: Snapshot) => unknown = (snapshot) => snapshot,
  texts: readonly string[] = written,
  workload = "default/payments",
): Promise<Loaded> {
  const snapshot = compile(documents(...texts)).get(workload);
  if (snapshot === undefined) throw new Error(`there is no ${workload}`);
  const text = canonicalJson(change(snapshot));
  return value(await load(text, { epoch: 1, digest: await digestOf(text) }, workload));
}

/** What an attacker sees, and what became of the request behind it. */
export interface Seen {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** The last part of the problem's type; empty where the application answered. */
  readonly problem: string;
  /** The operator's side of it: the step and detail of the refusal. */
  readonly reason: string;
  /** What the application got; undefined: it was not called. */
  readonly handled: { readonly request: Request; readonly handling: Handling } | undefined;
  /** Everything that the access log says. */
  readonly line: string;
}

export interface Isolate {
  readonly cache: WitCache;
  readonly replay: ReplayWindow;
  readonly granted: GrantedSessions;
  /** Keys of issuers, and tokens of end users. */
  readonly users: Users;
  arrive(request: Request, at?: number, props?: unknown): Promise<Seen>;
}

/** One isolate of `default/payments`, with memory of its own. */
export function isolate(
  loaded: Loaded,
  trust: () => TrustBundle | undefined,
  handler: (request: Request) => Promise<Response> = async () => new Response("paid"),
  refreshTrust: () => Promise<TrustBundle | undefined> = async () => undefined,
  askAdmission?: AskAdmission,
  signing?: AnsweringPorts,
  sessionKeys: readonly SessionKey[] = [],
): Isolate {
  const cache = new WitCache();
  const replay = new ReplayWindow();
  const granted = new GrantedSessions();
  const inFlight = new InFlight();
  const known = users();
  let lines: string[] = [];
  let time = now;
  const clock = { now: () => time };
  const journey = inbound({
    clock,
    tracing: {
      clock,
      ids: { traceId: () => "a".repeat(32), spanId: () => "b".repeat(16) },
      instruments: new Instruments(),
      workload: loaded.snapshot.workload,
      settings: () => ({ ...loaded.snapshot.telemetry, accessLog: true }),
      epoch: () => 1,
      log: (line) => lines.push(line),
    },
    crashed: () => undefined,
    identity: {
      trust,
      refreshTrust,
      cache,
      replay,
      clock,
      signing,
      sessions: { keys: () => sessionKeys, granted },
      count: () => undefined,
    },
    users: known.ports,
    hear: () => undefined,
    ...(askAdmission === undefined ? {} : { askAdmission }),
    inFlight,
    tell: () => ({ epoch: 1, circuits: "" }),
  });

  return {
    cache,
    replay,
    granted,
    users: known,
    async arrive(request, at = now, props): Promise<Seen> {
      time = at;
      known.clock.at = at;
      lines = [];
      let handled: Seen["handled"];
      const going: Promise<unknown>[] = [];
      const response = await journey({
        request,
        bindingProps: props as undefined,
        startedAt: at,
        background: { run: (work) => void going.push(work) },
        policy: loaded,
        handle: (request, handling) => {
          handled = { request, handling };
          return handler(request);
        },
      });
      await Promise.all(going);
      const [line = "{}"] = lines;
      const body = await response.text();
      const { status, headers } = response;
      const problem = headers.get(header.problem) ?? "";
      const { reason } = JSON.parse(line) as AccessRecord;
      return { status, headers, body, problem, reason, handled, line };
    },
  };
}
