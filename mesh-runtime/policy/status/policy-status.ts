import { precedenceWords } from "../age.ts";
import { type Catalog, targetKeys } from "../catalog.ts";
import { type DocumentOf, nameOf } from "../documents.ts";
import { missing } from "../unresolved.ts";
import { conditionsOf, fails, holds } from "./condition.ts";
import {
  controllerName,
  type Observed,
  type PolicyAncestorStatus,
  type PolicyStatus,
  type Verdict,
} from "./words.ts";

type Policy = DocumentOf<"XBackendTrafficPolicy">;

/** What a policy of backends has come to at each of them (Gateway API `PolicyStatus`, GEP-713). */
export function policyStatus(catalog: Catalog, policy: Policy, observed: Observed): PolicyStatus {
  const keys = targetKeys(policy);
  return {
    ancestors: policy.spec.targetRefs.map(
      ({ group, kind, name }, index): PolicyAncestorStatus => ({
        ancestorRef: { group, kind, name },
        controllerName,
        conditions: conditionsOf([accepted(catalog, policy, keys[index] ?? "")], observed),
      }),
    ),
  };
}

/** Two for one Service are not merged: the older holds, whole. */
function accepted(catalog: Catalog, policy: Policy, key: string): Verdict {
  const refused = catalog.refused.get(nameOf(policy));
  if (refused !== undefined)
    return fails("Accepted", "Invalid", `${refused.issues[0]?.message ?? ""} ${refused.meanwhile}`);
  const service = catalog.services.get(key);
  if (service === undefined) {
    const message = missing(`The Service ${key}`, key, catalog.services.keys());
    return fails("Accepted", "TargetNotFound", message);
  }
  const [holding] = catalog.about(service).backendTraffic;
  return holding === undefined || holding === policy
    ? holds("Accepted")
    : fails(
        "Accepted",
        "Conflicted",
        `${nameOf(holding)} ${precedenceWords(catalog.ages, holding, policy)} and holds for ${key}; merge the two.`,
      );
}
