import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { KeptBytes } from "../../../mesh-runtime/foundation/kept-bytes.ts";
import { type Body, once, replayBody } from "../../../mesh-runtime/resilience/replay-body.ts";

const bytesOf = async (body: Body): Promise<number[]> =>
  body === null ? [] : [...new Uint8Array(await new Response(body as BodyInit).arrayBuffer())];

/** A stream that tells how often it was asked, and gives one chunk each time. */
function source(chunks: readonly (readonly number[])[]) {
  const told = { pulls: 0, cancelled: false };
  let next = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        told.pulls += 1;
        const chunk = chunks[next++];
        if (chunk === undefined) controller.close();
        else controller.enqueue(Uint8Array.from(chunk));
      },
      cancel() {
        told.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, told };
}

test("bytes and no body are given as often as they are wanted", async () => {
  const bytes = Uint8Array.of(1, 2);
  const kept = await replayBody(bytes, 1, undefined);
  expect([kept.take(), kept.take(), kept.replayable()]).toEqual([bytes, bytes, true]);
  expect((await replayBody(null, 1, undefined)).take()).toBeNull();
});

test("a stream is sent again from its first byte, without a second look at the source", async () => {
  const { stream, told } = source([[1, 2], [3]]);
  const body = await replayBody(stream, 10, undefined);
  expect(told.pulls).toBe(0);
  expect(await bytesOf(body.take())).toEqual([1, 2, 3]);
  expect(body.replayable()).toBe(true);
  const again = body.take();
  expect(again).toBeInstanceOf(Uint8Array);
  expect(await bytesOf(again)).toEqual([1, 2, 3]);
  expect(told.pulls).toBe(3);
});

test("nothing waits for the end of a stream: the first chunk passes before the second is written", async () => {
  const writer = new TransformStream<Uint8Array, Uint8Array>();
  const pen = writer.writable.getWriter();
  const body = await replayBody(writer.readable, 10, undefined);
  const reader = (body.take() as ReadableStream<Uint8Array>).getReader();
  void pen.write(Uint8Array.of(7));
  expect(await reader.read()).toEqual({ done: false, value: Uint8Array.of(7) });
  void pen.close();
  expect((await reader.read()).done).toBe(true);
});

test("a body of known length within the limit becomes bytes before it is sent", async () => {
  const { stream } = source([[1], [2, 3]]);
  const body = await replayBody(stream, 3, 3);
  expect(body.take()).toEqual(Uint8Array.of(1, 2, 3));
  expect(body.replayable()).toBe(true);
});

test("a body of known length above the limit passes on untouched and is not kept", async () => {
  const { stream, told } = source([[1, 2, 3, 4]]);
  const body = await replayBody(stream, 3, 4);
  expect(body.take()).toBe(stream);
  expect(body.replayable()).toBe(false);
  expect(told.pulls).toBe(0);
});

test("a body longer than its announced length and than the limit loses no byte", async () => {
  const { stream } = source([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const body = await replayBody(stream, 3, 2);
  expect(body.replayable()).toBe(true);
  expect(await bytesOf(body.take())).toEqual([1, 2, 3, 4, 5, 6]);
  expect(body.replayable()).toBe(false);
});

test("an attempt that broke off in the middle is followed by one with every byte, kept and not yet read", async () => {
  const { stream, told } = source([[1], [2], [3]]);
  const body = await replayBody(stream, 10, undefined);
  const first = (body.take() as ReadableStream<Uint8Array>).getReader();
  await first.read();
  await first.cancel();
  expect(told.cancelled).toBe(false);
  expect(await bytesOf(body.take())).toEqual([1, 2, 3]);
});

test("the stream of an attempt that was overtaken breaks off and takes no byte from the later one", async () => {
  const { stream } = source([[1], [2], [3]]);
  const body = await replayBody(stream, 10, undefined);
  const first = (body.take() as ReadableStream<Uint8Array>).getReader();
  await first.read();
  const second = body.take();
  await expect(first.read()).rejects.toThrow("later attempt");
  expect(await bytesOf(second)).toEqual([1, 2, 3]);
});

test("a source that fails fails the attempt, and there is nothing to replay", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("gone")),
  });
  const body = await replayBody(broken, 10, undefined);
  await expect(bytesOf(body.take())).rejects.toThrow("gone");
  expect(body.replayable()).toBe(false);
});

test("a body that breaks off while it is read at once is not sent as if it had ended there", async () => {
  let pulls = 0;
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pulls++ === 0) controller.enqueue(Uint8Array.of(1, 2));
      else controller.error(new Error("gone"));
    },
  });
  const body = await replayBody(broken, 10, 5);
  expect(body.replayable()).toBe(false);
  await expect(bytesOf(body.take())).rejects.toThrow("gone");
});

test("what has passed on is let go of as soon as no further attempt can want it", async () => {
  const drop = vi.spyOn(KeptBytes.prototype, "drop");
  try {
    const { stream } = source([[1, 2], [3], [4]]);
    const body = await replayBody(stream, 10, undefined);
    const reader = (body.take() as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    expect(drop).not.toHaveBeenCalled();
    body.finish();
    await reader.read();
    expect(drop).toHaveBeenLastCalledWith(3);
  } finally {
    drop.mockRestore();
  }
});

test("after the last attempt nothing is kept, and giving the body up reaches the source", async () => {
  const { stream, told } = source([[1], [2]]);
  const body = await replayBody(stream, 10, undefined);
  const reader = (body.take() as ReadableStream<Uint8Array>).getReader();
  body.finish();
  await reader.read();
  await reader.cancel();
  expect(told.cancelled).toBe(true);
  expect(body.replayable()).toBe(false);
});

test("a body that is not kept can be sent once as a stream, and again if it is bytes or nothing", () => {
  const { stream } = source([[1]]);
  const bodies: Body[] = [stream, Uint8Array.of(1), null];
  const after = bodies.map((body) => {
    const kept = once(body);
    kept.take();
    return kept.replayable();
  });
  expect(after).toEqual([false, true, true]);
  const upgrade = once(null, true);
  upgrade.take();
  expect(upgrade.replayable()).toBe(false);
});

test("whatever the chunks, the limit and the place where an attempt ends, no byte is lost or doubled", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat(255), { minLength: 1, maxLength: 5 }), { maxLength: 8 }),
      fc.integer({ min: 0, max: 24 }),
      fc.integer({ min: 0, max: 8 }),
      async (chunks, limit, reads) => {
        const all = chunks.flat();
        const body = await replayBody(source(chunks).stream, limit, undefined);
        const first = (body.take() as ReadableStream<Uint8Array>).getReader();
        const seen: number[] = [];
        for (let i = 0; i < reads; i++) seen.push(...((await first.read()).value ?? []));
        expect(seen).toEqual(all.slice(0, seen.length));
        if (body.replayable()) expect(await bytesOf(body.take())).toEqual(all);
        else {
          expect(seen.length).toBeGreaterThan(limit);
          for (let part = await first.read(); !part.done; part = await first.read()) seen.push(...part.value);
          expect(seen).toEqual(all);
        }
      },
    ),
    { seed: 5, numRuns: 100 },
  );
});

test("a body that comes byte by byte is kept in not much more memory than it is", async () => {
  // As workerd gives the pieces of a request's body: each in a buffer of its own.
  const left = Array.from({ length: 10_000 }, (_, index) => {
    const buffer = new Uint8Array(4_096).fill(index % 251);
    return buffer.subarray(0, 1);
  });
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = left.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
  });
  const body = await replayBody(stream, 65_536, undefined);
  const first = (body.take() as ReadableStream<Uint8Array>).getReader();
  for (let read = 0; read < 9_999; ) read += (await first.read()).value?.byteLength ?? 10_000;
  const second = (body.take() as ReadableStream<Uint8Array>).getReader();
  const buffers = new Set<ArrayBufferLike>();
  const bytes: number[] = [];
  for (let next = await second.read(); !next.done; next = await second.read()) {
    buffers.add(next.value.buffer);
    bytes.push(...next.value);
  }
  expect(bytes).toEqual(Array.from({ length: 10_000 }, (_, index) => index % 251));
  expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(3 * 4_096);
});

test("an empty piece of a stream does not end it", async () => {
  const { stream } = source([[1], [], [2]]);
  const body = await replayBody(stream, 10, undefined);
  expect(await bytesOf(body.take())).toEqual([1, 2]);
});
