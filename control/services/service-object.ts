import { DurableObject } from "cloudflare:workers";
import { defaultCircuit } from "@tulle/mesh-runtime/policy/defaults.ts";
import type {
  CircuitAnswer,
  CircuitPolicy,
  CircuitReport,
  CircuitState,
} from "@tulle/mesh-runtime/resilience/words.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import type { EdgeDelta } from "@tulle/mesh-runtime/telemetry/words.ts";
import type { Env } from "../env.ts";
import { type Agreement, type PersistedAgreement, persistable, receive, revive } from "./agreement.ts";
import { absorb, noSignals, totals, window } from "./golden-signals.ts";
import { ReportIds } from "./report-ids.ts";
import { type LastSeen, lateMs, type Seen, Sightings } from "./seen.ts";

/** What one report holds that concerns one service. */
export interface ServiceReport {
  /** The report's own id. */
  readonly id: string;
  readonly isolate: string;
  /** Whose object this is. */
  readonly service: ServiceKey;
  /** Rows about this service's circuit. */
  readonly circuits: readonly CircuitReport[];
  /** How the circuit is judged; absent for what is no destination. */
  readonly policy?: CircuitPolicy;
  readonly edges: readonly EdgeDelta[];
  /** What the isolate runs, where it is one of this service. */
  readonly ran?: { readonly epoch: number; readonly nextRoot?: string | undefined };
  readonly counters?: Readonly<Record<string, number>>;
}

export interface ServiceReportAnswer {
  readonly circuits: readonly CircuitAnswer[];
}

/** Who of a service believes a root key. */
export interface RootStanding {
  /** Isolates that do not say so. */
  readonly lacking: number;
  /** When the last report came, milliseconds since the Unix epoch; undefined: never. */
  readonly lastSeenAt: number | undefined;
}

/** What one service's object tells about it. */
export interface ServiceTelling {
  readonly seen: Seen;
  readonly edges: readonly EdgeDelta[];
  /** Absent while nobody has reported on the circuit. */
  readonly circuit?: {
    readonly circuit: string;
    readonly state: CircuitState;
    readonly sinceMs: number;
    readonly epoch: number;
  };
  /** Sums of what this service's isolates counted beside requests. */
  readonly events: Readonly<Record<string, number>>;
}

/** How often the last sighting is written down while nothing changes, milliseconds. */
const sightingMs = 60_000;
/** Names of counters that are summed up; the rest count under `other`. */
const maxEvents = 128;

/**
 * One service's object: the authority over its circuit, its golden signals, and which of its isolates run what.
 * Everything lives in memory and may be lost; only what others build on is written: each transition of the circuit
 * before anybody hears of it, and now and then who was seen last.
 */
export class ServiceObject extends DurableObject<Env> {
  readonly #sightings = new Sightings();
  readonly #signals = noSignals(Date.now());
  readonly #ids = new ReportIds();
  readonly #events = new Map<string, number>();
  /** What isolates refused to take from control, and when they told of it last. */
  #refused = { count: 0, at: 0 };
  #written: LastSeen | undefined;
  #agreement: Agreement | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#written = ctx.storage.kv.get<LastSeen>("last-seen");
    if (this.#written !== undefined) this.#sightings.saw(this.#written);
  }

  /** Takes in what one report says of this service, once, and answers its circuit. */
  report(part: ServiceReport): ServiceReportAnswer {
    const now = Date.now();
    if (this.#ids.first(part.id)) {
      absorb(this.#signals, part.edges, now);
      this.#count(part.counters ?? {}, now);
    }
    if (part.ran !== undefined) this.#saw({ isolate: part.isolate, ...part.ran, at: now });
    return { circuits: this.#judge(part, now) };
  }

  /** Who runs what, as far as was seen lately. */
  seen(): Seen {
    const now = Date.now();
    const { count, at } = this.#refused;
    return {
      ...this.#sightings.summary(now),
      ...(count > 0 && now - at <= lateMs ? { refused: count } : {}),
    };
  }

  /** Whether what runs here would go on by another root key. An idle service is stood for by its last report, however old. */
  standingOn(root: string): RootStanding {
    const now = Date.now();
    const last = this.#written;
    if (last === undefined) return { lacking: 0, lastSeenAt: undefined };
    const { isolates, lastSeenMs = now - last.at } = this.#sightings.summary(now);
    const lacking = isolates > 0 ? this.#sightings.lacking(root, now) : Number(last.nextRoot !== root);
    return { lacking, lastSeenAt: now - lastSeenMs };
  }

  /** The golden signals of the last `windowMs` and the circuit. */
  recent(windowMs: number): ServiceTelling {
    const now = Date.now();
    return this.#tell(window(this.#signals, now, windowMs), now);
  }

  /** The golden signals since this object's memory began, and the circuit. */
  sinceBeginning(): ServiceTelling {
    return this.#tell(totals(this.#signals), Date.now());
  }

  #tell(edges: readonly EdgeDelta[], now: number): ServiceTelling {
    const agreement = this.#agreement ?? this.ctx.storage.kv.get<PersistedAgreement>("agreement");
    return {
      seen: this.#sightings.summary(now),
      edges,
      events: Object.fromEntries(this.#events),
      ...(agreement === undefined
        ? {}
        : {
            circuit: {
              circuit: agreement.circuit,
              state: agreement.state,
              sinceMs: Math.max(0, now - agreement.since),
              epoch: agreement.epoch,
            },
          }),
    };
  }

  /** Answers each row; of one circuit's answers the last is the truth, and a permit that was given stays given. */
  #judge(
    { id, isolate, service, circuits, policy = defaultCircuit }: ServiceReport,
    now: number,
  ): CircuitAnswer[] {
    let last: CircuitAnswer | undefined;
    for (const row of circuits) {
      if (row.circuit !== service) continue;
      this.#agreement ??= revive(this.ctx.storage.kv.get<PersistedAgreement>("agreement"), service, now, now);
      const received = receive(this.#agreement, { ...row, isolate, reportId: id }, now, policy, Math.random);
      // The answer waits until this is on disk (output gate), so nobody hears of an epoch that could be lost.
      if (received.transition !== undefined)
        this.ctx.storage.kv.put("agreement", persistable(received.agreement));
      this.#agreement = received.agreement;
      const permit = received.answer.permit ?? last?.permit;
      last = { ...received.answer, ...(permit === undefined ? {} : { permit }) };
    }
    return last === undefined ? [] : [last];
  }

  #saw(sighting: LastSeen): void {
    this.#sightings.saw(sighting);
    const { epoch, at, nextRoot } = sighting;
    const isSame = this.#written?.epoch === epoch && this.#written.nextRoot === nextRoot;
    if (this.#written !== undefined && isSame && at - this.#written.at < sightingMs) return;
    this.#written = sighting;
    this.ctx.storage.kv.put("last-seen", this.#written);
  }

  #count(counters: Readonly<Record<string, number>>, now: number): void {
    const { bundle_refused = 0, snapshot_refused = 0, session_keys_refused = 0 } = counters;
    const refused = bundle_refused + snapshot_refused + session_keys_refused;
    if (refused > 0) {
      const before = now - this.#refused.at <= lateMs ? this.#refused.count : 0;
      this.#refused = { count: before + refused, at: now };
    }
    for (const [name, by] of Object.entries(counters)) {
      const known = this.#events.has(name) || this.#events.size < maxEvents ? name : "other";
      this.#events.set(known, (this.#events.get(known) ?? 0) + by);
    }
  }
}
