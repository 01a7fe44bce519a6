import { describe, expect, test } from "vitest";
import { receive, revive, verdictOf } from "../../../control/services/agreement.ts";
import { circuitPolicy as policy } from "../resilience/examples.ts";
import { circuit, even, mend, opened, story } from "./agreement-story.ts";

describe("opening", () => {
  test("twenty outcomes of which half fail, just now too, open it", () => {
    const it = opened();
    expect(it.at()).toMatchObject({ state: "open", epoch: 2, probeAt: 2_000, outageSince: 1_000 });
  });

  test("too few outcomes, or too few failures among them, do not", () => {
    const few = story();
    few.report(0, { failure: 19 });
    expect(few.at().state).toBe("closed");
    const mixed = story();
    mixed.report(0, { success: 21, failure: 19 });
    expect(mixed.at().state).toBe("closed");
  });

  test("thin traffic is judged over up to ten seconds, and forgotten after them", () => {
    const thin = story();
    for (let i = 0; i < 20; i++) thin.report(i * 490, { failure: 1 });
    expect(thin.at().state).toBe("open");
    const thinner = story();
    for (let i = 0; i < 40; i++) thinner.report(i * 1_000, { failure: 1 });
    expect(thinner.at().state).toBe("closed");
  });

  test("a blip that is over opens nothing, though the window still holds it", () => {
    const blip = (success: number) => {
      const it = story();
      it.report(0, { failure: 16 });
      it.report(1_500, { success, failure: 1 });
      return it.at().state;
    };
    // Five outcomes just now say that it is over; four are too few to say anything.
    expect([blip(4), blip(3)]).toEqual(["closed", "open"]);
  });

  test("a report without failures never opens anything, even where it makes the numbers complete", () => {
    const it = story();
    it.report(0, { failure: 19 });
    it.report(1, { success: 1 });
    expect(it.at().state).toBe("closed");
    it.report(2, { failure: 1 });
    expect(it.at().state).toBe("open");
  });

  test("counts that failures triggered are no evidence", () => {
    const it = story();
    it.report(0, { failure: 1_000, evidence: false });
    expect(it.at()).toMatchObject({ state: "closed", window: [] });
  });

  test("refusals for load open nothing: cutting a destination off makes no goodput of some", () => {
    const it = story();
    for (let i = 0; i < 20; i++) it.report(i * 100, { overload: 1_000, success: 1 });
    expect(it.at().state).toBe("closed");
  });

  test("a report that is delivered twice counts once, its rows of different epochs count each", () => {
    const it = story();
    for (let i = 0; i < 5; i++) it.report(i, { failure: 10, reportId: "same" });
    expect(it.at().window).toMatchObject([{ failure: 10 }]);
    it.report(6, { failure: 5, reportId: "same", incarnation: 0, epoch: 0 });
    expect(it.at().window).toMatchObject([{ failure: 15 }]);
  });

  test("report ids that are remembered are bounded", () => {
    const it = story();
    for (let i = 0; i < 3_000; i++) it.report(i, { success: 1 });
    const { seen } = it.at();
    expect(seen.now.length + seen.before.length).toBeLessThanOrEqual(1_000);
  });

  test("a policy that switches circuits off closes what is open and opens nothing", () => {
    const off = { ...policy, enabled: false };
    const it = opened();
    const report = {
      circuit,
      success: 0,
      failure: 99,
      overload: 0,
      evidence: true,
      incarnation: 1_000,
      epoch: 2,
    };
    const received = receive(it.at(), { ...report, isolate: "a", reportId: "r" }, 1_100, off, even);
    expect(received.transition).toEqual({ from: "open", to: "closed", epoch: 3, at: 1_100 });
    const again = receive(
      received.agreement,
      { ...report, epoch: 3, isolate: "a", reportId: "s" },
      1_200,
      off,
      even,
    );
    expect(again.agreement.state).toBe("closed");
  });
});

describe("probing", () => {
  test("before its time nobody gets a permit, then one isolate does, and only one", () => {
    const it = opened();
    expect(it.ask(1_999)).toBeUndefined();
    expect(it.ask(2_000)).toMatchObject({ leaseMs: 3_000 });
    expect(it.ask(2_001)).toBeUndefined();
    expect(it.at().state).toBe("half-open");
  });

  test("a failed probe opens it again, for half as long again, to at most five seconds", () => {
    const it = opened();
    const cools: number[] = [];
    for (let i = 0; i < 6; i++) {
      const now = it.at().probeAt;
      it.result(now + 10, it.ask(now)?.id ?? "", i % 2 === 0 ? "failure" : "overload");
      cools.push(it.at().coolMs);
    }
    expect(cools).toEqual([1_500, 2_250, 3_375, 5_000, 5_000, 5_000]);
  });

  test("a lost permit is neither success nor failure: its lease ends, the next isolate gets one", () => {
    const it = opened();
    const lost = it.ask(2_000);
    expect(it.ask(4_999)).toBeUndefined();
    const next = it.ask(5_000);
    expect(next).toBeDefined();
    it.result(5_100, lost?.id ?? "", "failure");
    expect(it.at()).toMatchObject({ state: "half-open", successes: 0 });
    it.result(5_200, next?.id ?? "", "success");
    expect(it.at()).toMatchObject({ state: "half-open", successes: 1 });
  });

  test("a cancelled probe gives its permit back at once", () => {
    const it = opened();
    it.result(2_100, it.ask(2_000)?.id ?? "", "neutral");
    expect(it.ask(2_101)).toBeDefined();
  });

  test("a permit's outcome counts once", () => {
    const it = opened();
    const permit = it.ask(2_000)?.id ?? "";
    for (let i = 0; i < 5; i++) it.result(2_100 + i, permit, "success");
    expect(it.at()).toMatchObject({ state: "half-open", successes: 1 });
  });

  test("whoever does not get the permit is told to come back at a time of its own, within the spread", () => {
    const it = opened();
    it.ask(2_000);
    const times = [0, 0.5, 0.99].map((draw) => verdictOf(it.at(), 2_001, () => draw).probeInMs ?? -1);
    expect(times).toEqual([0, 50, 99]);
  });

  test("a clock that is set back holds no probe up for longer than a probe can take", () => {
    const it = opened();
    it.ask(2_000);
    expect(it.ask(-1_000_000)).toBeDefined();
  });
});

describe("recovering", () => {
  test("three successes begin a ramp of half the outage, between one and ten seconds", () => {
    const mendedAfter = (outageMs: number) => {
      const it = opened();
      mend(it, 1_000 + outageMs - 250);
      return it.at();
    };
    expect(mendedAfter(1_500)).toMatchObject({ state: "ramp", rampMs: 1_000 });
    expect(mendedAfter(8_000)).toMatchObject({ state: "ramp", rampMs: 4_000 });
    expect(mendedAfter(60_000)).toMatchObject({ state: "ramp", rampMs: 10_000 });
  });

  test("the ramp is told as durations, and ends in closed by time alone", () => {
    const it = opened();
    mend(it, 8_750);
    const { rampStartedAt } = it.at();
    expect(verdictOf(it.at(), rampStartedAt + 1_000, even)).toMatchObject({
      rampElapsedMs: 1_000,
      rampMs: 4_000,
    });
    it.report(rampStartedAt + 3_999);
    expect(it.at().state).toBe("ramp");
    expect(it.report(rampStartedAt + 4_000).answer.verdict.state).toBe("closed");
    expect(it.transitions).toEqual(["open", "half-open", "ramp", "closed"]);
  });

  test("outcomes of epochs before the ramp change nothing", () => {
    const it = opened();
    mend(it, 8_750);
    const epochs = [0, 1, 2, 3].map((epoch) => ({ incarnation: epoch === 0 ? 0 : 1_000, epoch }));
    for (const old of epochs) it.report(9_100, { failure: 500, ...old });
    expect(it.at()).toMatchObject({ state: "ramp", window: [] });
    it.report(9_200, { failure: 500 });
    expect(it.at().state).toBe("open");
  });

  test("outcomes of the ramp's epoch count on after it closed", () => {
    const it = opened();
    mend(it, 8_750);
    const { epoch } = it.at();
    it.report(13_000);
    it.report(13_100, { failure: 30, epoch });
    expect(it.at().state).toBe("open");
  });

  test("opening again soon after a recovery is flapping: longer pauses, longer ramps, to a bound", () => {
    const it = opened();
    const seen: [cool: number, ramp: number][] = [];
    for (let i = 0; i < 5; i++) {
      const cool = it.at().coolMs;
      mend(it, it.at().probeAt);
      seen.push([cool, it.at().rampMs]);
      it.report(it.at().rampStartedAt + 500, { failure: 30 });
    }
    expect(seen.map(([cool]) => cool)).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
    const ramps = seen.map(([, ramp]) => ramp);
    expect(ramps).toEqual([...ramps].sort((a, b) => a - b));
    expect(Math.max(...ramps)).toBeLessThanOrEqual(30_000);
  });
});

test("an agreement that was evicted decides like one that had an empty window", () => {
  const it = opened();
  it.evict(1_500);
  expect(it.ask(1_999)).toBeUndefined();
  mend(it, 2_000);
  expect(it.at()).toMatchObject({ state: "ramp", epoch: 4, rampMs: 1_000 });
  const early = story();
  early.report(0, { failure: 15 });
  early.evict(100);
  early.report(200, { failure: 15 });
  expect(early.at().state).toBe("closed");
});

test("with nothing kept it starts anew under its new incarnation, which every isolate takes for newer", () => {
  const fresh = revive(undefined, circuit, 5_000, 10);
  expect(fresh).toMatchObject({ circuit, incarnation: 5_000, epoch: 1, state: "closed" });
});
