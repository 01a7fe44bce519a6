import { accessRules } from "../compile-access.ts";
import { spiffeIdOf } from "../compile-endpoints.ts";
import { trafficOf } from "../compile-settings.ts";
import type { DocumentOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
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

  const attemptsAt = (service: Service): number => 1 + trafficOf(catalog, service).retry.attempts;

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

type Service = DocumentOf<"Service">;

interface Chain {
  readonly attempts: number;
  readonly path: readonly string[];
}
