import { decide } from "../authorization/decide.ts";
import type { AccessDecision } from "../authorization/words.ts";
import type { Message } from "../foundation/exchange.ts";
import type { Endpoint } from "../foundation/ports.ts";
import { problemOf } from "../foundation/problem.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { workloadId, workloadOf } from "../identity/spiffe-id.ts";
import type { Evidence, Principal } from "../identity/words.ts";
import { maxSteps } from "../routing/steps.ts";
import type { Backend, BalancingSettings, HashOn, Matched } from "../routing/words.ts";
import { sharesOf } from "./effective-rules.ts";
import { becauseOf } from "./explain-access.ts";
import { filtered } from "./explain-filters.ts";
import type { EndpointOutlook, Fate, Outlook, Surroundings } from "./explanation.ts";
import { placesOf } from "./governing.ts";
import type { Loaded, LoadedDestination, LoadedRecipient } from "./loaded.ts";

/** What a request is when backends are chosen for it. */
export interface Leaving {
  /** After the rule's filters. */
  readonly message: Message;
  readonly matched: Matched | undefined;
  /** What was asked for: a service, or a listener. */
  readonly destination: string;
  readonly listenerPort: number | undefined;
}

/** What awaits a request at each backend of its rule, in the order written. */
export function outlooksOf(
  loaded: Loaded,
  backends: readonly Backend[],
  leaving: Leaving,
  surroundings: Surroundings,
): readonly Outlook[] {
  const shares = sharesOf(backends);
  return backends.map((backend, at) => outlookOf(loaded, backend, shares[at] ?? 0, leaving, surroundings));
}

function outlookOf(
  loaded: Loaded,
  backend: Backend,
  share: number,
  { message, matched, destination, listenerPort }: Leaving,
  surroundings: Surroundings,
): Outlook {
  const { service, weight, unusable, filters } = backend;
  const there = loaded.destination(service);
  const by = `a filter of the backend ${service}`;
  const own = filtered(message, filters, { matched, listenerPort, by });
  const common = {
    service,
    weight,
    share,
    ...(unusable === undefined ? {} : { unusable }),
    filters: own.steps,
    url: own.message.url.href,
    endpoints: [],
  };
  const ends = (refusal: Refusal): Outlook => ({ ...common, ending: refused(refusal) });
  const none = (detail: string): Outlook =>
    ends({ kind: "no-backend", destination, rule: matched?.rule.name ?? "", detail });
  if (unusable !== undefined) return none(`${service} cannot be used: ${unusable}`);
  if (own.answered !== undefined) return { ...common, ending: own.answered };
  if (there === undefined) return none(`${service} is not known here`);
  const visits = recipientsOf(there).map((recipient) => visit(loaded, recipient, own.message, surroundings));
  const [first] = visits;
  if (first === undefined) {
    const detail = `${service} has no endpoint: it only routes to others`;
    return ends({ kind: "unreachable", destination: service, delivered: false, detail });
  }

  const { circuit: policy, retryConstraint } = there.settings.traffic;
  const places = placesOf(there.settings, destination);
  const seen = surroundings.circuit(service);
  const shut = policy.enabled && seen?.state === "open";
  return {
    ...common,
    endpoints: visits.map(({ endpoint }) => endpoint),
    ...(there.choice.length > 0 ? { balancing: balancingWords(there.balancing) } : {}),
    circuit: { policy, ...(seen === undefined ? {} : { seen }) },
    ...(places === undefined ? {} : { maxInFlight: places.limit }),
    ...(retryConstraint === undefined ? {} : { retryConstraint }),
    ending: shut
      ? refused({ kind: "circuit-open", circuit: service, retryAfterMs: 1 })
      : (visits.find(({ fate }) => fate.kind === "reached") ?? first).fate,
  };
}

/** The endpoints of a destination, with the workload that answers at each. */
const recipientsOf = ({ choice, endpoint, settings, id }: LoadedDestination): readonly LoadedRecipient[] =>
  choice.length > 0 ? choice : endpoint === undefined ? [] : [{ settings, id, endpoint }];

interface Visit {
  readonly endpoint: EndpointOutlook;
  readonly fate: Fate;
}

/** What awaits the request at one endpoint. */
function visit(
  loaded: Loaded,
  { settings, id, endpoint }: LoadedRecipient,
  message: Message,
  surroundings: Surroundings,
): Visit {
  const { name = "", weight = 1, priority = 0, locality, address, recipient } = endpoint ?? {};
  const { proof, principal } = callerAt(loaded, settings.evidence, address);
  const judge = surroundings.access(id.uri);
  const { url, method, headers } = message;
  const host = url.hostname;
  const header = (called: string) => headers.get(called);
  const access =
    judge === undefined || principal === undefined
      ? undefined
      : decide(judge.rules, { principal, method, path: url.pathname, host, header }, judge.mode);
  const because = judge === undefined || access === undefined ? undefined : becauseOf(judge.rules, access);
  return {
    endpoint: {
      name,
      weight,
      priority,
      ...(locality === undefined ? {} : { locality }),
      address: address === undefined ? "" : addressWords(address),
      ...(recipient === undefined ? {} : { spiffeId: recipient.spiffeId }),
      evidence: settings.evidence,
      proof,
      ...(proof === "signature" && judge?.replay !== undefined ? { replay: judge.replay } : {}),
      ...(proof === "signature" && settings.responses !== undefined ? { responses: settings.responses } : {}),
      ...(proof === "signature" && settings.sessionProofs !== undefined
        ? { sessionProofs: settings.sessionProofs }
        : {}),
      ...(access === undefined ? {} : { access }),
      ...(because === undefined ? {} : { because }),
    },
    fate: fateOf(principal, access),
  };
}

function fateOf(principal: Principal | undefined, access: AccessDecision | undefined): Fate {
  if (principal === undefined)
    return refused({
      kind: "unidentified",
      step: "token",
      detail: "the caller's identity does not name a workload (/ns/<namespace>/sa/<service>)",
    });
  if (access !== undefined && !access.allowed)
    return refused({ kind: "denied", rule: access.rule, principal: principal.id.uri });
  return { kind: "reached" };
}

/** How the caller shows who it is, and as whom the callee then knows it: what `signed` and `identified` do. */
function callerAt(
  { self, snapshot }: Loaded,
  evidence: Evidence,
  address: Endpoint | undefined,
): { readonly proof: "signature" | "binding"; readonly principal: Principal | undefined } {
  if (evidence === "binding" && address?.kind === "binding") {
    const [namespace = "", service = ""] = snapshot.workload.split("/");
    const id = workloadId(snapshot.trustDomain, namespace, service);
    return { proof: "binding", principal: { id, namespace, service, evidence: "binding" } };
  }
  const workload = workloadOf(self);
  return {
    proof: "signature",
    principal: workload === undefined ? undefined : { id: self, ...workload, evidence: "signature" },
  };
}

function balancingWords({ algorithm, hashOn, slowStartMs, preferLocal }: BalancingSettings): string {
  const by = hashOn === undefined ? "" : ` by ${hashWords(hashOn)}`;
  const near = preferLocal ? ", the nearest first" : "";
  const slow = slowStartMs === 0 ? "" : `, new ones slowly over ${slowStartMs / 1_000} s`;
  return `${algorithm}${by}${near}${slow}`;
}

function hashWords(on: HashOn): string {
  switch (on.type) {
    case "header":
    case "cookie":
      return `the ${on.type} ${on.name}`;
    case "query":
      return `the query parameter ${on.name}`;
    case "sourceAddress":
      return "the client's address";
  }
}

function addressWords(address: Endpoint): string {
  switch (address.kind) {
    case "binding":
      return address.url === undefined
        ? `binding ${address.binding}`
        : `binding ${address.binding} or ${address.url}`;
    case "url":
      return address.url;
    case "dispatch":
      return `worker ${address.worker} of ${address.binding}`;
  }
}

/** The end of a request that the mesh refuses, with the status that its caller sees. */
export function refused(refusal: Refusal): Fate {
  const { status } = problemOf(refusal);
  return { kind: "refused", status, problem: refusal.kind, detail: detailOf(refusal) };
}

function detailOf(refusal: Refusal): string {
  switch (refusal.kind) {
    case "denied":
      return refusal.rule;
    case "circuit-open":
      return `the circuit of ${refusal.circuit} is open`;
    case "no-route":
      return `no rule of ${refusal.destination} matches`;
    case "too-long-to-match":
      return `comparing ${refusal.part === "url" ? "its URL" : "a header field"} with the regular expressions of ${refusal.destination} takes more than ${maxSteps} steps`;
    default:
      return "detail" in refusal ? refusal.detail : "";
  }
}
