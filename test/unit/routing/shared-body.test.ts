import { describe, expect, test } from "vitest";
import type { Message } from "../../../mesh-runtime/foundation/exchange.ts";
import { bodyToShare } from "../../../mesh-runtime/routing/shared-body.ts";
import { message } from "./examples.ts";

const bytes = (...sizes: readonly number[]): Uint8Array[] =>
  sizes.map((size) => new Uint8Array(size).fill(7));

/** A stream of chunks that tells how many of them were asked for, and whether it was cancelled. */
function source(chunks: readonly Uint8Array[], failing = false) {
  const seen = { pulls: 0, cancelled: undefined as unknown };
  const left = [...chunks];
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        seen.pulls++;
        const chunk = left.shift();
        if (chunk !== undefined) controller.enqueue(chunk);
        else if (failing) controller.error(new Error("the client went away"));
        else controller.close();
      },
      cancel(reason) {
        seen.cancelled = reason;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

const of = (body: Message["body"], headers: HeadersInit = {}): Message => ({
  ...message("/", headers),
  body,
});

const read = async (body: Message["body"]): Promise<number> =>
  (await new Response(body as BodyInit | null).arrayBuffer()).byteLength;

describe("a body to share", () => {
  test("is shared as it is where it is in memory, or where there is none", () => {
    const [body] = bytes(5);
    if (body === undefined) throw new Error("no body");
    expect(bodyToShare(of(body), 1)).toEqual({ main: body, shared: body });
    expect(bodyToShare(of(null), 1)).toEqual({ main: null, shared: null });
  });

  test("of a stream is what the request itself reads, when it has come to the end", async () => {
    const { stream, seen } = source(bytes(3, 4));
    const { main, shared } = bodyToShare(of(stream), 7);
    expect(seen.pulls).toBe(0);
    expect(await read(main)).toBe(7);
    expect(await shared).toEqual(new Uint8Array(7).fill(7));
  });

  test("is read no faster than the request reads it", async () => {
    const { stream, seen } = source(bytes(3, 4, 5));
    const { main } = bodyToShare(of(stream), 100);
    const reader = (main as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    expect(seen.pulls).toBe(1);
    await reader.read();
    expect(seen.pulls).toBe(2);
  });

  test("is given up above the limit, and the request has the whole of it all the same", async () => {
    const { main, shared } = bodyToShare(of(source(bytes(3, 4, 5)).stream), 11);
    expect(await read(main)).toBe(12);
    expect(await shared).toBeUndefined();
  });

  test("is not touched where it says itself that it is larger", () => {
    const { stream } = source(bytes(12));
    const { main, shared } = bodyToShare(of(stream, { "content-length": "12" }), 11);
    expect(main).toBe(stream);
    expect(shared).toBeUndefined();
    expect(stream.locked).toBe(false);
  });

  test("that breaks off is nobody's: a part is never taken for the whole", async () => {
    const { main, shared } = bodyToShare(of(source(bytes(3), true).stream), 100);
    await expect(read(main)).rejects.toThrow("the client went away");
    expect(await shared).toBeUndefined();
  });

  test("that nobody wants any further is let go of at its source", async () => {
    const { stream, seen } = source(bytes(3, 4));
    const { main, shared } = bodyToShare(of(stream), 100);
    await (main as ReadableStream<Uint8Array>).cancel("enough");
    expect(seen.cancelled).toBe("enough");
    expect(await shared).toBeUndefined();
  });
});
