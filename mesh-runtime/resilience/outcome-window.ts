/** What was counted in one slice of time. */
export interface Counts {
  readonly success: number;
  readonly failure: number;
}

/** One slice, named by its index: time over the slice's length. */
export interface Slice extends Counts {
  readonly index: number;
}

/**
 * Outcomes of the recent past, oldest slice first, empty slices left out. Plain data; how long a slice
 * is and how many of them count is the reader's choice, the same at every call.
 */
export type OutcomeWindow = readonly Slice[];

/** How a window is cut. */
export interface Cut {
  readonly sliceMs: number;
  readonly slices: number;
}

/**
 * Adds counts to the present slice and drops the slices that are too old; after a gap as long as the
 * window nothing old is left. A clock that stands still or goes back adds to the newest slice: time
 * never clears a slice, and never makes a second one of it.
 */
export function counted(window: OutcomeWindow, counts: Counts, now: number, cut: Cut): OutcomeWindow {
  const newest = window.at(-1);
  const index = indexAt(window, now, cut);
  if (newest?.index === index) {
    const { success, failure } = newest;
    const sum = { index, success: success + counts.success, failure: failure + counts.failure };
    return [...window.slice(0, -1), sum];
  }
  const recent = window.filter((slice) => slice.index > index - cut.slices);
  return [...recent, { index, success: counts.success, failure: counts.failure }];
}

/** The sum of the newest slices, the present one included. */
export function lately(window: OutcomeWindow, now: number, cut: Cut): Counts {
  const oldest = indexAt(window, now, cut) - cut.slices;
  let success = 0;
  let failure = 0;
  for (const slice of window) {
    if (slice.index <= oldest) continue;
    success += slice.success;
    failure += slice.failure;
  }
  return { success, failure };
}

function indexAt(window: OutcomeWindow, now: number, cut: Cut): number {
  return Math.max(Math.floor(now / cut.sliceMs), window.at(-1)?.index ?? Number.NEGATIVE_INFINITY);
}
