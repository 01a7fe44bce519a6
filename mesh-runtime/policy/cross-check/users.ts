import type { AuthorizationRule } from "../../authorization/words.ts";
import { type Catalog, targetKeys } from "../catalog.ts";
import { policyRules } from "../compile-access.ts";
import { entryUserRules, userRules } from "../compile-users.ts";
import { type DocumentOf, keyOf, nameOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { workerOf } from "../references.ts";
import { hasWorker } from "../schema/service.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

/** Rules about end users where nobody verifies a token: they let nobody in, or keep everybody out. */
export function* unknownUsers({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const gateways = new Set([...catalog.gateways.values()].map((gateway) => workerOf(catalog, gateway).key));
  for (const policy of catalog.authorizationPolicies) {
    const index = policy.spec.rules === undefined ? -1 : policyRules(policy).findIndex(asksUser);
    if (index === -1) continue;
    const named = targetKeys(policy);
    const services = named.length === 0 ? workersOf(catalog, policy.metadata.namespace) : named;
    const blind = services.filter((key) => !verifies(catalog, key, gateways.has(key)));
    // A policy of a whole namespace may be meant for those of its Services where tokens are verified.
    if (blind.length === 0 || (named.length === 0 && blind.length < services.length)) continue;
    const where = blind[0] ?? "";
    const naming = gateways.has(where) ? " that names it in targetRefs" : "";
    yield issue(policy, {
      severity: "warning",
      path: ["spec", "rules", index],
      expected: `a RequestAuthentication for ${where}`,
      found: "none",
      message: `${nameOf(policy)}/${index} asks for the end user, and nobody verifies tokens at ${where}; add a RequestAuthentication${naming}.`,
    });
  }
}

const asksUser = ({ from = [], when = [] }: AuthorizationRule): boolean =>
  from.some(
    ({ requestPrincipals, notRequestPrincipals }) =>
      requestPrincipals !== undefined || notRequestPrincipals !== undefined,
  ) ||
  when.some(
    ({ type }) =>
      type === "requestPrincipal" || type === "audiences" || type === "presenter" || type === "claim",
  );

const workersOf = ({ services }: Catalog, namespace: string): readonly string[] =>
  [...services.values()]
    .filter((service) => service.metadata.namespace === namespace && hasWorker(service))
    .map(keyOf);

function verifies(catalog: Catalog, key: string, isGateway: boolean): boolean {
  const service: DocumentOf<"Service"> | undefined = catalog.services.get(key);
  // One that does not exist is another check's to tell.
  if (service === undefined) return true;
  const { users } = isGateway ? entryUserRules(catalog, service) : userRules(catalog, service);
  return users !== undefined;
}
