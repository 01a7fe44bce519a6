import fc from "fast-check";
import { expect, test } from "vitest";
import {
  freshAgreement,
  type Received,
  type ReceivedReport,
  receive,
} from "../../../control/services/agreement.ts";
import type { CircuitState, Outcome } from "../../../mesh-runtime/resilience/words.ts";
import { fixed, circuitPolicy as policy, randomFrom } from "../resilience/examples.ts";
import { circuit, even, story } from "./agreement-story.ts";

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
