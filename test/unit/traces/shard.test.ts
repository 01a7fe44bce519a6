import { expect, test } from "vitest";
import { byShard, traceShard } from "../../../control/traces/shard.ts";
import { someSpan } from "../telemetry/fixtures.ts";

const idOf = (byte: number) => `${"0".repeat(29)}1${byte.toString(16).padStart(2, "0")}`;

test("the last byte of the id spreads traces evenly over eight objects", () => {
  const counts = new Map<string, number>();
  for (let byte = 0; byte < 256; byte++) {
    const name = traceShard(idOf(byte));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  expect(counts.size).toBe(8);
  expect([...counts.values()]).toEqual(new Array(8).fill(32));
});

test("an id that begins with a time does not put all traces of an hour into one object", () => {
  const names = Array.from({ length: 64 }, (_, n) => traceShard(`69234567${idOf(n).slice(8)}`));
  expect(new Set(names).size).toBe(8);
});

test("byShard() sends spans of one trace to one object, and every span to some", () => {
  const spans = Array.from({ length: 20 }, (_, n) => ({ ...someSpan, traceId: idOf(n % 10), name: `${n}` }));
  const groups = byShard(spans);
  expect([...groups.values()].flat()).toHaveLength(20);
  for (const [name, group] of groups) {
    expect(group.every(({ traceId }) => traceShard(traceId) === name)).toBe(true);
  }
  expect(byShard([]).size).toBe(0);
});
