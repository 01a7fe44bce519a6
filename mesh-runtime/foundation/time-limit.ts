/** The reasons that were made here, and whether whoever was waited for is to blame. Held by nothing else. */
const reasons = new WeakMap<object, "blame" | "nobody">();

/**
 * The reason with which a limit of time of ours fires a signal: the one of `AbortSignal.timeout()`, so that all read it
 * alike. Whoever was waited for was too slow.
 */
export function timeout(): DOMException {
  const reason = new DOMException("The time for this attempt is over", "TimeoutError");
  reasons.set(reason, "blame");
  return reason;
}

/** The reason with which a limit of ours fires that says nothing about whoever was waited for; see `bounded`. */
export function outOfPatience(): DOMException {
  const reason = new DOMException("The little time that the caller gave is over", "TimeoutError");
  reasons.set(reason, "nobody");
  return reason;
}

/**
 * Whether a signal fired because a limit of ours had passed, for which whoever was waited for is to blame. An
 * application that ends its call by `AbortSignal.timeout()` has gone away, as by any other signal: how long it waits is
 * its own choice, and circuits are everybody's.
 */
export const timedOut = (signal: AbortSignal): boolean => kindOf(signal) === "blame";

/** Whether a signal fired because any limit of ours had passed, and not because the caller went away. */
export const isOver = (signal: AbortSignal): boolean => kindOf(signal) !== undefined;

function kindOf({ aborted, reason }: AbortSignal): "blame" | "nobody" | undefined {
  return aborted && typeof reason === "object" && reason !== null ? reasons.get(reason) : undefined;
}
