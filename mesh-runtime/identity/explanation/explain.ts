import { Fields } from "../../foundation/fields.ts";
import { header } from "../../foundation/headers.ts";
import type { Refusal } from "../../foundation/refusal.ts";
import { no, ok, type Result } from "../../foundation/result.ts";
import { BindingIds, claimsProof, identify, type Known, verifiedBody } from "../identified.ts";
import { ReplayWindow } from "../replay.ts";
import { workloadOf } from "../spiffe-id.ts";
import { WitCache } from "../svid.ts";
import type { Evidence, Principal, SpiffeId } from "../words.ts";
import { bodyOf, type Captured, demandText, type Judge, lacksBody } from "./captured.ts";
import { Findings, type IdentityCheck, stated } from "./findings.ts";
import { tellProof } from "./proof-checks.ts";

/** What a worker would have said, and how it came to that. */
export interface IdentityExplanation {
  readonly accepted: boolean;
  /** Undefined where it was refused, or where nobody has to be known (PERMISSIVE). */
  readonly caller: { readonly spiffeId: string; readonly evidence: Evidence } | undefined;
  readonly refusal: Refusal | undefined;
  /** In the order in which a worker makes them; it stops at the first that fails. */
  readonly checks: readonly IdentityCheck[];
}

/**
 * Says of a captured request what an isolate that has just started would say of it, check by check.
 *
 * The verdict is that of `identify`, which workers run; what is told of each check comes from the same functions that
 * `identify` calls, called in the same order. `test/attacks` holds the two against each other with every attack that
 * there is. Two things a file cannot tell: whether the nonce has been used before, which an isolate remembers, and
 * whether a proof by session is right, because its key is known to the two alone.
 */
export async function explainIdentity(captured: Captured, judge: Judge): Promise<IdentityExplanation> {
  if (claimsProof(captured.headers) && captured.headers.has(header.session))
    return explainSession(captured, judge);
  const verdict = await verdictOn(captured, judge);
  const findings = new Findings();
  let id: SpiffeId | undefined;
  if (claimsProof(captured.headers)) id = await tellProof(findings, captured, judge, verdict);
  else tellBinding(findings, captured, judge, verdict);

  // All else has passed where only the digest is left, and it says nothing against a request whose body nobody kept.
  const judged: Result<Pick<Known, "principal">, Refusal> = id !== undefined &&
  lacksBody(captured) &&
  fails(verdict, "digest")
    ? ok({ principal: principalOf(id) })
    : verdict;
  findings.settle(judged.ok ? undefined : judged.reason);
  const principal = judged.ok ? judged.value.principal : undefined;
  return {
    accepted: judged.ok,
    caller: principal && { spiffeId: principal.id.uri, evidence: principal.evidence },
    refusal: judged.ok ? undefined : judged.reason,
    checks: findings.checks,
  };
}

/** The same for a proof by session, whose verdict is what was found here: no other can be had without its key. */
async function explainSession(captured: Captured, judge: Judge): Promise<IdentityExplanation> {
  const findings = new Findings();
  const { headers } = captured;
  const digest = headers.get(header.contentDigest) ?? undefined;
  const body = await verifiedBody({ method: captured.method, body: bodyOf(captured) }, digest, judge.policy);
  const id = await tellProof(
    findings,
    captured,
    judge,
    body.ok ? ok({ principal: undefined }) : no(body.reason),
  );
  const { refusal } = findings;
  const principal = refusal === undefined && id !== undefined ? principalOf(id) : undefined;
  return {
    accepted: refusal === undefined,
    caller: principal && { spiffeId: principal.id.uri, evidence: principal.evidence },
    refusal,
    checks: findings.checks,
  };
}

/** What `identify` says in an isolate that knows nothing yet. */
function verdictOn(captured: Captured, { policy, bundle, now }: Judge): Promise<Result<Known, Refusal>> {
  const { method, url, headers, props } = captured;
  const ports = {
    trust: () => bundle,
    cache: new WitCache(),
    replay: new ReplayWindow(),
    clock: { now: () => now },
    count: () => undefined,
  };
  const request = { method, url, body: bodyOf(captured) };
  return identify({ request, policy, bindingProps: props }, new Fields(headers), ports, new BindingIds());
}

const fails = (verdict: Result<Known, Refusal>, step: string): boolean =>
  !verdict.ok && verdict.reason.kind === "unidentified" && verdict.reason.step === step;

function principalOf(id: SpiffeId): Principal | undefined {
  const workload = workloadOf(id);
  return workload && { id, ...workload, evidence: "signature" };
}

/** What `identify` asks where nobody tries to prove anything. */
function tellBinding(
  findings: Findings,
  { props }: Captured,
  { policy }: Judge,
  verdict: Result<Known, Refusal>,
): void {
  const named = props === undefined ? "no binding" : `a binding whose props say ${stated(props)}`;
  const shown = ["no proof: neither a token nor a signature of ours", named];
  const tooWeak = fails(verdict, "evidence");
  findings.tellRefusal("who the caller shows to be", "", shown, tooWeak ? ok(undefined) : verdict);
  const isNobody = verdict.ok && verdict.value.principal === undefined;
  const demands = [demandText(policy), ...(isNobody ? ["so it comes in as nobody, and is counted"] : [])];
  findings.tellRefusal("evidence", "", demands, verdict);
}
