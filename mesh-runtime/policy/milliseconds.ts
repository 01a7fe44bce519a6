import { parseDuration } from "../foundation/duration.ts";

/** Milliseconds of a duration that the schema has let through. */
export function millisecondsOf(written: string): number {
  const parsed = parseDuration(written);
  if (!parsed.ok) throw new TypeError(`Cannot compile a duration: it must be ${parsed.reason}`);
  return parsed.value;
}
