import { expect, test } from "vitest";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { admitted, InFlight, slotLeaseMs } from "../../../mesh-runtime/resilience/admitted.ts";
import { faceOf, responds } from "./examples.ts";

interface Exchange {
  readonly key: string;
  readonly answer: Promise<Answer>;
}

function setUp(limit: number) {
  const clock = { at: 1_000_000, now: () => clock.at };
  const inFlight = new InFlight();
  const step = journey<Exchange, Answer>()
    .through(admitted({ clock, inFlight }, ({ key }: Exchange) => ({ key, limit })))
    .to(({ answer }) => answer);
  return { clock, inFlight, step };
}

const never = new Promise<Answer>(() => undefined);

test("up to the limit requests pass, above it they are refused at once and never queued", async () => {
  const { step, inFlight } = setUp(2);
  const first = Promise.withResolvers<Answer>();
  const passing = step({ key: "a", answer: first.promise });
  void step({ key: "a", answer: never });
  const refused = await step({ key: "a", answer: never });
  expect(refused).toMatchObject({ ok: false, reason: { kind: "overloaded", limit: "a: 2 in flight" } });

  first.resolve(responds(200));
  expect(faceOf(await passing)).toBe(200);
  expect(inFlight.count("a")).toBe(1);
  expect(faceOf(await step({ key: "a", answer: Promise.resolve(responds(201)) }))).toBe(201);
});

test("keys have places of their own, and a key without requests is forgotten", async () => {
  const { step, inFlight } = setUp(1);
  void step({ key: "a", answer: never });
  expect(faceOf(await step({ key: "b", answer: Promise.resolve(responds(200)) }))).toBe(200);
  expect([inFlight.count("a"), inFlight.count("b"), inFlight.size]).toEqual([1, 0, 1]);
});

test("an exception below gives the place back and passes on", async () => {
  const { step, inFlight } = setUp(1);
  await expect(step({ key: "a", answer: Promise.reject(new Error("broken")) })).rejects.toThrow("broken");
  expect(inFlight.count("a")).toBe(0);
});

test("a request that was torn down without its last line gives its place back when its lease ends", async () => {
  const { step, clock } = setUp(1);
  void step({ key: "a", answer: never });
  clock.at += slotLeaseMs - 1;
  expect(faceOf(await step({ key: "a", answer: never }))).toBe("overloaded");
  clock.at += 1;
  expect(faceOf(await step({ key: "a", answer: Promise.resolve(responds(200)) }))).toBe(200);
});

test("a clock that is set back does not make a lease last longer", () => {
  const inFlight = new InFlight();
  inFlight.enter("a", 1, 10 * slotLeaseMs);
  expect(inFlight.enter("a", 1, slotLeaseMs)).toBeDefined();
});

test("a place that was swept is not given back a second time", () => {
  const inFlight = new InFlight();
  const lost = inFlight.enter("a", 1, 0);
  expect(inFlight.enter("a", 1, slotLeaseMs)).toBeDefined();
  if (lost) inFlight.leave(lost);
  expect(inFlight.count("a")).toBe(1);
});

test("a limit of zero admits nobody", async () => {
  const { step } = setUp(0);
  expect(faceOf(await step({ key: "a", answer: Promise.resolve(responds(200)) }))).toBe("overloaded");
});
