/** The longest deadline that travels between services: a day, milliseconds. */
export const longestDeadlineMs = 86_400_000;

/**
 * When an exchange must be over: the earliest of its own limits and the caller's.
 * @param timeoutsMs milliseconds from `startedAt`; 0 and `undefined` are no limit
 * @param inherited absolute, from whoever caused the exchange
 * @returns milliseconds since the Unix epoch, `undefined` without a limit
 */
export function deadlineOf(known: {
  readonly startedAt: number;
  readonly timeoutsMs: readonly (number | undefined)[];
  readonly inherited: number | undefined;
}): number | undefined {
  let earliest = known.inherited;
  for (const timeoutMs of known.timeoutsMs) {
    if (timeoutMs === undefined || timeoutMs <= 0) continue;
    const at = known.startedAt + timeoutMs;
    if (earliest === undefined || at < earliest) earliest = at;
  }
  return earliest;
}

/** The value of `tulle-deadline-ms`: what is left, in whole milliseconds, never negative and never above a day. */
export function formatRemaining(ms: number): string {
  return String(Math.max(0, Math.min(longestDeadlineMs, Math.floor(ms))));
}

/** Reads `tulle-deadline-ms`; `undefined` for whatever is not a whole number of at most a day. */
export const parseRemaining = (text: string | null): number | undefined =>
  parseCount(text, longestDeadlineMs);

/** Reads a whole number without sign, space or leading zeros; `undefined` for anything else or above `most`. */
export function parseCount(text: string | null, most: number): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,8})$/.test(text ?? "")) return undefined;
  const count = Number(text);
  return count <= most ? count : undefined;
}
