import { describe, expect, test } from "vitest";
import { type Course, type Incident, live, type Moment } from "./small-mesh.ts";

const onset = 20_000;
const mended = 50_000;

const quiet: Incident = {
  seed: 1,
  untilMs: 80_000,
  isolates: 20,
  rps: [50, 1],
  failing: () => 0.01,
};
const outage: Incident = { ...quiet, failing: (at) => (at >= onset && at < mended ? 1 : 0.01) };

const between = (course: Course, from: number, to: number): readonly Moment[] =>
  course.moments.filter(({ at }) => at >= from && at < to);
const count = (moments: readonly Moment[], what: Moment["what"]): number =>
  moments.filter((moment) => moment.what === what).length;

describe.each([1, 2, 3])("twenty isolates and one authority, seed %d", (seed) => {
  test("in good times nothing is refused, and the object hears 2 reports a second from each at most", () => {
    const course = live({ ...quiet, seed });
    expect(count(course.moments, "refused")).toBe(0);
    expect(course.transitions).toEqual([]);
    expect(course.calls / 80).toBeLessThan(41);
  });

  test.each([0.05, 0.1, 0.2])("a background of %d errors opens nothing for all", (share) => {
    const course = live({ ...quiet, seed, failing: () => share });
    expect(course.transitions).toEqual([]);
    expect(count(course.moments, "refused") / course.moments.length).toBeLessThan(0.005);
  });

  test("an outage is shut off in all isolates within three seconds; one that was silent learns by its next report", () => {
    const course = live({ ...outage, seed });
    const opened = course.transitions[0];
    expect(opened?.to).toBe("open");
    expect((opened?.at ?? 0) - onset).toBeLessThan(2_000);

    const during = between(course, onset + 3_000, mended);
    const leaked = during.filter(({ what }) => what === "sent");
    for (const { isolate, at } of leaked) {
      expect(isolate).toBeGreaterThanOrEqual(15);
      const first = course.moments.find(
        (moment) => moment.isolate === isolate && moment.at >= (opened?.at ?? 0),
      );
      expect(at - (first?.at ?? 0)).toBeLessThan(600);
    }
    expect(count(during, "local-probe")).toBe(0);
    // One global probe at a time: 1 s, then half as long again each, to 5 s.
    expect(count(during, "probe")).toBeLessThanOrEqual(12);
    expect(new Set(during.map(({ isolate }) => isolate)).size).toBe(20);
  });

  test("with gossip no request at all leaks after three seconds", () => {
    const course = live({ ...outage, seed, rps: [20, 1], gossip: true });
    const during = between(course, onset + 3_000, mended);
    expect([count(during, "sent"), count(during, "local-probe")]).toEqual([0, 0]);
    expect(count(between(course, mended + 20_000, quiet.untilMs), "refused")).toBe(0);
  });

  test("after the backend is mended it closes again by a ramp, and then nothing is refused", () => {
    const course = live({ ...outage, seed });
    const after = course.transitions.filter(({ at }) => at >= mended).map(({ to }) => to);
    expect(after.slice(-2)).toEqual(["ramp", "closed"]);
    expect(course.transitions.filter(({ to }) => to === "ramp")).toHaveLength(1);
    expect(count(between(course, mended + 20_000, quiet.untilMs), "refused")).toBe(0);
    expect(course.states.every((state) => state === "closed" || state === "ramp")).toBe(true);

    const ramp = course.transitions.find(({ to }) => to === "ramp")?.at ?? 0;
    const shares = [0, 1, 2, 3].map((i) => {
      const part = between(course, ramp + i * 2_500, ramp + (i + 1) * 2_500);
      return count(part, "sent") / part.length;
    });
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
  });

  test("probes that are lost do not lock it", () => {
    const course = live({ ...outage, seed, untilMs: 110_000, losesProbe: (n) => n % 2 === 1 });
    expect(course.transitions.at(-1)?.to).toBe("closed");
    expect(count(between(course, 100_000, 110_000), "refused")).toBe(0);
  });

  test("the loss of the authority in mid-incident lets no flood through and wedges nothing", () => {
    const down = { from: onset + 10_000, to: mended + 30_000 };
    const course = live({
      ...outage,
      seed,
      untilMs: 130_000,
      authorityDown: (at) => at >= down.from && at < down.to,
    });
    // Each isolate alone: penalties of 4, 8, 16, 30 s, one probe after each.
    const dark = between(course, down.from, mended);
    expect(count(dark, "sent")).toBe(0);
    expect(count(dark, "local-probe")).toBeLessThanOrEqual(20 * 3);
    // Mended while it is still away: isolates find out by themselves.
    const alone = between(course, down.to - 5_000, down.to);
    expect(count(alone, "sent") / alone.length).toBeGreaterThan(0.4);
    // And when it is back, everything passes again.
    expect(count(between(course, 120_000, 130_000), "refused")).toBe(0);
    expect(course.transitions.at(-1)?.to).toBe("closed");
  });

  test("an object that is evicted every ten seconds decides no worse", () => {
    const course = live({ ...outage, seed, evictEveryMs: 10_000 });
    expect((course.transitions[0]?.at ?? 0) - onset).toBeLessThan(3_500);
    const busy = between(course, onset + 5_000, mended).filter(({ isolate }) => isolate < 15);
    expect(count(busy, "sent")).toBe(0);
    expect(course.transitions.at(-1)?.to).toBe("closed");
    expect(course.transitions.filter(({ to }) => to === "ramp")).toHaveLength(1);
  });
});

test("without any authority each isolate still protects its backend, and recovers", () => {
  const course = live({ ...outage, untilMs: 110_000, authorityDown: () => true });
  const during = between(course, onset + 5_000, mended);
  const busy = during.filter(({ isolate }) => isolate < 10);
  expect(count(busy, "sent")).toBe(0);
  expect(count(busy, "local-probe")).toBeLessThan(10 * 6);
  expect(count(between(course, 100_000, 110_000), "refused")).toBe(0);
});
