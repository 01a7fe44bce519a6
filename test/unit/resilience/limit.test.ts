import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import type { Refusal } from "../../../mesh-runtime/foundation/refusal.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { discard, untilAborted, whenFired, withinLimit } from "../../../mesh-runtime/resilience/limit.ts";

beforeEach(() => vi.useFakeTimers({ now: 1_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => vi.useRealTimers());

const gone: Refusal = { kind: "cancelled" };
const why = (): Refusal => gone;
const never = (): Promise<Answer> => new Promise(() => undefined);

test("no work begins for a signal that has fired", async () => {
  const work = vi.fn(never);
  expect(await untilAborted(AbortSignal.abort(), why, work)).toEqual(no(gone));
  expect(work).not.toHaveBeenCalled();
});

test("work that does not notice its signal is waited for no longer", async () => {
  const caller = new AbortController();
  const answer = untilAborted(caller.signal, why, never);
  caller.abort();
  expect(await answer).toEqual(no(gone));
});

test("a signal whose only source is a limit is not listened to, and what waits for it is done when it passes", async () => {
  const done = vi.fn();
  const listen = vi.spyOn(AbortSignal.prototype, "addEventListener");
  try {
    const answer = withinLimit(10, undefined, why, (signal) => {
      whenFired(signal, done);
      whenFired(signal, () => expect.unreachable("it was called off"))();
      return never();
    });
    expect(listen).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(9);
    expect(done).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toHaveBeenCalledTimes(1);
    expect(await answer).toEqual(no(gone));
  } finally {
    listen.mockRestore();
  }
});

test("a body that nobody will read is let go of, and one that somebody reads stays his", async () => {
  const cancel = vi.fn();
  const stream = () => new ReadableStream<Uint8Array>({ cancel });
  const read = new Response(stream());
  const reader = read.body?.getReader();
  discard(ok(read));
  expect(cancel).not.toHaveBeenCalled();
  await reader?.cancel();
  expect(cancel).toHaveBeenCalledTimes(1);
  discard(ok(new Response(stream())));
  expect(cancel).toHaveBeenCalledTimes(2);
  discard(ok(new Response(null)));
  discard(no(gone));
});
