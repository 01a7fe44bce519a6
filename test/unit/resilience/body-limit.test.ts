import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { bodyLimited } from "../../../mesh-runtime/resilience/body-limit.ts";
import { unreachable } from "./examples.ts";

beforeEach(() => vi.useFakeTimers({ now: 1_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => vi.useRealTimers());

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A body that the test writes, and what has become of it. */
function written() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const cancelled: unknown[] = [];
  writer.closed.catch((error: unknown) => cancelled.push(error));
  return { readable, writer, cancelled };
}

const limited = (body: ReadableStream<Uint8Array> | null, backendTimeoutMs: number, requestTimeoutMs = 0) => {
  const response = new Response(body, { status: 203, headers: { "x-from": "backend" } });
  const route = { startedAt: 1_000_000, requestTimeoutMs, backendTimeoutMs };
  const answer = bodyLimited(ok(response), route, 1_000_100, 1_000_150);
  if (!answer.ok) throw new Error("it was refused");
  return { response, answer: answer.value };
};

test("what no route bounds passes on as the same response", () => {
  const { response, answer } = limited(written().readable, 0);
  expect(answer).toBe(response);
});

test("a response without a body, and a refusal, pass on as they are", () => {
  const { response, answer } = limited(null, 200);
  expect(answer).toBe(response);
  const refused = unreachable(true);
  const route = { startedAt: 0, requestTimeoutMs: 1, backendTimeoutMs: 1 };
  expect(bodyLimited(refused, route, 0, 0)).toBe(refused);
});

test("a body that ends in time arrives whole, with status and headers, and no timer is left", async () => {
  const { readable, writer } = written();
  const { answer } = limited(readable, 200);
  const all = answer.text();
  await writer.write(text("a whole "));
  await vi.advanceTimersByTimeAsync(149);
  await writer.write(text("answer"));
  await writer.close();
  expect([await all, answer.status, answer.headers.get("x-from")]).toEqual([
    "a whole answer",
    203,
    "backend",
  ]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a body that takes longer breaks off for its reader, at the attempt's limit", async () => {
  const { readable, writer } = written();
  const { answer } = limited(readable, 200);
  const reader = answer.body?.getReader();
  const first = reader?.read();
  await writer.write(text("half"));
  expect((await first)?.value).toEqual(text("half"));
  const second = reader?.read().catch((error: Error) => error.name);
  await vi.advanceTimersByTimeAsync(149);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await second).toBe("TimeoutError");
});

test("the earlier of the route's two limits counts", async () => {
  const { readable } = written();
  const { answer } = limited(readable, 1_000, 200);
  const read = answer.text().catch((error: Error) => error.name);
  // 50 of the request's 200 are left when the headers are here.
  await vi.advanceTimersByTimeAsync(50);
  expect(await read).toBe("TimeoutError");
});

test("a body whose time was over before its headers came breaks off at once", async () => {
  const { readable } = written();
  const { answer } = limited(readable, 10);
  const read = answer.text().catch((error: Error) => error.name);
  await vi.advanceTimersByTimeAsync(0);
  expect(await read).toBe("TimeoutError");
});

test("a source that breaks by itself breaks the body with its own error", async () => {
  const { readable, writer } = written();
  const { answer } = limited(readable, 200);
  const read = answer.text().catch((error: Error) => error.message);
  await writer.abort(new Error("gone"));
  expect(await read).toBe("gone");
  expect(vi.getTimerCount()).toBe(0);
});

test("a reader who goes away ends the source and the timer", async () => {
  const { readable, cancelled } = written();
  const { answer } = limited(readable, 200);
  await answer.body?.cancel("enough");
  expect(vi.getTimerCount()).toBe(0);
  expect(cancelled).toHaveLength(1);
});
