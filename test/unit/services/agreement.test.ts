import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Agreement,
  freshAgreement,
  persistable,
  type Received,
  type ReceivedReport,
  receive,
  revive,
  verdictOf,
} from "../../../control/services/agreement.ts";
import type { CircuitState, Outcome } from "../../../mesh-runtime/resilience/words.ts";
import { fixed, circuitPolicy as policy, randomFrom } from "../resilience/examples.ts";

const circuit = "default/payments";
const even = () => 0.5;

/** Follows one agreement through a story. Reports carry the epoch in force unless told otherwise. */
function story(start: Agreement = freshAgreement(circuit, 1_000, 0), random = even) {
  let agreement = start;
  let serial = 0;
  const transitions: CircuitState[] = [];
  const it = {
    at: () => agreement,
    transitions,
    report(now: number, changed: Partial<ReceivedReport> = {}): Received {
      serial += 1;
      const { incarnation, epoch } = agreement;
      const report: ReceivedReport = {
        circuit,
        success: 0,
        failure: 0,
        overload: 0,
        evidence: true,
        incarnation,
        epoch,
        isolate: "isolate-1",
        reportId: `report-${serial}`,
        ...changed,
      };
      const received = receive(agreement, report, now, policy, random);
      agreement = received.agreement;
      if (received.transition) transitions.push(received.transition.to);
      return received;
    },
    ask: (now: number) => it.report(now, { ask: true }).answer.permit,
    /** The outcome of a probe. */
    result: (now: number, permit: string, outcome: Outcome) => it.report(now, { probe: { permit, outcome } }),
    evict(now: number) {
      agreement = revive(JSON.parse(JSON.stringify(persistable(agreement))), circuit, 9_999, now);
    },
  };
  return it;
}

/** A circuit that failures opened at 1,000; its probe is due at 2,000. */
function opened() {
  const it = story();
  for (const now of [0, 500]) it.report(now, { success: 10 });
  it.report(1_000, { failure: 30 });
  return it;
}

/** Lets three probes succeed from `now` on, 100 ms apart. */
function mend(it: ReturnType<typeof story>, now: number): void {
  for (let i = 0; i < 3; i++) it.result(now + i * 100 + 50, it.ask(now + i * 100)?.id ?? "", "success");
}

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
    const it = story();
    it.report(0, { success: 10 });
    it.report(500, { success: 0, failure: 9 });
    it.report(1_500, { success: 9, failure: 1 });
    expect(it.at().window.reduce((sum, { failure }) => sum + failure, 0)).toBe(10);
    expect(it.at().state).toBe("closed");
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

type Step =
  | {
      readonly kind: "report";
      readonly success: number;
      readonly failure: number;
      readonly evidence: boolean;
      readonly age: number;
      readonly twice: boolean;
    }
  | { readonly kind: "ask" }
  | { readonly kind: "result"; readonly outcome: Outcome; readonly back: number }
  | { readonly kind: "evict" };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("report" as const),
      success: fc.nat(10),
      failure: fc.nat(30),
      evidence: fc.boolean(),
      age: fc.constantFrom(0, 0, 0, 1, 3),
      twice: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("ask" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("result" as const),
      outcome: fc.constantFrom<Outcome>("success", "success", "success", "failure", "overload", "neutral"),
      back: fc.constantFrom(0, 0, 0, 1, 2),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("evict" as const) }) },
);
type Story = readonly (readonly [afterMs: number, step: Step])[];

const single = fc.tuple(fc.constantFrom(0, 10, 100, 400, 1_000, 3_000), anyStep).map((step): Story => [step]);
const outage: Story = [
  [500, { kind: "report", success: 1, failure: 30, evidence: true, age: 0, twice: false }],
];
const mending: Story = [0, 1, 2].flatMap(
  (i): Story => [
    [i === 0 ? 6_000 : 100, { kind: "ask" }],
    [10, { kind: "result", outcome: "success", back: 0 }],
  ],
);
/** Mostly chance, with what it takes to get round the whole circle strewn in. */
const anyStory = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: single },
      { weight: 1, arbitrary: fc.constant(outage) },
      { weight: 1, arbitrary: fc.constant(mending) },
    ),
    { maxLength: 80 },
  )
  .map((parts): Story => parts.flat());

/** Plays any story and checks at every step what must always hold. */
function play(steps: Story, seed: number): CircuitState[] {
  const random = randomFrom(seed);
  const it = story(freshAgreement(circuit, 1_000, 0), random);
  const permits: { id: string; until: number; over: boolean }[] = [];
  let now = 0;
  let evidence: { at: number; success: number; failure: number }[] = [];
  let spent = new Set<string>();
  let successes = 0;

  const step = (changed: Partial<ReceivedReport>): Received => {
    const before = it.at();
    const received = it.report(now, changed);
    const { agreement, transition } = received;
    // 1: epochs grow with every transition, and only with one.
    const grown = agreement.epoch - before.epoch;
    expect(agreement.incarnation).toBe(1_000);
    expect(transition === undefined ? grown === 0 && agreement.state === before.state : grown > 0).toBe(true);
    if (transition !== undefined) {
      const path = `${transition.from}>${transition.to}`;
      // 7: from open only through a probe's turn, and closed only through a ramp.
      expect([
        "closed>open",
        "open>half-open",
        "half-open>open",
        "half-open>ramp",
        "ramp>closed",
        "ramp>open",
      ]).toContain(path);
      if (path === "half-open>ramp") expect(successes).toBe(policy.successesToClose);
      if (transition.to !== "half-open") for (const each of permits) each.over = true;
      successes = 0;
    }
    return received;
  };

  for (const [ms, each] of steps) {
    now += ms;
    for (const permit of permits) if (now >= permit.until) permit.over = true;
    switch (each.kind) {
      case "report": {
        const { state, epoch, countsFrom } = it.at();
        const reported = { success: each.success, failure: each.failure, evidence: each.evidence };
        const tagged = {
          ...reported,
          epoch: epoch - each.age,
          reportId: `r${now}-${permits.length}-${spent.size}`,
        };
        // A time that elapsed may change the state before the counts are looked at.
        const entered = receive(
          it.at(),
          { ...tagged, success: 0, failure: 0, circuit, overload: 0, incarnation: 1_000, isolate: "x" },
          now,
          policy,
          even,
        ).agreement;
        if (entered.state !== state) evidence = [];
        const counts =
          each.evidence &&
          (entered.state === "closed" || entered.state === "ramp") &&
          tagged.epoch >= countsFrom;
        if (counts) evidence.push({ at: now, ...reported });
        const { transition } = step(tagged);
        // 4: it opens only on a window that holds enough and fails enough, and never by successes alone.
        if (transition?.to === "open") {
          expect(counts && each.failure > 0).toBe(true);
          const breach = Array.from({ length: 17 }, (_, i) => i + 4).some((slices) => {
            const inside = evidence.filter(({ at }) => Math.floor(at / 500) > Math.floor(now / 500) - slices);
            const failed = inside.reduce((sum, one) => sum + one.failure, 0);
            const all = inside.reduce((sum, one) => sum + one.failure + one.success, 0);
            return all >= policy.minimumOutcomes && failed >= policy.failureRatio * all;
          });
          expect(breach).toBe(true);
        }
        if (transition !== undefined) evidence = [];
        // 5: a second delivery changes nothing.
        if (each.twice) {
          const { window, state: was } = it.at();
          step(tagged);
          if (it.at().state === was) expect(it.at().window).toEqual(window);
        }
        spent = spent.add(`${now}`);
        break;
      }
      case "ask": {
        const { answer, transition } = step({ ask: true, evidence: false });
        if (transition !== undefined) evidence = [];
        if (answer.permit !== undefined) {
          // 2: never two at the same time.
          expect(permits.filter(({ over }) => !over)).toEqual([]);
          permits.push({ id: answer.permit.id, until: now + answer.permit.leaseMs, over: false });
        }
        break;
      }
      case "result": {
        const permit = permits.at(-1 - each.back);
        if (permit === undefined) break;
        const before = it.at();
        if (!permit.over && each.outcome === "success") successes += 1;
        const { agreement, transition } = step({
          probe: { permit: permit.id, outcome: each.outcome },
          evidence: false,
        });
        // 3: counts once, in its lease, in its epoch.
        if (permit.over && before.state === "half-open") expect(agreement.successes).toBe(before.successes);
        if (transition !== undefined) evidence = [];
        permit.over = true;
        break;
      }
      case "evict": {
        const before = it.at();
        it.evict(now);
        expect([it.at().state, it.at().epoch]).toEqual([before.state, before.epoch]);
        evidence = [];
        successes = 0;
        for (const permit of permits) permit.over = true;
        break;
      }
    }
  }
  return it.transitions;
}

test("whatever is reported, asked, lost, doubled or evicted, what must always hold does", () => {
  const reached = new Set<CircuitState>();
  fc.assert(
    fc.property(anyStory, fc.nat(), (steps, seed) => {
      for (const state of play(steps, seed)) reached.add(state);
    }),
    { ...fixed, numRuns: 300 },
  );
  // The stories are worth something only if they get everywhere.
  expect([...reached].sort()).toEqual(["closed", "half-open", "open", "ramp"]);
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

test("while enough is known of the last two seconds, one more success never opens it", () => {
  const counts = fc.record({ success: fc.nat(20), failure: fc.nat(20) });
  fc.assert(
    fc.property(
      fc.array(counts, { minLength: 4, maxLength: 4 }),
      fc.nat(3),
      fc.nat(30),
      (slices, where, more) => {
        const stateAfter = (extra: number) => {
          const it = story();
          it.report(0, { success: 20 });
          slices.forEach((slice, i) => {
            if (i === where) it.report(i * 500, { success: extra });
            it.report(i * 500, slice);
          });
          return it.transitions.includes("open");
        };
        return stateAfter(0) || !stateAfter(more);
      },
    ),
    fixed,
  );
});
