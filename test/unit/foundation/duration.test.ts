import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDuration } from "../../../mesh-runtime/foundation/duration.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";

const unitMs = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const part = fc.record({
  amount: fc.nat({ max: 99_999 }),
  width: fc.integer({ min: 1, max: 5 }),
  unit: fc.constantFrom("h", "m", "s", "ms"),
});
const runs = { seed: 20_261_001, numRuns: 300 };

// GEP-2257's own examples, and the order and repetition that its grammar leaves open.
test.each([
  ["0s", 0],
  ["1ms", 1],
  ["250ms", 250],
  ["10s", 10_000],
  ["1h", 3_600_000],
  ["1h30m", 5_400_000],
  ["1h30m10s", 5_410_000],
  ["30m1h", 5_400_000],
  ["1h2m3s4ms", 3_723_004],
  ["1m1m1m1m", 240_000],
  ["00010s", 10_000],
  ["99999h", 359_996_400_000],
])("%s is %d milliseconds", (text, ms) => {
  expect(parseDuration(text)).toEqual(ok(ms));
});

test.each([
  ["an empty text", ""],
  ["a number without a unit", "0"],
  ["a unit without a number", "s"],
  ["a fraction", "1.5s"],
  ["a negative number", "-1s"],
  ["a sign", "+1s"],
  ["an exponent", "1e3s"],
  ["a unit that is not in the grammar", "1d"],
  ["microseconds", "1us"],
  ["an upper-case unit", "1S"],
  ["six digits", "100000s"],
  ["five parts", "1h1m1s1ms1ms"],
  ["a space before", " 1s"],
  ["a space after", "1s "],
  ["a space between parts", "1h 30m"],
  ["a line break after", "1s\n"],
  ["digits of another script", "١s"],
])("%s is no duration", (_, text) => {
  expect(parseDuration(text)).toEqual({ ok: false, reason: expect.stringContaining("1h30m") });
});

test("every text of the grammar is the sum of its parts, leading zeros or not", () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const text = parts.map((p) => `${String(p.amount).padStart(p.width, "0")}${p.unit}`).join("");
      const sum = parts.reduce((total, p) => total + p.amount * unitMs[p.unit], 0);
      expect(parseDuration(text)).toEqual(ok(sum));
    }),
    runs,
  );
});

test("whatever the text, the answer is a whole number of milliseconds or a reason, and never an exception", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9hms.]{0,30}$/)), (text) => {
      const answer = parseDuration(text);
      expect(answer.ok ? Number.isSafeInteger(answer.value) && answer.value >= 0 : answer.reason !== "").toBe(
        true,
      );
    }),
    runs,
  );
});

test("parsing accepts exactly what GEP-2257's expression accepts", () => {
  const grammar = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9hms]{0,14}$/), (text) => {
      expect(parseDuration(text).ok).toBe(grammar.test(text));
    }),
    { ...runs, numRuns: 1_000 },
  );
});

test("a long hostile text is refused at once", () => {
  expect(parseDuration(`${"1".repeat(100_000)}x`).ok).toBe(false);
  expect(parseDuration("1m".repeat(100_000)).ok).toBe(false);
});
