/**
 * Steps that comparing one request with the expressions of a table may take: looks at a place of an expression, as if
 * no automaton had learned anything. A step takes ten nanoseconds, and up to seventy where memory is waited
 * for, so that this is 5 to 35 milliseconds: the most that anybody can make an isolate compute for the rule of one
 * request, whatever the documents say (`bench/route-work.ts`).
 *
 * It is what a path of 8 KB takes that goes on at some thirty places at once; ordinary tables have a few at a time
 * (`docs/decisions/0021-the-work-of-one-request.md`).
 */
export const maxSteps = 500_000;

/** What of a request is read: its path and parameters, or its header fields. */
export type ReadPart = "url" | "headers";

/** Of the look-up that goes on; look-ups wait for nothing, so there is one at a time. */
interface Spending {
  left: number;
  part: ReadPart;
  /** What was being read when nothing was left. */
  exceeded: ReadPart | undefined;
}

const spending: Spending = { left: Number.POSITIVE_INFINITY, part: "url", exceeded: undefined };

/**
 * Looks something up within {@link maxSteps}.
 *
 * @param otherwise what to answer where a part of what is asked about takes more; nothing that was found holds then
 */
export function withinSteps<Asked, Found>(
  lookUp: (asked: Asked) => Found,
  asked: Asked,
  otherwise: Readonly<Record<ReadPart, Found>>,
): Found {
  spending.left = maxSteps;
  try {
    const found = lookUp(asked);
    return spending.exceeded === undefined ? found : otherwise[spending.exceeded];
  } finally {
    spending.left = Number.POSITIVE_INFINITY;
    spending.exceeded = undefined;
  }
}

/** Says what is read from here on. */
export const reads = (part: ReadPart): void => {
  spending.part = part;
};

/** How many steps are left. */
export const stepsLeft = (): number => spending.left;

/**
 * Takes steps; false when there are not as many, and from then on. Outside of a look-up there are as many as one
 * likes, but for `Infinity`, which is too much anywhere.
 */
export function spend(steps: number): boolean {
  if (spending.left === Number.POSITIVE_INFINITY) return steps < Number.POSITIVE_INFINITY;
  spending.left -= steps;
  if (spending.left >= 0) return true;
  spending.exceeded ??= spending.part;
  return false;
}
