/** How a worker is broken for a test. */
export interface Fault {
  /** Answer with this status instead of running the worker. */
  readonly status?: number;
  /** Wait so long before anything else, milliseconds. */
  readonly latencyMs?: number;
  /** Share of requests that are hit, in [0, 1]. @default 1 */
  readonly rate?: number;
}

let present: Fault | undefined;
let counted = 0;

export function setFault(fault: Fault | undefined): void {
  present = fault;
  counted = 0;
}

/** The fault that hits this request, if one does: evenly spread, so that a test with a rate is repeatable. */
export function strike(): Fault | undefined {
  if (present === undefined) return undefined;
  const { rate = 1 } = present;
  const before = Math.floor(counted * rate);
  counted++;
  return Math.floor(counted * rate) > before ? present : undefined;
}

/** How many requests the present fault has hit; 0 where there is none. */
export const hits = (): number => (present === undefined ? 0 : Math.floor(counted * (present.rate ?? 1)));
