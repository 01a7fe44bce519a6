import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeptBytes } from "../../../mesh-runtime/foundation/kept-bytes.ts";

/** A piece as workerd gives it: a part of a buffer that is larger. */
const piece = (bytes: readonly number[], buffer = Math.max(4_096, bytes.length)): Uint8Array => {
  const whole = new Uint8Array(buffer);
  whole.set(bytes);
  return whole.subarray(0, bytes.length);
};

/** What the pieces hold of memory, bytes: each buffer once. */
const held = (pieces: readonly Uint8Array[]): number =>
  [...new Set(pieces.map(({ buffer }) => buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0);

const kept = (pieces: readonly Uint8Array[]): KeptBytes => {
  const all = new KeptBytes();
  for (const each of pieces) all.add(each);
  return all;
};

describe("bytes that are kept as they come", () => {
  test("take no more memory for coming one by one", () => {
    const all = kept(Array.from({ length: 65_536 }, (_, index) => piece([index % 251])));
    expect(all.length).toBe(65_536);
    expect(all.pieces()).toHaveLength(16);
    expect(held(all.pieces())).toBe(65_536);
    expect([...all.joined().subarray(250, 253)]).toEqual([250, 0, 1]);
  });

  test("take no more than they are and a block, in whatever pieces they come", () => {
    const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(9_000)), { maxLength: 60 });
    fc.assert(
      fc.property(sizes, (all) => {
        const bytes = kept(
          all.map((size) => piece(new Array<number>(size).fill(1), size % 3 > 0 ? size : 16_384)),
        );
        expect(bytes.length).toBe(all.reduce((sum, size) => sum + size, 0));
        expect(held(bytes.pieces())).toBeLessThanOrEqual(bytes.length + 4_096);
      }),
      { numRuns: 100, seed: 7 },
    );
  });

  test("are the pieces themselves where those are large: nothing is copied", () => {
    const [one, other] = [new Uint8Array(5_000), new Uint8Array(4_000)];
    expect(kept([one, other]).pieces()).toEqual([one, other]);
    expect(kept([one]).joined()).toBe(one);
  });

  test("read the same from every place, while more come and the first are dropped", () => {
    const chunk = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 3_000 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 12 }), fc.boolean(), (chunks, dropping) => {
        const all = new KeptBytes();
        const read: number[] = [];
        for (const each of chunks) {
          all.add(piece(each));
          for (let found = all.after(read.length); found !== undefined; found = all.after(read.length))
            read.push(...found);
          if (dropping) all.drop(read.length);
        }
        expect(read).toEqual(chunks.flat());
        expect(all.start).toBe(dropping ? read.length : 0);
        expect([...all.joined()]).toEqual(dropping ? [] : read);
      }),
      { numRuns: 100, seed: 7 },
    );
  });

  test("begin nowhere where there are none", () => {
    const none = kept([new Uint8Array(0)]);
    expect([none.length, none.start, none.after(0), none.joined().byteLength]).toEqual([0, 0, undefined, 0]);
  });
});
