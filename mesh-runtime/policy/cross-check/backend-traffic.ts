import { precedenceWords } from "../age.ts";
import { canonicalJson } from "../canonical.ts";
import { targetKeys } from "../catalog.ts";
import { rulesOf } from "../compile-route.ts";
import { writtenFor } from "../compile-session.ts";
import { nameOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import type { Path } from "../source.ts";
import { missing } from "../unresolved.ts";
import { type CheckedMesh, collisions } from "./checked-mesh.ts";

/** What XBackendTrafficPolicies aim at is there, and is a backend. */
export function* backendTrafficTargets({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const policy of catalog.backendTrafficPolicies) {
    for (const [index, key] of targetKeys(policy).entries()) {
      const path: Path = ["spec", "targetRefs", index, "name"];
      const service = catalog.services.get(key);
      if (service === undefined) {
        const message = missing(`The Service ${key}`, key, catalog.services.keys());
        yield issue(policy, {
          path,
          expected: "a Service that exists",
          found: key,
          message,
          unresolved: true,
        });
      } else if (service.spec.virtual === true) {
        yield issue(policy, {
          path,
          expected: "a Service that answers",
          found: `${key}, which is virtual`,
          message: `${key} only routes to others and is never a backend; target the Services that it routes to.`,
        });
      }
    }
  }
}

/**
 * Of two XBackendTrafficPolicies for one Service the older holds there, and of the other nothing does (GEP-713: no
 * merging, `Conflicted`). Told, because neither of their authors may know of the other.
 */
export function* backendTrafficConflicts({ catalog, issue, place }: CheckedMesh): Generator<Issue> {
  const aims = catalog.backendTrafficPolicies.flatMap((policy) =>
    targetKeys(policy).map((target, index) => ({
      policy,
      target,
      path: ["spec", "targetRefs", index] as Path,
    })),
  );
  yield* collisions(
    aims,
    ({ target }) => target,
    (later, earlier, target) =>
      issue(later.policy, {
        severity: "warning",
        path: later.path,
        expected: `one XBackendTrafficPolicy for ${target}`,
        found: `${nameOf(earlier.policy)} as well`,
        message: `${nameOf(earlier.policy)} (${place(earlier.policy, earlier.path)}) ${precedenceWords(catalog.ages, earlier.policy, later.policy)} and holds for ${target}, and nothing of this one does there (Conflicted); merge the two.`,
      }),
  );
}

/** Backends of one rule whose documents say different things of sessions: the first's hold for all of them. */
export function* differingSessions({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const route of catalog.routes) {
    for (const [index, { backends, session }] of rulesOf(catalog, route, "Service").entries()) {
      if (session === undefined || backends.length < 2) continue;
      const said = backends.flatMap(({ service }) => writtenFor(catalog, service) ?? []);
      if (new Set(said.map((one) => canonicalJson(one))).size < 2) continue;
      yield issue(route, {
        severity: "warning",
        path: ["spec", "rules", index, "backendRefs"],
        expected: "one word on sessions for all backends of a rule",
        found: `${said.length} XBackendTrafficPolicies that differ`,
        message:
          "The backends of this rule have XBackendTrafficPolicies with different sessions, and the first one's hold for all; make them alike, or write sessionPersistence into the rule.",
      });
    }
  }
}
