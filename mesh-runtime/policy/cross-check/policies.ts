import type { AuthorizationRule, StringMatch } from "../../authorization/words.ts";
import { type Catalog, targetKeys } from "../catalog.ts";
import { accessRules, policyRules } from "../compile-access.ts";
import { inTrustDomain, spiffeIdOf } from "../compile-endpoints.ts";
import { inboundOf, trafficSettings } from "../compile-settings.ts";
import { type DocumentOf, nameOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { didYouMean } from "../nearest.ts";
import { workerOf } from "../references.ts";
import { hasWorker } from "../schema/service.ts";
import type { Finding, Path } from "../source.ts";
import { missing } from "../unresolved.ts";
import { type CheckedMesh, collisions } from "./checked-mesh.ts";

type AuthorizationPolicy = DocumentOf<"AuthorizationPolicy">;
type Targeting = DocumentOf<"AuthorizationPolicy" | "RequestAuthentication" | "TrafficPolicy" | "Telemetry">;

/** Every target exists, and a rule about callers targets somebody who is called. */
export function* policyTargets({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const { authorizationPolicies, requestAuthentications, trafficPolicies, telemetries } = catalog;
  const policies: readonly Targeting[] = [
    ...authorizationPolicies,
    ...requestAuthentications,
    ...trafficPolicies,
    ...telemetries,
  ];
  for (const policy of policies) {
    for (const [index, key] of targetKeys(policy).entries()) {
      const path: Path = ["spec", "targetRefs", index, "name"];
      const service = catalog.services.get(key);
      if (service === undefined) {
        const message = missing(`The Service ${key}`, key, catalog.services.keys());
        yield issue(policy, { path, expected: "a Service that exists", found: key, message });
      } else if (!hasWorker(service) && policy.kind !== "TrafficPolicy") {
        const far = service.spec.trustDomain;
        yield issue(policy, {
          path,
          expected: "a Service with a worker",
          found: `${key}, which has none of its own`,
          message:
            far === undefined
              ? `${key} only leads to others, so nobody would be asked; target the Services that it leads to.`
              : `${key} belongs to the mesh of ${far}, which does not read this policy; it has to be written there.`,
        });
      }
    }
  }
}

/** A Service has one TrafficPolicy, and one Telemetry of its own, as a namespace has: which of two holds would be chance. */
export function* policyCollisions({ catalog, issue, place }: CheckedMesh): Generator<Issue> {
  const groups: readonly (readonly Targeting[])[] = [catalog.trafficPolicies, catalog.telemetries];
  for (const policies of groups) {
    const aims = policies.flatMap((policy) => {
      const named = targetKeys(policy);
      if (named.length === 0) return [{ policy, target: policy.metadata.namespace, path: ["spec"] as Path }];
      return named.map((target, index) => ({ policy, target, path: ["spec", "targetRefs", index] as Path }));
    });
    yield* collisions(
      aims,
      ({ target }) => target,
      (later, earlier, target) =>
        issue(later.policy, {
          path: later.path,
          expected: `one ${later.policy.kind} for ${target}`,
          found: `${nameOf(earlier.policy)} as well`,
          message: `${nameOf(earlier.policy)} (${place(earlier.policy, earlier.path)}) is for ${target} already; merge the two.`,
        }),
    );
  }
}

/** Settings that contradict each other, once the defaults are in. */
export function* trafficCoherence({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const policy of catalog.trafficPolicies) {
    const { timeoutMs, retry, circuit } = trafficSettings(policy);
    const pairs: readonly (readonly [boolean, Path, string, number, number])[] = [
      [
        retry.backoffBaseMs > retry.backoffMaxMs,
        ["spec", "retry", "backoffBase"],
        "retry.backoffMax",
        retry.backoffMaxMs,
        retry.backoffBaseMs,
      ],
      [
        circuit.baseOpenMs > circuit.maxOpenMs,
        ["spec", "circuit", "baseOpen"],
        "circuit.maxOpen",
        circuit.maxOpenMs,
        circuit.baseOpenMs,
      ],
      [
        timeoutMs > 0 && retry.perTryTimeoutMs > timeoutMs,
        ["spec", "retry", "perTryTimeout"],
        "timeout",
        timeoutMs,
        retry.perTryTimeoutMs,
      ],
    ];
    for (const [contradicts, path, bound, limit, found] of pairs) {
      if (!contradicts) continue;
      yield issue(policy, {
        path,
        expected: `at most ${limit}ms, the ${bound} in force`,
        found: `${found}ms`,
        message: `${String(path.at(-1))} is longer than ${bound}, which is ${limit}ms; change one of the two.`,
      });
    }
  }
}

/** Nobody is locked out by accident. */
export function* lockedOut({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const gatewayWorkers = new Set(
    [...catalog.gateways.values()].map((gateway) => workerOf(catalog, gateway).key),
  );
  for (const [key, service] of catalog.services) {
    if (!hasWorker(service) || gatewayWorkers.has(key)) continue;
    const rules = accessRules(catalog, service);
    const allowing = rules.filter(({ action, dryRun }) => action === "ALLOW" && dryRun === undefined);
    const closed = inboundOf(catalog, service).mode === "STRICT" || allowing.length > 0;
    if (!closed || allowing.some(canMatch) || saysSo(catalog, service)) continue;
    yield issue(service, {
      severity: "warning",
      path: ["metadata", "name"],
      expected: "an AuthorizationPolicy that allows somebody",
      found: "none",
      message: `Nobody is allowed to call ${key}: add an AuthorizationPolicy.`,
    });
  }
}

/** An ALLOW policy that names the Service and has no rules says on purpose that nobody may call. */
const saysSo = (catalog: Catalog, service: DocumentOf<"Service">): boolean =>
  catalog
    .about(service)
    .authorization.some(
      (policy) => policy.spec.targetRefs !== undefined && !policyRules(policy).some(canMatch),
    );

const canMatch = ({ from }: AuthorizationRule): boolean => from === undefined || from.length > 0;

/** Callers that a policy names and nobody is: a slip of the pen that allows, or fails to deny, the wrong one. */
export function* knownCallers({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const workers = [...catalog.services.values()].filter(hasWorker);
  const identities = new Set(workers.map((service) => spiffeIdOf(catalog, service)));
  const domains = new Set([...catalog.services.values()].map(({ spec }) => spec.trustDomain));
  const namespaces = new Set(workers.map(({ metadata }) => metadata.namespace));
  for (const policy of catalog.authorizationPolicies) {
    for (const { match, path, kind } of callersOf(policy)) {
      if (match.type !== "exact") continue;
      const found =
        kind === "principal"
          ? strangeId(match.value, identities, domains, catalog)
          : strangeNamespace(match.value, namespaces);
      if (found !== undefined) yield issue(policy, { ...found, path, severity: "warning" });
    }
    if (policy.spec.action !== "DENY" || (policy.spec.rules ?? []).length > 0) continue;
    yield issue(policy, {
      severity: "warning",
      path: ["spec"],
      expected: "at least one rule",
      found: "none",
      message: `${nameOf(policy)} denies nothing, because it has no rules; add one, or remove the policy.`,
    });
  }
}

function strangeId(
  identity: string,
  known: ReadonlySet<string>,
  domains: ReadonlySet<string | undefined>,
  { trustDomain, federated }: Catalog,
): Omit<Finding, "path"> | undefined {
  if (known.has(identity)) return undefined;
  if (!inTrustDomain(identity, trustDomain)) {
    const all = [...federated, ...domains].filter((name) => name !== undefined);
    if (all.some((name) => inTrustDomain(identity, name))) return undefined;
    return {
      expected: `an identity of this mesh, spiffe://${trustDomain}/…`,
      found: identity,
      message: `${identity} is not of this mesh's trust domain, ${trustDomain}, and no other is federated that could give it${didYouMean(identity, known)}; correct it, or see tulle federation list.`,
    };
  }
  return {
    expected: "the identity of a Service",
    found: identity,
    message: `No Service has the identity ${identity}${didYouMean(identity, known) || "; add the Service, or correct the principal."}`,
  };
}

function strangeNamespace(namespace: string, known: ReadonlySet<string>): Omit<Finding, "path"> | undefined {
  if (known.has(namespace)) return undefined;
  return {
    expected: "a namespace with a Service in it",
    found: namespace,
    message: `No Service is in the namespace ${namespace}${didYouMean(namespace, known) || "; add one, or correct the name."}`,
  };
}

interface Caller {
  readonly kind: "principal" | "namespace";
  readonly match: StringMatch;
  readonly path: Path;
}

/** Every caller that a policy's sources name, with its place. */
function* callersOf(policy: AuthorizationPolicy): Generator<Caller> {
  if (policy.spec.rules === undefined) return;
  for (const [rule, { from = [], when = [] }] of policyRules(policy).entries()) {
    for (const [index, condition] of when.entries()) {
      if (condition.type !== "principal" && condition.type !== "namespace") continue;
      for (const member of ["values", "notValues"] as const) {
        for (const [place, match] of (condition[member] ?? []).entries())
          yield { kind: condition.type, match, path: ["spec", "rules", rule, "when", index, member, place] };
      }
    }
    for (const [index, source] of from.entries()) {
      for (const member of ["principals", "notPrincipals", "namespaces", "notNamespaces"] as const) {
        const kind = member === "principals" || member === "notPrincipals" ? "principal" : "namespace";
        for (const [place, match] of (source[member] ?? []).entries()) {
          yield { kind, match, path: ["spec", "rules", rule, "from", index, "source", member, place] };
        }
      }
    }
  }
}

/** Evidence that nobody can give: the platform's word is only to be had over a service binding. */
export function* evidence({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const [key, service] of catalog.services) {
    if (service.spec.trustDomain !== undefined) continue;
    if (inboundOf(catalog, service).evidence !== "binding") continue;
    const { endpoint, endpoints, evidence: written } = service.spec;
    const all = endpoints ?? (endpoint === undefined ? [] : [endpoint]);
    const unbound = all.findIndex((one) => one.binding === undefined && !("service" in one));
    if (unbound === -1) continue;
    const place: Path = endpoints === undefined ? ["spec", "endpoint"] : ["spec", "endpoints", unbound];
    const way = all[unbound]?.dispatch === undefined ? "a URL" : "a dispatch namespace";
    yield issue(service, {
      severity: "warning",
      path: written === undefined ? place : ["spec", "evidence"],
      expected: `evidence: signature for a Service that is reached by ${way}`,
      found: "binding",
      message: `${key} is reached by ${way}, where the platform vouches for nobody; write evidence: signature.`,
    });
  }
}
