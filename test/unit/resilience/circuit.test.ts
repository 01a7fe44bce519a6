import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Acquired,
  acquire,
  askPatienceMs,
  type Circuit,
  freshCircuit,
  inForce,
  merge,
  type Permit,
  settle,
  unanswered,
} from "../../../mesh-runtime/resilience/circuit.ts";
import { ageOf, held, told, verdictLeaseMs } from "../../../mesh-runtime/resilience/circuit-verdict.ts";
import type { Outcome, Verdict } from "../../../mesh-runtime/resilience/words.ts";
import { fixed, circuitPolicy as policy } from "./examples.ts";

const still = () => 0;

const verdict = (changed: Partial<Verdict> = {}): Verdict => ({
  circuit: "default/payments",
  incarnation: 1,
  epoch: 2,
  state: "closed",
  ageMs: 0,
  ...changed,
});
const openVerdict = (changed: Partial<Verdict> = {}) =>
  verdict({ state: "open", probeInMs: 1_000, ...changed });

/** Follows one circuit through a story. */
function story(start: Circuit = freshCircuit(), random = still) {
  let circuit = start;
  return {
    at: () => circuit,
    ask(now: number): Acquired {
      const acquired = acquire(circuit, now, policy, random);
      circuit = acquired.circuit;
      return acquired;
    },
    end(permit: Permit | undefined, outcome: Outcome, now: number) {
      if (permit === undefined) throw new Error("there was no permit");
      circuit = settle(circuit, permit, outcome, now, policy, random);
    },
    /** One request that passes and ends at once. */
    send(outcome: Outcome, now: number) {
      this.end(this.ask(now).permit, outcome, now);
    },
    hear(come: Verdict, now: number, direct = true) {
      circuit = merge(circuit, come, now, direct);
    },
    silence(now: number) {
      circuit = unanswered(circuit, now, policy, random);
    },
    passes(now: number): boolean {
      return acquire(circuit, now, policy, random).permit !== undefined;
    },
  };
}

/** A circuit that its own failures opened at 1,000, until 2,000. */
function tripped() {
  const it = story();
  for (const now of [0, 250, 500, 750, 1_000]) it.send("failure", now);
  return it;
}

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

describe("a silent authority", () => {
  test("a cached open becomes a local open with a leased probe of its own", () => {
    const it = story();
    it.hear(openVerdict(), 0);
    it.ask(1_000);
    it.silence(1_300);
    expect(inForce(it.at(), 1_300)).toBeUndefined();
    expect(it.at().local.openUntil).toBe(1_300 + 4_000);
    const probe = it.ask(5_300);
    expect(probe.permit?.kind).toBe("local-probe");
    expect(it.passes(5_301)).toBe(false);
    it.end(probe.permit, "success", 5_400);
    expect(it.passes(5_401)).toBe(true);
  });

  test("silence about a circuit that is not open changes nothing", () => {
    const it = story();
    it.hear(verdict(), 0);
    it.silence(10);
    expect(inForce(it.at(), 10)?.state).toBe("closed");
  });

  test("what was said before the silence is not believed again, what is said after it is", () => {
    const it = story();
    it.hear(openVerdict(), 0);
    it.silence(2_000);
    it.hear(openVerdict({ ageMs: 500 }), 2_100, false);
    expect(inForce(it.at(), 2_100)).toBeUndefined();
    it.hear(openVerdict({ ageMs: 0 }), 2_200);
    expect(inForce(it.at(), 2_200)?.state).toBe("open");
  });

  test("a newer epoch ends the silence, whoever tells of it", () => {
    const it = story();
    it.hear(openVerdict(), 0);
    it.silence(2_000);
    it.hear(verdict({ epoch: 3, ageMs: 1_500 }), 2_100, false);
    expect(inForce(it.at(), 2_100)?.state).toBe("closed");
    expect(it.passes(2_100)).toBe(true);
  });

  test("an authority that is down from the start leaves exactly the local breaker", () => {
    const outcomes = fc.array(
      fc.tuple(fc.nat(400), fc.constantFrom<Outcome>("success", "failure", "neutral")),
      {
        maxLength: 120,
      },
    );
    fc.assert(
      fc.property(outcomes, (steps) => {
        const alone = story();
        const deserted = story();
        let now = 0;
        for (const [ms, outcome] of steps) {
          now += ms;
          deserted.silence(now);
          const acquired = [alone.ask(now), deserted.ask(now)];
          expect(acquired[0]?.permit).toEqual(acquired[1]?.permit);
          for (const [i, it] of [alone, deserted].entries()) {
            if (acquired[i]?.permit) it.end(acquired[i]?.permit, outcome, now);
          }
        }
        expect(deserted.at()).toEqual(alone.at());
      }),
      fixed,
    );
  });

  test("down in the middle of an open, one isolate sends no more than its penalties allow", () => {
    const it = story();
    it.hear(openVerdict(), 0);
    let sent = 0;
    let asks = 0;
    for (let now = 0; now < 120_000; now += 10) {
      const acquired = it.ask(now);
      if (acquired.ask) {
        asks += 1;
        it.silence(now);
      }
      if (acquired.permit) {
        sent += 1;
        it.end(acquired.permit, "failure", now);
      }
    }
    expect(asks).toBe(1);
    // Penalties of 4, 8, 16, 30, 30, 30 s.
    expect(sent).toBe(6);
  });
});

describe("merging", () => {
  /** What an honest authority can have said: epochs grow with time, and a state belongs to its epoch. */
  const statements = fc
    .uniqueArray(fc.nat(50_000), { minLength: 1, maxLength: 8 })
    .map((times) => [...times].sort((a, b) => a - b))
    .map((times) =>
      times.map((saidAt, i) => ({
        saidAt,
        verdict: openVerdict({ epoch: 1 + Math.floor(i / 2), ageMs: 60_000 - saidAt }),
      })),
    );
  const heldAfter = (verdicts: readonly Verdict[]) =>
    verdicts.reduce((circuit, each) => merge(circuit, each, 60_000), freshCircuit()).verdict;

  test("is commutative, associative and idempotent: only what was said matters, not the order of hearing", () => {
    fc.assert(
      fc.property(
        statements.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2 })),
        ),
        ([all, shuffled]) => {
          expect(heldAfter(shuffled.map((each) => each.verdict))).toEqual(
            heldAfter(all.map((each) => each.verdict)),
          );
        },
      ),
      fixed,
    );
  });

  test("an older epoch never replaces a newer one", () => {
    const it = story();
    it.hear(openVerdict({ epoch: 7 }), 0);
    it.hear(verdict({ epoch: 6 }), 1);
    it.hear(verdict({ incarnation: 0, epoch: 99 }), 2);
    expect(it.at().verdict).toMatchObject({ incarnation: 1, epoch: 7, state: "open" });
    it.hear(verdict({ incarnation: 2, epoch: 1 }), 3);
    expect(it.at().verdict).toMatchObject({ incarnation: 2, epoch: 1, state: "closed" });
  });

  test("age only grows by travelling, and the lease ends at the same moment everywhere", () => {
    const delays = fc.array(fc.nat(5_000), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(delays, (hops) => {
        let now = 1_000;
        let travelling = openVerdict();
        let age = 0;
        for (const delay of hops) {
          const here = held(travelling, now, false);
          now += delay;
          travelling = told("default/payments", here, now);
          if (travelling.ageMs < age) return false;
          age = travelling.ageMs;
        }
        const passed = hops.reduce((sum, each) => sum + each, 0);
        const arrived = merge(freshCircuit(), travelling, now, false);
        return (
          ageOf(held(travelling, now, false), now) === passed &&
          (inForce(arrived, now) !== undefined) === passed < verdictLeaseMs
        );
      }),
      fixed,
    );
  });

  test("the authority's own word beats gossip of an epoch that it never had, and ends belief in gossip", () => {
    const it = story();
    it.hear(openVerdict({ epoch: 999 }), 0, false);
    it.hear(verdict({ epoch: 3 }), 100);
    expect(it.at().verdict).toMatchObject({ epoch: 3, state: "closed" });
    it.hear(openVerdict({ epoch: 1_000 }), 200, false);
    expect(it.passes(300)).toBe(true);
    it.hear(openVerdict({ epoch: 1_001 }), 60_100, false);
    expect(it.passes(60_200)).toBe(false);
  });
});

test("whatever happens, a circuit never waits for ever: within a minute and two penalties somebody may pass or ask", () => {
  type Step = {
    ms: number;
    what: "send" | "lose" | "open" | "closed" | "ramp" | "silence";
    outcome: Outcome;
  };
  const steps = fc.array(
    fc.record<Step>({
      ms: fc.nat(3_000),
      what: fc.constantFrom("send", "send", "lose", "open", "closed", "ramp", "silence"),
      outcome: fc.constantFrom<Outcome>("success", "failure", "failure", "overload", "neutral"),
    }),
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const it = story(freshCircuit(), () => 0.7);
      let now = 0;
      let epoch = 1;
      for (const { ms, what, outcome } of all) {
        now += ms;
        if (what === "silence") it.silence(now);
        else if (what === "send" || what === "lose") {
          const { permit } = it.ask(now);
          if (permit && what === "send") it.end(permit, outcome, now);
        } else
          it.hear(
            verdict({ epoch: epoch++, state: what, probeInMs: 5_000, rampElapsedMs: 0, rampMs: 10_000 }),
            now,
          );
        if (it.at().local.window.length > 10) return false;
      }
      for (let wait = 0; wait <= 110_000; wait += 500) {
        const { permit, ask } = it.ask(now + wait);
        if (permit || ask) return true;
      }
      return false;
    }),
    fixed,
  );
});
