import { bucketCount, emptyHistogram, mergeInto } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import { type EdgeKey, edgeName, other } from "@tulle/mesh-runtime/telemetry/instruments.ts";
import type { EdgeDelta } from "@tulle/mesh-runtime/telemetry/words.ts";

/** Length of one slot of the window, milliseconds. */
export const slotMs = 5_000;
/** How far back windows reach, milliseconds. */
export const longestWindowMs = 300_000;
/** When an edge without traffic makes room for others, if room is short, milliseconds: three windows. */
export const idleMs = 900_000;

const slotCount = longestWindowMs / slotMs;
const maxName = 256;

interface Counts {
  count: number;
  readonly latency: number[];
  latencySumMs: number;
}

interface Line extends Counts {
  readonly key: EdgeKey;
  lastSeenAt: number;
}

interface Slot {
  /** Time since the epoch divided by {@link slotMs}. */
  readonly index: number;
  /** By the names that {@link GoldenSignals.lines} has. */
  readonly counts: Map<string, Counts>;
}

/**
 * What is known of the traffic on some edges: totals since the beginning, and the last five minutes in slots.
 * Plain data, owned by whoever calls; only {@link absorb} changes it.
 */
export interface GoldenSignals {
  /** When counting began, milliseconds since the Unix epoch. */
  readonly since: number;
  /** Bound of lines; names beyond it count under `other`. */
  readonly maxLines: number;
  readonly lines: Map<string, Line>;
  /** Oldest first. */
  readonly slots: Slot[];
  /** Deltas that could not be read, such as those of a runtime with other latency buckets. */
  unreadable: number;
  sweptAt: number;
}

/** Signals of nothing yet. */
export const noSignals = (now: number, maxLines = 2_000): GoldenSignals => ({
  since: now,
  maxLines,
  lines: new Map(),
  slots: [],
  unreadable: 0,
  sweptAt: now,
});

/**
 * Adds what one report brought. It counts in the slot of `now`, because isolates' clocks differ; a clock that steps
 * back counts in the newest slot. Bounded: when all lines are taken, those without traffic for {@link idleMs} give
 * way, and what finds no room counts under route and backend `other`, then under `other` altogether.
 */
export function absorb(signals: GoldenSignals, deltas: readonly EdgeDelta[], now: number): void {
  const slot = slotOf(signals, now);
  for (const delta of deltas) {
    if (!readable(delta)) {
      signals.unreadable++;
      continue;
    }
    const [name, line] = lineOf(signals, delta, now);
    line.lastSeenAt = now;
    add(line, delta);
    const counts = slot.counts.get(name);
    if (counts === undefined) slot.counts.set(name, { ...copyOf(delta) });
    else add(counts, delta);
  }
}

/**
 * What happened within the last `windowMs`, one entry an edge. Slots that reach into the window count whole, so that
 * it may hold up to {@link slotMs} more than was asked for, and never less.
 * @param windowMs at most {@link longestWindowMs}
 */
export function window(signals: GoldenSignals, now: number, windowMs: number): EdgeDelta[] {
  const first = Math.floor((now - Math.min(windowMs, longestWindowMs)) / slotMs);
  const sums = new Map<string, Counts>();
  for (const { index, counts } of signals.slots) {
    if (index < first) continue;
    for (const [name, each] of counts) {
      const sum = sums.get(name);
      if (sum === undefined) sums.set(name, copyOf(each));
      else add(sum, each);
    }
  }
  return [...sums].flatMap(([name, counts]) => {
    const line = signals.lines.get(name);
    return line === undefined ? [] : [{ ...line.key, ...counts }];
  });
}

/** Everything since the beginning, one entry an edge: counters that only grow, until an idle edge makes room. */
export function totals(signals: GoldenSignals): EdgeDelta[] {
  return [...signals.lines.values()].map(({ key, count, latency, latencySumMs }) => ({
    ...key,
    count,
    latency: [...latency],
    latencySumMs,
  }));
}

/** The newest slot; older ones than a window reaches are dropped when a new one begins. */
function slotOf(signals: GoldenSignals, now: number): Slot {
  const { slots } = signals;
  const newest = slots.at(-1);
  const index = Math.floor(now / slotMs);
  if (newest !== undefined && newest.index >= index) return newest;
  const slot: Slot = { index, counts: new Map() };
  slots.push(slot);
  while ((slots[0]?.index ?? index) < index - slotCount) slots.shift();
  return slot;
}

function lineOf(signals: GoldenSignals, key: EdgeKey, now: number): readonly [string, Line] {
  const { lines, maxLines } = signals;
  if (lines.size >= maxLines && !lines.has(edgeName(key))) sweep(signals, now);
  const folded = { ...key, route: other, backend: other };
  // Of the last there are no more than perspectives times classes times kinds of refusal.
  const choices: readonly (readonly [EdgeKey, number])[] = [
    [key, maxLines],
    [folded, maxLines * 1.1],
    [{ ...folded, source: other, destination: other, refusal: "" }, Number.POSITIVE_INFINITY],
  ];
  for (const [choice, room] of choices) {
    const name = edgeName(choice);
    const held = lines.get(name);
    if (held !== undefined) return [name, held];
    if (lines.size < room) return [name, begin(signals, name, choice, now)];
  }
  throw new Error("Cannot happen: the last choice has room without bound");
}

function begin(signals: GoldenSignals, name: string, key: EdgeKey, now: number): Line {
  const { perspective, source, destination, route, backend, refusal } = key;
  const line: Line = {
    key: { perspective, source, destination, route, backend, class: key.class, refusal },
    count: 0,
    latency: emptyHistogram(),
    latencySumMs: 0,
    lastSeenAt: now,
  };
  signals.lines.set(name, line);
  return line;
}

/** Drops idle lines; at most once a minute, because it looks at all of them. No slot still holds what is dropped. */
function sweep(signals: GoldenSignals, now: number): void {
  if (now - signals.sweptAt < 60_000) return;
  signals.sweptAt = now;
  for (const [name, { lastSeenAt }] of signals.lines) {
    if (now - lastSeenAt > idleMs) signals.lines.delete(name);
  }
}

function add(into: Counts, from: EdgeDelta | Counts): void {
  into.count += from.count;
  into.latencySumMs += from.latencySumMs;
  mergeInto(into.latency, from.latency);
}

const copyOf = ({ count, latency, latencySumMs }: EdgeDelta | Counts): Counts => ({
  count,
  latency: [...latency],
  latencySumMs,
});

/** Counts that can be added, in the buckets that are known here, under names of bounded length. */
function readable(delta: EdgeDelta): boolean {
  const { source, destination, route, backend, refusal, count, latency, latencySumMs } = delta;
  return (
    [source, destination, route, backend, refusal].every((name) => name.length <= maxName) &&
    latency.length === bucketCount &&
    [count, ...latency].every((each) => Number.isSafeInteger(each) && each >= 0) &&
    latencySumMs >= 0 &&
    Number.isFinite(latencySumMs)
  );
}
