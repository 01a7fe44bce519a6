import type { EndUser } from "../identity/end-user.ts";
import type { Mode, Principal } from "../identity/words.ts";
import { type Address, parseAddress } from "./address.ts";
import { normalPath } from "./path-form.ts";
import { ReadPath } from "./path-readings.ts";
import { namesCaller, type ReadRule, readRule, type Subject } from "./rule.ts";
import type { AccessDecision, AccessRequest, AuthorizationRule, Verdict } from "./words.ts";

/** Judges requests by the rules that it was made from. */
export type Decide = (request: AccessRequest) => AccessDecision;

/**
 * Judges one request: DENY before ALLOW (Istio). What no ALLOW rule matches is denied, with one
 * exception: in PERMISSIVE, a workload for which nobody has written any ALLOW rule lets everybody in, so
 * that a mesh can be adopted service by service. AUDIT rules and rules on a dry run decide nothing; the
 * decision says which of them speaks of the request, and what would have been decided.
 *
 * If any rule looks at paths, a path whose segments can be read in two ways is denied whatever the rules
 * say: nobody knows which of them it would match. What is left of doubt, rules are held against: see
 * `rule.ts`. Methods compare in upper case, because applications are less strict than RFC 9110 §9.1 and
 * `patch` must not pass a rule that denies `PATCH`.
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

/**
 * The same with everything done ahead that depends on the rules alone.
 * @param open what is told of a request that is let in because nobody has written any ALLOW rule
 */
export function decider(
  rules: readonly AuthorizationRule[],
  mode: Mode,
  open = "default: PERMISSIVE and no ALLOW rule",
): Decide {
  const deciding = rules.filter(({ action }) => action !== "AUDIT");
  const inForce = deciding.filter(({ dryRun }) => dryRun === undefined);
  const judge = judgeOf(inForce, mode, open);
  const auditing = rules.filter(({ action, dryRun }) => action === "AUDIT" && dryRun === undefined);
  const wouldJudge = deciding.length > inForce.length ? judgeOf(deciding, mode, open) : undefined;
  if (auditing.length === 0 && wouldJudge === undefined) return judge;
  const audit = auditOf(auditing);
  return (request) => {
    const audited = audit(request);
    return {
      ...judge(request),
      ...(audited === undefined ? {} : { audited }),
      ...(wouldJudge === undefined ? {} : { dryRun: wouldJudge(request) }),
    };
  };
}

function judgeOf(
  rules: readonly AuthorizationRule[],
  mode: Mode,
  open: string,
): (request: AccessRequest) => Verdict {
  const read = rules.map(readRule);
  const denying = read.filter((_, index) => rules[index]?.action === "DENY");
  const allowing = read.filter((_, index) => rules[index]?.action === "ALLOW");
  const subjectOf = subjects(read);
  const openDoor = mode === "PERMISSIVE" && allowing.length === 0;

  return (request) => {
    const { subject, ambiguous } = subjectOf(request);
    if (ambiguous !== undefined) return denied(`default: ambiguous path (${ambiguous})`);
    const against = denying.find((rule) => rule.speaksOf(subject));
    if (against !== undefined) return denied(against.name);
    const inFavour = allowing.find((rule) => rule.speaksOf(subject));
    if (inFavour !== undefined) return { allowed: true, rule: inFavour.name };
    return openDoor ? { allowed: true, rule: open } : denied("default: no ALLOW rule matched");
  };
}

/** The first AUDIT rule that speaks of a request. In doubt it does. */
function auditOf(rules: readonly AuthorizationRule[]): (request: AccessRequest) => string | undefined {
  const read = rules.map(readRule);
  const subjectOf = subjects(read);
  return (request) => {
    const { subject } = subjectOf(request);
    return read.find((rule) => rule.speaksOf(subject))?.name;
  };
}

interface Asked {
  readonly subject: Subject;
  /** What makes the path ambiguous, if a rule looks at it and something does. */
  readonly ambiguous: string | undefined;
}

/** Makes what rules are held against. What no rule asks for is not looked at. */
function subjects(rules: readonly ReadRule[]): (request: AccessRequest) => Asked {
  const pathMatters = rules.some(({ looksAtPath }) => looksAtPath);
  const patterns = rules.reduce((all, { differences }) => all | differences, 0);
  return (request) => {
    const form = pathMatters ? normalPath(request.path) : undefined;
    return {
      subject: new SubjectOf(request, form?.ok ? new ReadPath(form.value, patterns) : undefined),
      ambiguous: form === undefined || form.ok ? undefined : form.reason,
    };
  };
}

class SubjectOf implements Subject {
  readonly principal: Principal | undefined;
  readonly user: EndUser | undefined;
  readonly method: string;
  readonly path: ReadPath | undefined;
  readonly #request: AccessRequest;
  #host: string | undefined;

  constructor(request: AccessRequest, path: ReadPath | undefined) {
    this.principal = request.principal;
    this.user = request.user;
    this.method = request.method.toUpperCase();
    this.path = path;
    this.#request = request;
  }

  get host(): string {
    this.#host ??= (this.#request.host ?? "").toLowerCase().replace(/\.$/, "");
    return this.#host;
  }

  get address(): Address | undefined {
    const { address } = this.#request;
    return address === undefined ? undefined : parseAddress(address);
  }

  readonly header = (name: string): string => this.#request.header?.(name) ?? "";
}

/**
 * Whether there is any request with which this principal would be let in. A rule that denies some operations
 * leaves others; one that denies the principal altogether leaves none.
 */
export function mayCall(rules: readonly AuthorizationRule[], principal: Principal, mode: Mode): boolean {
  const inForce = rules.filter(({ dryRun }) => dryRun === undefined);
  const shut = inForce.some(
    (rule) => rule.action === "DENY" && isWhole(rule) && namesCaller(rule, principal),
  );
  if (shut) return false;
  const allowing = inForce.filter(({ action }) => action === "ALLOW");
  if (mode === "PERMISSIVE" && allowing.length === 0) return true;
  return allowing.some((rule) => namesCaller(rule, principal));
}

/** Whether a rule speaks of everything that its callers do, wherever they are and for whomever. */
const isWhole = ({ from = [], to, when }: AuthorizationRule): boolean =>
  to === undefined &&
  when === undefined &&
  from.every(
    ({ ipBlocks, notIpBlocks, requestPrincipals, notRequestPrincipals }) =>
      ipBlocks === undefined &&
      notIpBlocks === undefined &&
      requestPrincipals === undefined &&
      notRequestPrincipals === undefined,
  );

const denied = (rule: string): Verdict => ({ allowed: false, rule });
