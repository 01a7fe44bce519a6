import type { RouteRetryRule } from "./retry-policy.ts";
import type { TrafficSettings } from "./words.ts";

/** What is known of a request when a retry of it is to be paid for. */
export interface Paying {
  readonly notes: { readonly route: string };
  readonly traffic: TrafficSettings;
  readonly retry: RouteRetryRule | undefined;
  /** Where attempts may go; absent: one place. */
  readonly backends?: readonly Candidate[];
  readonly policy?: {
    readonly destination: (
      key: string,
    ) => { readonly settings: { readonly traffic: TrafficSettings } } | undefined;
  };
}

export interface Candidate {
  readonly service: string;
  readonly weight: number;
  readonly unusable?: string;
}

/** Out of what a retry is paid, beside the share that every destination has. */
export interface Purse {
  /** The rule whose reserve it may use, if it has one. */
  readonly rule: string | undefined;
}

/**
 * Out of what a retry is paid: the destination's share, and the reserve of a rule that says itself how often to
 * retry, unless its destination wants none at all. Undefined where every backend has a budget of its own, which
 * `budgeted` keeps.
 */
export function purseOf(request: Paying): Purse | undefined {
  if (everyBackend(request, ({ retryConstraint }) => retryConstraint !== undefined)) return undefined;
  const reserved = request.retry !== undefined && request.traffic.retry.budgetRatio > 0;
  return { rule: reserved ? request.notes.route : undefined };
}

/** Whether something holds for all backends that the request may go to. */
export function everyBackend(
  { backends = [], policy }: Paying,
  holds: (traffic: TrafficSettings) => boolean,
): boolean {
  const used = backends.filter(usable);
  return (
    used.length > 0 &&
    used.every(({ service }) => {
      const known = policy?.destination(service);
      return known !== undefined && holds(known.settings.traffic);
    })
  );
}

/** Whether an attempt can go there and be answered. */
export const usable = ({ weight, unusable }: Candidate): boolean => weight > 0 && !unusable;
