import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { freshCircuit, inForce, merge } from "../../../mesh-runtime/resilience/circuit.ts";
import { ageOf, held, told, verdictLeaseMs } from "../../../mesh-runtime/resilience/circuit-verdict.ts";
import type { Outcome, Verdict } from "../../../mesh-runtime/resilience/words.ts";
import { openVerdict, story, verdict } from "./circuit-story.ts";
import { fixed } from "./examples.ts";

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
    it.hear(verdict({ epoch: 3, state: "ramp", rampElapsedMs: 0, rampMs: 5_000 }), 20, false);
    it.silence(30);
    expect([inForce(it.at(), 30)?.state, it.at().local.openUntil]).toEqual(["ramp", undefined]);
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
    const deaf = story(it.at());
    deaf.hear(openVerdict({ epoch: 4 }), 300);
    expect(deaf.passes(400)).toBe(false);
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
