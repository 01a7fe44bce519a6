import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CircuitBook } from "../../../mesh-runtime/resilience/circuit-book.ts";
import type {
  CircuitAnswer,
  CircuitReport,
  Outcome,
  Verdict,
} from "../../../mesh-runtime/resilience/words.ts";
import { fixed, circuitPolicy as policy, randomFrom } from "./examples.ts";

const key = "default/payments";

const bookOf = () => new CircuitBook(() => 0);

/** One request that passes and ends at once. */
function send(book: CircuitBook, outcome: Outcome, now: number, circuit = key): void {
  const { permit } = book.acquire(circuit, now, policy);
  if (permit) book.settle(circuit, permit, outcome, now, policy);
}

const answer = (changed: Partial<Verdict> = {}, more: Partial<CircuitAnswer> = {}): CircuitAnswer => ({
  verdict: { circuit: key, incarnation: 1, epoch: 2, state: "closed", ageMs: 0, ...changed },
  sentinel: false,
  nextReportMs: 1_000,
  ...more,
});

const row = (changed: Partial<CircuitReport>): CircuitReport => ({
  circuit: key,
  success: 0,
  failure: 0,
  overload: 0,
  evidence: false,
  incarnation: 0,
  epoch: 0,
  ...changed,
});

describe("what is reported", () => {
  test("an isolate's first outcome is evidence whatever it is; what follows is not, unless it is a sentinel", () => {
    for (const outcome of ["success", "failure"] as const) {
      const book = bookOf();
      send(book, outcome, 0);
      send(book, "success", 1);
      send(book, "failure", 2);
      expect(book.drain()).toEqual([row({ [outcome]: 1, evidence: true }), row({ success: 1, failure: 1 })]);
    }
  });

  test("a sentinel's counts are evidence from its grant until it is revoked", () => {
    const book = bookOf();
    send(book, "success", 0);
    book.drain();
    book.learn(answer({}, { sentinel: true, nextReportMs: 500 }), 10);
    send(book, "failure", 20);
    send(book, "overload", 30);
    expect(book.drain()).toEqual([
      row({ failure: 1, overload: 1, evidence: true, incarnation: 1, epoch: 2 }),
    ]);
    book.learn(answer(), 40);
    send(book, "failure", 50);
    expect(book.drain()).toEqual([row({ failure: 1, incarnation: 1, epoch: 2 })]);
  });

  test("an outcome belongs to the epoch under which its request left", () => {
    const book = bookOf();
    const { permit } = book.acquire(key, 0, policy);
    book.learn(answer(), 10);
    if (permit) book.settle(key, permit, "success", 20, policy);
    send(book, "success", 30);
    expect(book.drain().map(({ epoch, success }) => [epoch, success])).toEqual([
      [0, 1],
      [2, 1],
    ]);
  });

  test("cancelled requests are not reported", () => {
    const book = bookOf();
    send(book, "neutral", 0);
    expect([book.drain(), book.quiet()]).toEqual([[], true]);
  });

  test("a circuit that refuses is reported without counts, because the answer brings the verdict", () => {
    const book = bookOf();
    book.learn(answer({ state: "open", probeInMs: 5_000 }), 0);
    expect(book.quiet()).toBe(true);
    send(book, "success", 100);
    expect(book.quiet()).toBe(false);
    expect(book.dueInMs(100)).toBe(0);
    expect(book.drain()).toEqual([row({ incarnation: 1, epoch: 2 })]);
    expect(book.quiet()).toBe(true);
  });

  test("a circuit whose question did not get through asks again", () => {
    const book = bookOf();
    book.learn(answer({ state: "open", probeInMs: 5_000 }), 0);
    send(book, "success", 100);
    book.restore(book.drain());
    expect(book.quiet()).toBe(false);
    expect(book.drain()).toEqual([row({ incarnation: 1, epoch: 2 })]);
  });

  test("a request that asks the authority itself needs no report besides", () => {
    const book = bookOf();
    book.learn(answer({ state: "half-open", probeInMs: 0 }), 0);
    expect(book.acquire(key, 100, policy)).toMatchObject({ ask: true, permit: undefined });
    expect(book.quiet()).toBe(true);
    expect(book.acquire(key, 100, policy)).toMatchObject({ ask: false, permit: undefined });
    expect(book.quiet()).toBe(false);
  });

  test("what comes back of a circuit that is not kept any more is let go of", () => {
    const book = bookOf();
    send(book, "success", 0);
    const lost = book.drain();
    for (let i = 0; i < 1_000; i++) book.acquire(`default/s${i}`, 1, policy);
    book.restore(lost);
    expect([book.look(key), book.quiet()]).toEqual([undefined, true]);
  });

  test("the outcome of the authority's probe is a row of its own, is no traffic, and is due at once", () => {
    const book = bookOf();
    book.learn(answer({ state: "half-open", probeInMs: 0 }), 0);
    book.settle(key, { kind: "probe", id: "p1", incarnation: 1, epoch: 2 }, "success", 100, policy);
    expect(book.dueInMs(100)).toBe(0);
    expect(book.drain()).toEqual([
      row({ incarnation: 1, epoch: 2, probe: { permit: "p1", outcome: "success" } }),
    ]);
  });

  test("what did not get through goes with the next report, once", () => {
    const book = bookOf();
    send(book, "success", 0);
    const lost = book.drain();
    send(book, "failure", 100);
    book.restore(lost);
    expect(book.drain()).toEqual([row({ failure: 1 }), row({ success: 1, evidence: true })]);
    expect(book.drain()).toEqual([]);
  });

  test("counts that waited too long are still counted, and are evidence no more", () => {
    const book = bookOf();
    send(book, "failure", 0);
    const lost = book.drain();
    book.restore(lost);
    send(book, "success", 5_001);
    expect(book.drain()).toEqual([row({ failure: 1 }), row({ success: 1 })]);
  });

  test("no outcome is lost or counted twice, however often sending fails", () => {
    const steps = fc.array(fc.constantFrom("success", "failure", "overload", "drain", "fail", "learn"), {
      maxLength: 100,
    });
    fc.assert(
      fc.property(steps, (all) => {
        const book = bookOf();
        let sent = 0;
        let arrived = 0;
        let epoch = 1;
        const total = (reports: readonly CircuitReport[]) =>
          reports.reduce((sum, each) => sum + each.success + each.failure + each.overload, 0);
        all.forEach((step, now) => {
          if (step === "drain") arrived += total(book.drain());
          else if (step === "fail") book.restore(book.drain());
          else if (step === "learn") book.learn(answer({ epoch: (epoch % 3) + 1 }), now);
          else {
            send(book, step as Outcome, now);
            sent += 1;
          }
          epoch += 1;
        });
        return arrived + total(book.drain()) === sent;
      }),
      fixed,
    );
  });
});

describe("when a report is due", () => {
  test("the first outcome is due at once, and nothing is due before it", () => {
    const book = bookOf();
    expect(book.dueInMs(0)).toBeUndefined();
    send(book, "success", 0);
    expect(book.dueInMs(0)).toBe(0);
  });

  test("a sentinel reports on its period while it has outcomes", () => {
    const book = bookOf();
    send(book, "success", 0);
    book.drain();
    book.learn(answer({}, { sentinel: true, nextReportMs: 500 }), 0);
    expect(book.dueInMs(100)).toBeUndefined();
    send(book, "success", 100);
    expect(book.dueInMs(100)).toBe(400);
  });

  test("everybody else reports rarely, sooner on suspicion, and the moment is drawn once", () => {
    const book = new CircuitBook(() => 0.5);
    send(book, "success", 0);
    book.drain();
    book.learn(answer({}, { nextReportMs: 4_000 }), 0);
    send(book, "success", 0);
    expect(book.dueInMs(0)).toBe(30_000);
    send(book, "failure", 10);
    const due = book.dueInMs(0);
    expect(due).toBe(3_000);
    for (let i = 0; i < 4; i++) send(book, "failure", 20 + i);
    expect(book.dueInMs(0)).toBe(due);
  });

  test("the moment is not drawn anew by what follows, which would make it sooner and sooner", () => {
    const draws = [0.9, 0];
    const book = new CircuitBook(() => draws.shift() ?? 0);
    send(book, "success", 0);
    book.drain();
    for (let i = 0; i < 5; i++) send(book, "success", 0);
    expect(book.dueInMs(0)).toBe(42_000);
  });
});

describe("gossip", () => {
  test("about a circuit that is in use is heard as well", () => {
    const book = bookOf();
    send(book, "success", 0);
    book.hear(`${key}=1.1.o.0.${(5_000).toString(36)}`, 1);
    expect(book.acquire(key, 2, policy).permit).toBeUndefined();
  });

  test("tells of an open circuit for as long as the authority says that it is", () => {
    const book = bookOf();
    for (const now of [0, 50_000]) book.learn(answer({ state: "open", probeInMs: 5_000 }), now);
    expect(book.gossip(100_000)).not.toBe("");
  });

  test("about circuits that are not in use is remembered of the last sixty-four", () => {
    const book = bookOf();
    for (let i = 0; i <= 64; i++) book.hear(`default/junk-${i}=1.1.o.0.${(5_000).toString(36)}`, 1);
    const passes = (i: number): boolean => book.acquire(`default/junk-${i}`, 2, policy).permit !== undefined;
    expect([0, 1, 64].map(passes)).toEqual([true, false, false]);
  });

  const hears = (from: CircuitBook, to: CircuitBook, now: number) => to.hear(from.gossip(now), now);

  test("an isolate learns of an open circuit before it has seen a failure of its own", () => {
    const first = bookOf();
    first.learn(answer({ state: "open", probeInMs: 5_000 }), 0);
    const second = bookOf();
    const third = bookOf();
    hears(first, second, 100);
    hears(second, third, 200);
    expect(third.acquire(key, 200, policy).permit).toBeUndefined();
    expect(third.look(key)?.verdict).toMatchObject({ state: "open", statedAt: 0, direct: false });
  });

  test("closed circuits are not news, except for a minute after they changed", () => {
    const book = bookOf();
    book.learn(answer(), 0);
    book.learn(answer({ epoch: 3 }), 50_000);
    book.learn(answer({ epoch: 3 }), 109_000);
    expect(book.gossip(109_999)).not.toBe("");
    expect(book.gossip(110_000)).toBe("");
    expect(bookOf().gossip(0)).toBe("");
  });

  test("what an isolate only suspects itself is not passed on", () => {
    const book = bookOf();
    for (let i = 0; i < 10; i++) send(book, "failure", i * 200);
    expect(book.acquire(key, 2_000, policy).permit).toBeUndefined();
    expect(book.gossip(2_000)).toBe("");
  });

  test("no verdict is passed on for longer than its lease, round and round", () => {
    const books = [bookOf(), bookOf()] as const;
    books[0].learn(answer({ state: "open", probeInMs: 5_000 }), 0);
    for (let now = 0; now < 60_000; now += 1_000)
      hears(books[(now / 1_000) % 2 === 0 ? 0 : 1], books[(now / 1_000) % 2 === 0 ? 1 : 0], now);
    expect([books[0].gossip(60_000), books[1].gossip(60_000)]).toEqual(["", ""]);
    expect(books[1].acquire(key, 60_000, policy).permit).toBeDefined();
  });

  test("malformed headers are ignored and counted", () => {
    const book = bookOf();
    book.hear("default/payments=1.1.o.1.1,rubbish", 0);
    book.hear("", 0);
    expect([
      book.acquire(key, 0, policy).permit !== undefined,
      book.takeMalformed(),
      book.takeMalformed(),
    ]).toEqual([true, 1, 0]);
  });

  test("a talkative neighbour fills its own small room, not the circuits that are used", () => {
    const book = bookOf();
    send(book, "success", 0);
    for (let i = 0; i < 5_000; i++) book.hear(`default/junk-${i}=1.1.o.0.1`, 1);
    expect(book.look(key)).toBeDefined();
    expect(book.drain()).toHaveLength(1);
    expect(book.gossip(2).split(",").length).toBeLessThanOrEqual(8);
  });
});

test("an isolate keeps a thousand circuits, and one report has at most 256 rows", () => {
  const book = bookOf();
  for (let i = 0; i < 1_500; i++) send(book, "success", i, `default/s${i}`);
  expect([
    book.look("default/s0"),
    book.look("default/s499"),
    book.look("default/s500") !== undefined,
  ]).toEqual([undefined, undefined, true]);
  const sizes: number[] = [book.drain().length];
  // What did not fit is as late as it was.
  expect(book.dueInMs(1_500)).toBe(0);
  while (!book.quiet()) sizes.push(book.drain().length);
  expect(sizes).toEqual([256, 256, 256, 232]);
});

test("one circuit's rows are bounded, whatever epochs go by between reports", () => {
  const book = new CircuitBook(randomFrom(3));
  for (let epoch = 1; epoch < 50; epoch++) {
    book.learn(answer({ epoch }, { sentinel: epoch % 2 === 0 }), epoch);
    send(book, "success", epoch);
  }
  expect(book.drain().length).toBeLessThanOrEqual(6);
});
