import { no, ok, type Result } from "./result.ts";

const grammar = /^(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}$/;
const part = /([0-9]{1,5})(h|ms|m|s)/g;
const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/**
 * Parses a Gateway API duration (GEP-2257): one to four parts of at most five digits with a unit.
 * @returns milliseconds, or what is wrong with the text
 */
export function parseDuration(text: string): Result<number, string> {
  if (!grammar.test(text)) return no(`a duration such as "250ms", "10s" or "1h30m"`);
  let total = 0;
  for (const [, amount, unit] of text.matchAll(part)) total += Number(amount) * (unitMs[unit ?? ""] ?? 0);
  return ok(total);
}
