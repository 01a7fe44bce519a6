import type { CircuitState } from "@tulle/mesh-runtime/resilience/words.ts";

/** How often a sentinel reports, milliseconds. */
const sentinelMs = 500;
/** Sentinels of one circuit: 200 reports a second, a fifth of what one object bears. */
const mostSentinels = 100;
/** A sentinel that is silent for this long while the circuit passes requests gives its place up, milliseconds. */
const sentinelLeaseMs = 10_000;
/** How often everybody else may report, milliseconds. */
const pollMs = 1_000;
const longestPollMs = 30_000;
/** Reports a second from everybody else, above which all are told to come less often. */
const pollsPerSecond = 300;
/** Over how long questions are spread, milliseconds; adapts to how many come. */
const shortestAskSpreadMs = 100;
const longestAskSpreadMs = 5_000;
/** Questions a second that one object wants to hear about one circuit. */
const asksPerSecond = 20;

/** Who reports how often. Kept apart from the judgement: it may be lost at any time, and changes no verdict. */
export interface Pacing {
  readonly sentinels: readonly { readonly isolate: string; readonly seenAt: number }[];
  /** The second that is being counted. */
  readonly second: number;
  readonly polls: number;
  readonly asks: number;
  readonly pollMs: number;
  readonly askSpreadMs: number;
  /** What the isolate that reported last is told. */
  readonly told: { readonly sentinel: boolean; readonly nextReportMs: number };
}

export const freshPacing = (): Pacing => ({
  sentinels: [],
  second: 0,
  polls: 0,
  asks: 0,
  pollMs,
  askSpreadMs: shortestAskSpreadMs,
  told: { sentinel: false, nextReportMs: pollMs },
});

/**
 * Decides whether the isolate that reports is a sentinel, and when it shall report again.
 *
 * A place on the panel is given to whoever comes while there is one, so that in a small mesh everybody
 * is a sentinel; what is reported plays no part, or the evidence would be biased. Places are given up
 * by silence, but only while requests pass: behind an open circuit every sentinel is silent, and giving
 * their places away then would make twice as many when it closes.
 */
export function paced(
  { pacing, state, since }: { readonly pacing: Pacing; readonly state: CircuitState; readonly since: number },
  report: { readonly isolate: string; readonly ask?: boolean },
  now: number,
): Pacing {
  const passing = state === "closed" || state === "ramp";
  const lasts = (seenAt: number) => !passing || now - Math.max(seenAt, since) < sentinelLeaseMs;
  const others = pacing.sentinels.filter((each) => each.isolate !== report.isolate && lasts(each.seenAt));
  const was = pacing.sentinels.some((each) => each.isolate === report.isolate);
  const sentinel = was || (passing && others.length < mostSentinels);
  const sentinels = sentinel ? [...others, { isolate: report.isolate, seenAt: now }] : others;
  const load = adapted(pacing, now);
  return {
    ...load,
    sentinels,
    polls: load.polls + (sentinel || report.ask === true ? 0 : 1),
    asks: load.asks + (report.ask === true ? 1 : 0),
    told: { sentinel, nextReportMs: Math.round(sentinel ? sentinelMs : load.pollMs) },
  };
}

/** Once a second: more than wanted came, so the next come less often; fewer came, so they may come sooner. */
function adapted(pacing: Pacing, now: number): Pacing {
  const second = Math.floor(now / 1_000);
  if (second <= pacing.second) return pacing;
  const pressure = (came: number, wanted: number) => Math.max(0.8, Math.min(4, came / wanted));
  return {
    ...pacing,
    second,
    polls: 0,
    asks: 0,
    pollMs: within(pollMs, pacing.pollMs * pressure(pacing.polls, pollsPerSecond), longestPollMs),
    askSpreadMs: within(
      shortestAskSpreadMs,
      pacing.askSpreadMs * pressure(pacing.asks, asksPerSecond),
      longestAskSpreadMs,
    ),
  };
}

const within = (least: number, value: number, most: number): number => Math.max(least, Math.min(most, value));
