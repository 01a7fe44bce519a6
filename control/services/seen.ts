/** How long an isolate counts as running after its last report, milliseconds: several times the longest pause between reports. */
const activeMs = 60_000;
/** How long a service that is idle is still told of, by the last of its isolates, milliseconds. */
export const lateMs = 15 * 60_000;
/** Isolates remembered; above it the longest unseen goes first. */
const maxIsolates = 10_000;

/** What a service's own reports say of its isolates. */
export interface Seen {
  readonly isolates: number;
  /** 0 if none was seen lately. */
  readonly oldestEpoch: number;
  /** Milliseconds since the last report; absent if none is remembered. */
  readonly lastSeenMs?: number;
  /** Bundles, heads, snapshots and session keys of control's that isolates refused, until a quarter of an hour has passed without more. */
  readonly refused?: number;
}

interface Sighting {
  readonly epoch: number;
  readonly at: number;
  readonly nextRoot?: string | undefined;
}

/** The last report of a service, as it is kept over restarts of its object. */
export interface LastSeen {
  readonly isolate: string;
  readonly epoch: number;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** The next root key, where the isolate says that it believes it. */
  readonly nextRoot?: string | undefined;
}

/** Who has reported lately, in memory: one entry an isolate, in the order of their last reports. */
export class Sightings {
  readonly #isolates = new Map<string, Sighting>();

  /** An isolate reports what it runs. */
  saw({ isolate, epoch, at, nextRoot }: LastSeen): void {
    this.#isolates.delete(isolate);
    this.#isolates.set(isolate, { epoch, at, nextRoot });
    if (this.#isolates.size <= maxIsolates) return;
    const oldest = this.#isolates.keys().next();
    if (!oldest.done) this.#isolates.delete(oldest.value);
  }

  /**
   * What runs now: the isolates that reported within a minute. If there are none, the one that was seen last
   * stands for the service, because an idle service reports nothing and yet would run what it last had.
   */
  summary(now: number): Seen {
    const { counted, last } = this.#counted(now);
    if (last === undefined) return { isolates: 0, oldestEpoch: 0 };
    return {
      isolates: counted.length,
      oldestEpoch: Math.min(...counted.map(({ epoch }) => epoch)),
      lastSeenMs: Math.max(0, now - last.at),
    };
  }

  /** How many of these do not say that they believe a root key. */
  lacking(root: string, now: number): number {
    return this.#counted(now).counted.filter(({ nextRoot }) => nextRoot !== root).length;
  }

  #counted(now: number): { readonly counted: readonly Sighting[]; readonly last: Sighting | undefined } {
    for (const [isolate, { at }] of this.#isolates) {
      if (now - at <= lateMs) break;
      this.#isolates.delete(isolate);
    }
    const sightings = [...this.#isolates.values()];
    const last = sightings.at(-1);
    if (last === undefined) return { counted: [], last };
    const active = sightings.filter(({ at }) => now - at <= activeMs);
    return { counted: active.length > 0 ? active : [last], last };
  }
}
