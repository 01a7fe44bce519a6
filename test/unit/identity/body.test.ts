import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readUpTo, resumed } from "../../../mesh-runtime/identity/body.ts";

const streamOf = (chunks: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
const joined = (chunks: readonly Uint8Array[]) => new Uint8Array(chunks.flatMap((chunk) => [...chunk]));

describe("readUpTo()", () => {
  test("reads to the end, or gives up with nothing lost", async () => {
    const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 8 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(parts, fc.nat(40), async (chunks, limit) => {
        const whole = joined(chunks);
        const head = await readUpTo(streamOf(chunks), limit);
        expect(head.whole).toBe(whole.length <= limit);
        const bytes = head.whole
          ? head.bytes
          : new Uint8Array(await new Response(resumed(head.read, head.rest)).arrayBuffer());
        expect(bytes).toEqual(whole);
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  test("keeps bytes that come one by one in not much more memory than they are", async () => {
    // As workerd gives the pieces of a request's body: each in a buffer of its own.
    const pieces = Array.from({ length: 5_000 }, () => new Uint8Array(4_096).subarray(0, 1));
    const head = await readUpTo(streamOf(pieces), 4_999);
    if (head.whole) throw new Error("it was within the limit");
    const buffers = new Set(head.read.map(({ buffer }) => buffer));
    expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(2 * 4_096);
  });

  test("reads no further than one chunk beyond the limit", async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(10));
      },
    });
    const head = await readUpTo(endless, 35);
    expect(head.whole).toBe(false);
    expect(pulled).toBeLessThanOrEqual(6);
  });

  test("a resumed stream that is cancelled cancels its source", async () => {
    let reason: unknown;
    const source = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(10)),
      cancel: (why) => {
        reason = why;
      },
    });
    const head = await readUpTo(source, 5);
    if (!head.whole) await resumed(head.read, head.rest).cancel("enough");
    expect(reason).toBe("enough");
  });
});
