import { inPrecedence } from "../routing/precedence.ts";
import type { Backend, Rule } from "../routing/words.ts";
import type { Ages } from "./age.ts";
import { canonicalJson } from "./canonical.ts";
import { filterWords } from "./explain-filters.ts";
import { conditionsOf, laterWords, matchWords } from "./explain-match.ts";
import type { Conditions } from "./explanation.ts";

/** One match of one rule, in its place in the order of precedence. */
export interface EffectiveRule {
  /** From 1. */
  readonly rank: number;
  readonly rule: string;
  readonly conditions: Conditions;
  /** The same in short words. */
  readonly match: string;
  /** In a word or two each, those of the rule alone. */
  readonly filters: readonly string[];
  readonly backends: readonly {
    readonly service: string;
    readonly weight: number;
    /** Of the requests, in [0, 1]. */
    readonly share: number;
    readonly unusable?: string;
  }[];
  /** The match of another rule that is the same and comes first, so that this one never decides. */
  readonly behind?: {
    readonly rule: string;
    /** `its route is younger: created …` */
    readonly because: string;
  };
}

/**
 * What rules come to: every match in the order in which they decide.
 * @param ages of routes, as far as they are known
 */
export function effectiveRules(rules: readonly Rule[], ages: Ages = new Map()): readonly EffectiveRule[] {
  const first = new Map<string, Rule>();
  return inPrecedence(rules).map(({ rule, match }, index) => {
    const shares = sharesOf(rule.backends);
    const conditions = canonicalJson(conditionsOf(match));
    const before = first.get(conditions);
    if (before === undefined) first.set(conditions, rule);
    return {
      rank: index + 1,
      rule: rule.name,
      conditions: conditionsOf(match),
      match: matchWords(match),
      filters: rule.filters.map(filterWords),
      backends: rule.backends.map(({ service, weight, unusable }, at) => ({
        service,
        weight,
        share: shares[at] ?? 0,
        ...(unusable === undefined ? {} : { unusable }),
      })),
      ...(before === undefined
        ? {}
        : { behind: { rule: before.name, because: laterWords(before, rule, ages) } }),
    };
  });
}

/** The share of first tries that `split` gives each backend, in [0, 1]: all 0 where none has weight. */
export function sharesOf(backends: readonly Backend[]): readonly number[] {
  const sum = backends.reduce((total, { weight }) => total + weight, 0);
  return backends.map(({ weight }) => (sum === 0 ? 0 : weight / sum));
}

/** Whose routes rules are (GEP-1294): a rule's name begins with its route's kind and namespace. */
export function routesOf(
  service: string,
  rules: readonly Rule[] | undefined,
): "producer" | "consumer" | "none" {
  const [kind, namespace] = rules?.[0]?.name.split("/") ?? [];
  if (kind === undefined || namespace === undefined) return "none";
  return namespace === service.slice(0, service.indexOf("/")) ? "producer" : "consumer";
}
