/** A step came out otherwise than it must. The message is what the report shows. */
export class Failure extends Error {}

/** A step asks for what the runner does not know: to wait for it is of no use. */
export class UnknownStep extends Error {}

/** How long it is waited for what comes about in the end, milliseconds. Upstream waits 30 s and more. */
export const defaultPatienceMs = 5_000;
/** How long between two looks, milliseconds. */
const firstPauseMs = 20;
const mostPauseMs = 250;

/**
 * Tries until it passes, as the upstream suite does: what spreads from control to workers is consistent in the
 * end, and a circuit that the step before has opened closes again.
 * @param patienceMs how long; 0: it is tried once
 * @returns how often it was tried
 * @throws Failure the last one, when it has not passed in time
 */
export async function eventually(patienceMs: number, attempt: () => Promise<void>): Promise<number> {
  const giveUpAt = Date.now() + patienceMs;
  for (let tries = 1, pauseMs = firstPauseMs; ; tries++, pauseMs = Math.min(mostPauseMs, pauseMs * 2)) {
    try {
      await attempt();
      return tries;
    } catch (error) {
      if (!(error instanceof Failure) || Date.now() + pauseMs > giveUpAt) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Runs the same thing so often, a few at a time. */
export async function repeatedly<Value>(
  times: number,
  atOnce: number,
  work: (index: number) => Promise<Value>,
): Promise<Value[]> {
  const results: Value[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < times) {
      const index = next++;
      results[index] = await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, times) }, lane));
  return results;
}
