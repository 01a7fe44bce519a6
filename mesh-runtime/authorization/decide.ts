import type { Mode, Principal } from "../identity/words.ts";
import { normalPath } from "./path-form.ts";
import { looksAtPath, ruleMatches, type Subject, speaksOf } from "./rule.ts";
import type { AccessDecision, AccessRequest, AuthorizationRule } from "./words.ts";

/** Judges requests by the rules that it was made from. */
export type Decide = (request: AccessRequest) => AccessDecision;

/**
 * Judges one request: DENY before ALLOW (Istio). What no ALLOW rule matches is denied, with one
 * exception: in PERMISSIVE, a workload for which nobody has written any ALLOW rule lets everybody in, so
 * that a mesh can be adopted service by service.
 *
 * If any rule looks at paths, a path that can be read in two ways is denied whatever the rules say:
 * nobody knows which of them it would match. Methods compare in upper case, because applications are
 * less strict than RFC 9110 §9.1 and `patch` must not pass a rule that denies `PATCH`.
 *
 * What rules on paths and methods cannot see, and an application should not do behind them: a method
 * taken from `X-HTTP-Method-Override`, a path taken from a header or a query parameter, a `HEAD`
 * answered as `GET` where only `GET` is denied.
 */
export const decide = (
  rules: readonly AuthorizationRule[],
  request: AccessRequest,
  mode: Mode,
): AccessDecision => decider(rules, mode)(request);

/** The same with everything done ahead that depends on the rules alone. */
export function decider(rules: readonly AuthorizationRule[], mode: Mode): Decide {
  const denying = rules.filter(({ action }) => action === "DENY");
  const allowing = rules.filter(({ action }) => action === "ALLOW");
  const pathMatters = rules.some(looksAtPath);
  const openDoor = mode === "PERMISSIVE" && allowing.length === 0;

  return ({ principal, method, path }) => {
    const form = pathMatters ? normalPath(path) : undefined;
    if (form !== undefined && !form.ok) return denied(`default: ambiguous path (${form.reason})`);
    const subject: Subject = { principal, method: method.toUpperCase(), path: form?.value ?? path };

    const against = denying.find((rule) => ruleMatches(rule, subject));
    if (against !== undefined) return denied(against.name);
    const inFavour = allowing.find((rule) => ruleMatches(rule, subject));
    if (inFavour !== undefined) return { allowed: true, rule: inFavour.name };
    return openDoor
      ? { allowed: true, rule: "default: PERMISSIVE and no ALLOW rule" }
      : denied("default: no ALLOW rule matched");
  };
}

/**
 * Whether there is any request with which this principal would be let in. A rule that denies some operations
 * leaves others; one that denies the principal altogether leaves none.
 */
export function mayCall(rules: readonly AuthorizationRule[], principal: Principal, mode: Mode): boolean {
  const shut = rules.some(
    (rule) => rule.action === "DENY" && rule.to === undefined && speaksOf(rule, principal),
  );
  if (shut) return false;
  const allowing = rules.filter(({ action }) => action === "ALLOW");
  if (mode === "PERMISSIVE" && allowing.length === 0) return true;
  return allowing.some((rule) => speaksOf(rule, principal));
}

const denied = (rule: string): AccessDecision => ({ allowed: false, rule });
