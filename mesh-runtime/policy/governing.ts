import type { Places } from "../resilience/admitted.ts";
import { usable } from "../resilience/purse.ts";
import type { RetryPolicy, TrafficSettings } from "../resilience/words.ts";
import type { Backend, Rule } from "../routing/words.ts";
import { meshTraffic } from "./defaults.ts";
import type { Destination, Snapshot, Stated } from "./snapshot.ts";

/** What holds under a rule, beyond what it says itself, because policies of its backends say so. */
export interface Governing {
  readonly traffic: TrafficSettings;
  /** What the backends say of it; for the rest the one who was addressed has the word. */
  readonly by: readonly ("timeout" | "retry")[];
  /** Whose share retries are paid out of, where the backends say what is tried again. */
  readonly payer: string | undefined;
}

/** Who was addressed: a destination, or a listener, of which no policy speaks. */
export type Addressee = Pick<Destination, "traffic" | "stated">;

/** What comes in at a gateway is addressed to nobody whose policy could hold. */
export const atListener: Addressee = { traffic: meshTraffic };

/**
 * Whose word on time and on retries holds under a rule, where that is not the one of who was addressed: what the
 * policies of its backends say, if no policy of the one addressed speaks of it. The rule's own word goes before both.
 * Undefined for nearly every rule.
 *
 * Before a backend is chosen one word has to hold for all of them. Where they differ no request is cut short that any
 * of them gives time, and none is repeated that any of them does not want repeated: the longest time (none is longer
 * than any), the fewest retries, after the codes that all of them list, the longest pause, the smallest share.
 */
export function governingOf(
  rule: Pick<Rule, "backends">,
  addressed: Addressee,
  settingsOf: (service: string) => Addressee | undefined,
): Governing | undefined {
  const backends = usedOf(rule).flatMap(({ service }) => settingsOf(service) ?? []);
  const speakOf = (what: Stated): boolean =>
    addressed.stated?.includes(what) !== true && backends.some(({ stated }) => stated?.includes(what));
  const [timeout, retry] = [speakOf("timeout"), speakOf("retry")];
  if (!timeout && !retry) return undefined;
  const all = backends.map(({ traffic }) => traffic);
  return {
    traffic: {
      ...addressed.traffic,
      ...(timeout ? { timeoutMs: longest(all.map(({ timeoutMs }) => timeoutMs)) } : {}),
      ...(retry ? { retry: mostCautious(all.map((its) => its.retry)) } : {}),
    },
    by: [...(timeout ? (["timeout"] as const) : []), ...(retry ? (["retry"] as const) : [])],
    payer: retry ? payerOf(rule) : undefined,
  };
}

/**
 * Whose places an attempt takes beside those of its destination: the backend's, where its own policy says how many
 * there are and the request was addressed to somebody else.
 * @param destination who was addressed: a service, or a listener
 */
export function placesOf(
  { key, stated, traffic }: Pick<Destination, "key" | "stated" | "traffic">,
  destination: string,
): Places | undefined {
  if (stated === undefined || key === destination || !stated.includes("maxInFlight")) return undefined;
  return { key, limit: traffic.maxInFlight };
}

/** Backends among which requests are split. */
const usedOf = ({ backends }: Pick<Rule, "backends">): readonly Backend[] => backends.filter(usable);

/** One budget for each set of backends, so that the share of one is not spent on another; that of a single one is its own. */
const payerOf = (rule: Pick<Rule, "backends">): string =>
  [...new Set(usedOf(rule).map(({ service }) => service))].sort().join(" ");

/** Milliseconds, of which 0 is no limit. */
const longest = (ms: readonly number[]): number => (ms.includes(0) ? 0 : Math.max(...ms));

function mostCautious(policies: readonly RetryPolicy[]): RetryPolicy {
  const each = <Value>(read: (policy: RetryPolicy) => Value): Value[] => policies.map(read);
  const codes = each((policy) => policy.codes);
  return {
    attempts: Math.min(...each(({ attempts }) => attempts)),
    codes: (codes[0] ?? []).filter((code) => codes.every((its) => its.includes(code))),
    perTryTimeoutMs: longest(each(({ perTryTimeoutMs }) => perTryTimeoutMs)),
    backoffBaseMs: Math.max(...each(({ backoffBaseMs }) => backoffBaseMs)),
    backoffMaxMs: Math.max(...each(({ backoffMaxMs }) => backoffMaxMs)),
    budgetRatio: Math.min(...each(({ budgetRatio }) => budgetRatio)),
    maxReplayBytes: Math.min(...each(({ maxReplayBytes }) => maxReplayBytes)),
    nonIdempotent: policies.every(({ nonIdempotent }) => nonIdempotent),
  };
}

/** The rules of a snapshot under which policies of backends hold, each with what they say; undefined where there are none. */
export function governedRules({
  destinations,
  listeners,
}: Pick<Snapshot, "destinations" | "listeners">): ReadonlyMap<Rule, Governing> | undefined {
  const all = Object.values(destinations);
  if (!all.some(({ stated = [] }) => stated.includes("timeout") || stated.includes("retry")))
    return undefined;
  const governed = new Map<Rule, Governing>();
  // Most rules lead where others do: what is said of the same backends is said once.
  const add = (rules: readonly Rule[], addressed: Addressee): void => {
    const known = new Map<string, Governing | undefined>();
    for (const rule of rules) {
      const payer = payerOf(rule);
      if (!known.has(payer))
        known.set(
          payer,
          governingOf(rule, addressed, (service) => destinations[service]),
        );
      const governing = known.get(payer);
      if (governing !== undefined) governed.set(rule, governing);
    }
  };
  add(
    listeners.flatMap(({ hosts }) => hosts.flatMap(({ rules }) => rules)),
    atListener,
  );
  for (const destination of all) {
    const { rules = [], portRules = {} } = destination;
    add([...rules, ...Object.values(portRules).flat()], destination);
  }
  return governed.size === 0 ? undefined : governed;
}
