import { mostCredits } from "../../resilience/credits.ts";
import type { Catalog } from "../catalog.ts";
import { accessRules } from "../compile-access.ts";
import { spiffeIdOf } from "../compile-endpoints.ts";
import { trafficOf } from "../compile-settings.ts";
import { type DocumentOf, keyOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { parentKey } from "../references.ts";
import { type CheckedMesh, shortened } from "./checked-mesh.ts";

/** Attempts at the last hop for one request at the first, beyond which a chain is worth a word: four hops with one retry each. */
const maxAttempts = 16;
/** Chains are followed so far; a longer one has been told about long before. */
const maxHops = 32;

/**
 * How far retries can multiply. Who calls whom is taken from the ALLOW rules that name callers; along
 * such a chain the attempts of every hop multiply. Attempt credits bound what happens, but a mesh that
 * relies on them spends its budget where it helps least. A chain that comes back to itself is cut there.
 */
export function* retryMultiplication({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const keys = new Map([...catalog.services].map(([key, service]) => [spiffeIdOf(catalog, service), key]));
  const worst = new Map<string, Chain>();
  const under = new Set<string>();

  const byRoutes = attemptsByRoutes(catalog);

  const attemptsAt = (service: Service): number =>
    1 + Math.max(trafficOf(catalog, service).retry.attempts, byRoutes.get(keyOf(service)) ?? 0);

  function callersOf(service: Service): readonly string[] {
    const named = accessRules(catalog, service)
      .filter(({ action }) => action === "ALLOW")
      .flatMap(({ from = [] }) => from.flatMap(({ principals = [] }) => principals))
      .flatMap((match) => (match.type === "exact" ? [keys.get(match.value) ?? ""] : []));
    return [...new Set(named)].filter((key) => key !== "").sort();
  }

  /** The worst chain that ends at a Service. */
  function chainTo(key: string): Chain {
    const alone: Chain = { attempts: 1, path: [key] };
    const service = catalog.services.get(key);
    if (service === undefined || under.has(key) || under.size > maxHops) return alone;
    const known = worst.get(key);
    if (known !== undefined) return known;
    under.add(key);
    const attempts = attemptsAt(service);
    const chain = callersOf(service)
      .filter((caller) => !under.has(caller))
      .map(chainTo)
      .reduce(
        (most, upTo) =>
          upTo.attempts * attempts > most.attempts
            ? { attempts: upTo.attempts * attempts, path: [...upTo.path, key] }
            : most,
        alone,
      );
    under.delete(key);
    worst.set(key, chain);
    return chain;
  }

  for (const [key, service] of catalog.services) {
    const { attempts, path } = chainTo(key);
    // Told once, where the chain first goes too far.
    if (attempts <= maxAttempts || attempts / attemptsAt(service) > maxAttempts) continue;
    yield issue(service, {
      severity: "warning",
      path: ["metadata", "name"],
      expected: `at most ${maxAttempts} attempts along a chain of calls`,
      found: `${attempts}`,
      message: `One request can become ${attempts} attempts along ${shortened(path).join(" → ")}; retry at one hop, and write retry: { attempts: 0 } in TrafficPolicies for the others.`,
    });
  }
}

/** The most retries that a route at each Service asks for. */
function attemptsByRoutes({ routes }: Catalog): ReadonlyMap<string, number> {
  const most = new Map<string, number>();
  for (const route of routes) {
    const attempts = Math.max(0, ...route.spec.rules.map(({ retry }) => retry?.attempts ?? 0));
    for (const ref of route.spec.parentRefs) {
      if (ref.kind !== "Service") continue;
      const key = parentKey(route, ref);
      most.set(key, Math.max(attempts, most.get(key) ?? 0));
    }
  }
  return most;
}

/** Methods that are not repeated once they may have been processed, unless somebody says that they may be. */
const unsafeMethods: ReadonlySet<string> = new Set(["POST", "PATCH", "CONNECT"]);

/** A rule that lists codes for requests which are never repeated on a code says less than whoever wrote it thinks. */
export function* unsafeRetries({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const repeatable = (key: string): boolean => {
    const service = catalog.services.get(key);
    return service !== undefined && trafficOf(catalog, service).retry.nonIdempotent;
  };
  for (const route of catalog.routes) {
    const parents = route.spec.parentRefs.map((ref) => (ref.kind === "Service" ? parentKey(route, ref) : ""));
    for (const [rule, { matches, retry, backendRefs = [] }] of route.spec.rules.entries()) {
      if (retry?.codes === undefined) continue;
      if (!matches.every(({ method }) => method !== undefined && unsafeMethods.has(method))) continue;
      const backends = backendRefs.map(
        ({ namespace, name }) => `${namespace ?? route.metadata.namespace}/${name}`,
      );
      if (parents.every(repeatable) || backends.every(repeatable)) continue;
      yield issue(route, {
        severity: "warning",
        path: ["spec", "rules", rule, "retry", "codes"],
        expected: "a method that is safe to repeat",
        found: [...new Set(matches.map(({ method }) => method))].join(", "),
        message:
          "An answer to such a request is tried again only if the request has an Idempotency-Key, because it may have been processed; write retry.nonIdempotent: true into the destination's TrafficPolicy if it may happen twice.",
      });
    }
  }
}

/** More retries than a request can have that another request caused: those come out of what its cause may spend. */
export function* excessiveRetries({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const route of catalog.routes) {
    for (const [rule, { retry }] of route.spec.rules.entries()) {
      if (retry === undefined || retry.attempts <= mostCredits) continue;
      yield issue(route, {
        severity: "warning",
        path: ["spec", "rules", rule, "retry", "attempts"],
        expected: `at most ${mostCredits}`,
        found: `${retry.attempts}`,
        message: `Only a request that no other one caused gets so many; beneath another there are at most ${mostCredits} in all.`,
      });
    }
  }
}

type Service = DocumentOf<"Service">;

interface Chain {
  readonly attempts: number;
  readonly path: readonly string[];
}
