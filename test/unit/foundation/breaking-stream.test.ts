import { describe, expect, test } from "vitest";
import {
  BreakingStream,
  callingOff,
  isWhole,
  watching,
} from "../../../mesh-runtime/foundation/breaking-stream.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A stream of these texts, and then of what breaks it, if anything does. */
function streamOf(texts: readonly string[], failure?: Error) {
  const left = texts.map(bytes);
  const cancelled: unknown[] = [];
  const stream = new BreakingStream(
    async () => {
      const chunk = left.shift();
      if (chunk === undefined && failure !== undefined) throw failure;
      return chunk;
    },
    (reason) => {
      cancelled.push(reason);
      return undefined;
    },
  );
  return { stream, cancelled, left };
}

describe("BreakingStream", () => {
  test("is a stream like any other while nothing breaks", async () => {
    const { stream } = streamOf(["one, ", "two"]);
    expect(await new Response(stream).text()).toBe("one, two");
    expect(stream.broken.aborted).toBe(false);
  });

  test("tells that it breaks, with the reason, before whoever reads it learns of it", async () => {
    const failure = new Error("the client went away");
    const { stream } = streamOf(["one"], failure);
    const order: string[] = [];
    stream.broken.addEventListener("abort", () => order.push("told"));
    const reader = stream.getReader();
    await reader.read();
    expect(stream.broken.aborted).toBe(false);
    await reader.read().catch((error: unknown) => order.push(error === failure ? "failed" : "else"));
    expect(order).toEqual(["told", "failed"]);
    expect(stream.broken.reason).toBe(failure);
  });

  test("reads nothing before somebody asks for it, and passes on that nobody will", async () => {
    const { stream, cancelled, left } = streamOf(["one", "two"]);
    await Promise.resolve();
    expect(left).toHaveLength(2);
    await stream.cancel("enough");
    expect(cancelled).toEqual(["enough"]);
    expect(stream.broken.aborted).toBe(false);
  });
});

describe("callingOff()", () => {
  const signal = new AbortController().signal;

  test("leaves a request alone whose body the mesh did not make", () => {
    for (const body of [null, bytes("whole"), new ReadableStream()]) {
      expect(callingOff(body, signal)).toBe(signal);
      expect(callingOff(body, undefined)).toBeUndefined();
    }
  });

  test("ends a request whose body breaks, and one whose own signal fires", async () => {
    for (const breaks of [true, false]) {
      const { stream } = streamOf([], new Error("broken"));
      const caller = new AbortController();
      const either = callingOff(stream, caller.signal);
      expect(either?.aborted).toBe(false);
      if (breaks) await new Response(stream).text().catch(() => undefined);
      else caller.abort();
      expect(either?.aborted).toBe(true);
    }
    const { stream } = streamOf([]);
    expect(callingOff(stream, undefined)).toBe(stream.broken);
  });
});

describe("isWhole()", () => {
  test("is true for what is in memory, and for a stream only once its end has been read", async () => {
    const { stream } = streamOf(["one"]);
    expect([null, bytes("one"), stream].map(isWhole)).toEqual([true, true, false]);
    await new Response(stream).text();
    expect(isWhole(stream)).toBe(true);
  });

  test("is false for a stream that broke, and for one that tells nothing of itself", async () => {
    const { stream } = streamOf(["one"], new Error("the client went away"));
    await new Response(stream).text().catch(() => undefined);
    expect([stream, new Response("one").body].map(isWhole)).toEqual([false, false]);
  });
});

describe("watching()", () => {
  test("makes known of a stream of the platform how far it has come, and that it breaks", () => {
    const breaking = new AbortController();
    const progress = { ended: false, broken: breaking.signal };
    const body = new Response("of the platform's own").body;
    if (body === null) throw new Error("no body");
    expect(watching(body, progress)).toBe(body);
    expect(isWhole(body)).toBe(false);
    const either = callingOff(body, new AbortController().signal);
    breaking.abort();
    expect(either?.aborted).toBe(true);
    progress.ended = true;
    expect(isWhole(body)).toBe(true);
  });
});
