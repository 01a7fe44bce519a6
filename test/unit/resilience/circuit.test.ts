import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { acquire, askPatienceMs } from "../../../mesh-runtime/resilience/circuit.ts";
import { openVerdict, story, tripped, verdict } from "./circuit-story.ts";
import { fixed, circuitPolicy as policy } from "./examples.ts";

describe("the local breaker", () => {
  test("trips after five failures in a row that span half a second", () => {
    const it = tripped();
    expect(it.at().local.openUntil).toBe(2_000);
    expect(it.ask(1_999)).toMatchObject({ permit: undefined, ask: false, retryAfterMs: 1 });
  });

  test("does not trip in a blip, however many fail within it", () => {
    const it = story();
    for (let i = 0; i < 19; i++) it.send("failure", 100 + i * 20);
    expect(it.at().local.openUntil).toBeUndefined();
  });

  test("a success ends the run", () => {
    const it = story();
    for (const now of [0, 250, 500, 750]) it.send("failure", now);
    it.send("success", 800);
    it.send("failure", 1_000);
    expect(it.passes(1_000)).toBe(true);
  });

  test("trips when half of twenty outcomes within ten seconds fail", () => {
    const it = story();
    for (let i = 0; i < 19; i++) it.send(i % 2 === 0 ? "success" : "failure", i * 100);
    expect(it.passes(1_900)).toBe(true);
    it.send("failure", 1_900);
    expect(it.passes(1_901)).toBe(false);
  });

  test("failures from before the window are forgotten", () => {
    const it = story();
    for (let i = 0; i < 15; i++) it.send(i % 3 === 0 ? "success" : "failure", i * 10);
    for (let i = 0; i < 5; i++) it.send(i % 2 === 0 ? "success" : "failure", 20_000 + i);
    expect(it.passes(20_010)).toBe(true);
  });

  test("cancelled requests and refusals for load neither trip it nor end a run", () => {
    const it = story();
    for (let i = 0; i < 50; i++) {
      it.send("neutral", i * 100);
      it.send("overload", i * 100);
    }
    expect(it.at().local).toMatchObject({ run: 0, window: [], openUntil: undefined });
    for (const now of [5_000, 5_250, 5_500, 5_750]) it.send("failure", now);
    it.send("overload", 5_900);
    it.send("failure", 6_000);
    expect(it.passes(6_001)).toBe(false);
  });

  test("lets one probe through when the penalty is over, and closes when it succeeds", () => {
    const it = tripped();
    const probe = it.ask(2_000);
    expect(probe.permit?.kind).toBe("local-probe");
    expect(it.passes(2_001)).toBe(false);
    it.end(probe.permit, "success", 2_050);
    expect(it.at().local).toMatchObject({ openUntil: undefined, trips: 0, run: 0, window: [] });
    expect(it.passes(2_051)).toBe(true);
  });

  test.each(["failure", "overload"] as const)("a probe that ends in %s doubles the penalty", (outcome) => {
    const it = tripped();
    it.end(it.ask(2_000).permit, outcome, 2_100);
    expect(it.at().local.openUntil).toBe(2_100 + 2_000);
  });

  test("penalties stop at the maximum, and jitter adds up to half", () => {
    const it = story(tripped().at(), () => 0.999_999);
    let penalty = 0;
    for (let now = 2_000, i = 0; i < 12; i++) {
      it.end(it.ask(now).permit, "failure", now);
      const until = it.at().local.openUntil ?? now;
      penalty = until - now;
      now = until;
    }
    expect(penalty).toBeGreaterThan(30_000);
    expect(penalty).toBeLessThanOrEqual(45_000);
  });

  test("a cancelled probe gives its place to the next request at once", () => {
    const it = tripped();
    it.end(it.ask(2_000).permit, "neutral", 2_010);
    expect(it.ask(2_010).permit?.kind).toBe("local-probe");
  });

  test("a lost probe gives its lease back when the deadline passes, and its late outcome is ignored", () => {
    const it = tripped();
    const lost = it.ask(2_000);
    expect(it.passes(4_999)).toBe(false);
    const second = it.ask(5_000);
    expect(second.permit?.kind).toBe("local-probe");
    it.end(lost.permit, "success", 5_001);
    expect(it.at().local.openUntil).toBe(2_000);
    it.end(second.permit, "success", 5_002);
    expect(it.at().local.openUntil).toBeUndefined();
  });

  test("a probe's outcome that comes after its lease is ignored even if nobody took its place", () => {
    const it = tripped();
    const late = it.ask(2_000);
    it.end(late.permit, "success", 5_000);
    expect(it.at().local.openUntil).toBe(2_000);
  });

  test("outcomes of requests that left before the trip do not count after it", () => {
    const it = story();
    const early = Array.from({ length: 10 }, () => it.ask(0).permit);
    for (const now of [0, 250, 500, 750, 1_000]) it.send("failure", now);
    const { local } = it.at();
    for (const permit of early) it.end(permit, "failure", 1_100);
    expect(it.at().local).toEqual(local);
  });

  test("a clock that is set back does not keep it shut for longer than it could be", () => {
    const it = story();
    for (const now of [0, 250, 500, 750, 1_000]) it.send("failure", now + 1_000_000_000);
    expect(it.passes(1_000)).toBe(true);
  });
});

describe("the verdict of the authority", () => {
  test("an open one refuses until its probe is due, and then one request may ask", () => {
    const it = story();
    it.hear(openVerdict(), 10_000);
    expect(it.ask(10_999)).toMatchObject({ permit: undefined, ask: false, retryAfterMs: 1 });
    expect(it.ask(11_000)).toMatchObject({ permit: undefined, ask: true });
    expect(it.ask(11_001)).toMatchObject({ permit: undefined, ask: false });
    expect(it.ask(11_000 + askPatienceMs)).toMatchObject({ ask: true });
  });

  test("an open one that has become old may be asked about before its probe is due", () => {
    const it = story();
    it.hear(openVerdict({ probeInMs: 50_000 }), 10_000);
    expect(it.ask(15_000).ask).toBe(false);
    expect(it.ask(15_001).ask).toBe(true);
  });

  test("healthy requests are never told to ask", () => {
    for (const state of ["closed", "ramp"] as const) {
      const it = story();
      it.hear(verdict({ state, rampElapsedMs: 500, rampMs: 1_000 }), 0);
      expect(it.ask(30_000)).toMatchObject({ ask: false });
    }
    expect(story().ask(0).ask).toBe(false);
  });

  test("its lease ends 60 s after the authority said it, however far it travelled", () => {
    const it = story();
    it.hear(openVerdict({ ageMs: 59_000, probeInMs: 500_000 }), 0);
    expect(it.passes(999)).toBe(false);
    expect(it.passes(1_000)).toBe(true);
  });

  test("a ramp lets a share pass that never shrinks: a tenth at first, all at its end", () => {
    const it = story();
    it.hear(verdict({ state: "ramp", rampElapsedMs: 0, rampMs: 10_000 }), 0);
    const passesAt = (now: number, draw: number) =>
      acquire(it.at(), now, policy, () => draw).permit !== undefined;
    expect([passesAt(0, 0.09), passesAt(0, 0.11), passesAt(5_000, 0.49), passesAt(5_000, 0.51)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(passesAt(10_000, 0.999_999)).toBe(true);
    fc.assert(
      fc.property(
        fc.nat(12_000),
        fc.nat(12_000),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (a, b, draw) => a > b || !passesAt(a, draw) || passesAt(b, draw),
      ),
      fixed,
    );
  });

  test("closed in the known epoch leaves a local trip alone, because the fault may be here only", () => {
    const it = tripped();
    it.hear(verdict(), 1_100);
    it.hear(verdict(), 1_200);
    expect(it.passes(1_300)).toBe(false);
  });

  test.each(["closed", "ramp"] as const)(
    "%s in a newer epoch than the known one clears a local trip",
    (state) => {
      const it = story();
      it.hear(verdict(), 0);
      for (const now of [0, 250, 500, 750, 1_000]) it.send("failure", now);
      it.hear(verdict({ epoch: 5, state, rampElapsedMs: 900, rampMs: 1_000 }), 1_100);
      expect(it.passes(1_200)).toBe(true);
      expect(it.at().local.trips).toBe(0);
    },
  );

  test("a newer open leaves the local breaker as it is", () => {
    const it = tripped();
    it.hear(verdict(), 1_100);
    it.hear(openVerdict({ epoch: 3 }), 1_200);
    expect(it.at().local.openUntil).toBe(2_000);
  });

  test("the outcome of the authority's probe changes nothing here: the authority judges it", () => {
    const it = story();
    it.hear(openVerdict(), 0);
    const before = it.at();
    it.end({ kind: "probe", id: "p", incarnation: 1, epoch: 2 }, "failure", 500);
    expect(it.at()).toEqual(before);
  });
});
