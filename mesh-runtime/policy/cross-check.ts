import type { MeshOptions } from "./catalog.ts";
import { addressesAtGateways, deadRules, dryRuns } from "./cross-check/access.ts";
import {
  backendTrafficConflicts,
  backendTrafficTargets,
  differingSessions,
} from "./cross-check/backend-traffic.ts";
import { type Check, checkedMesh } from "./cross-check/checked-mesh.ts";
import { balancing, endpoints } from "./cross-check/endpoints.ts";
import { gatewayWorkers, listeners } from "./cross-check/gateways.ts";
import { ignored } from "./cross-check/ignored.ts";
import { bindings, duplicateNames, identities, meshConfigs } from "./cross-check/names.ts";
import { routeCycles, shadowedMatches } from "./cross-check/overlaps.ts";
import { patternSizes } from "./cross-check/patterns.ts";
import {
  evidence,
  knownCallers,
  lockedOut,
  policyCollisions,
  policyTargets,
  trafficCoherence,
} from "./cross-check/policies.ts";
import { replays, signaturesWanted } from "./cross-check/replays.ts";
import { excessiveRetries, retryMultiplication, unsafeRetries } from "./cross-check/retries.ts";
import { backends, parents, virtualServices } from "./cross-check/routes.ts";
import { takenBefore } from "./cross-check/taken-before.ts";
import { unknownUsers } from "./cross-check/users.ts";
import { writtenStatuses } from "./cross-check/written-statuses.ts";
import type { Written } from "./documents.ts";
import type { Issue } from "./issue.ts";
import { readDocuments } from "./schema.ts";
import type { Source } from "./source.ts";

/** What is looked at once all documents are together, in the order in which it is told. */
const checks: readonly Check[] = [
  duplicateNames,
  writtenStatuses,
  ignored,
  takenBefore,
  meshConfigs,
  identities,
  bindings,
  endpoints,
  parents,
  backends,
  virtualServices,
  shadowedMatches,
  patternSizes,
  routeCycles,
  gatewayWorkers,
  listeners,
  policyTargets,
  policyCollisions,
  backendTrafficTargets,
  backendTrafficConflicts,
  differingSessions,
  trafficCoherence,
  balancing,
  lockedOut,
  knownCallers,
  addressesAtGateways,
  unknownUsers,
  dryRuns,
  deadRules,
  evidence,
  replays,
  signaturesWanted,
  unsafeRetries,
  excessiveRetries,
  retryMultiplication,
];

/**
 * Looks at the documents of a mesh together: names stand once, references lead somewhere, nothing
 * collides unnoticed, nobody is locked out by accident. Errors refuse the set; warnings are told.
 *
 * @param written every document that would be in force, not only those that change
 */
export function crossCheck(written: readonly Written[], options: MeshOptions = {}): readonly Issue[] {
  const mesh = checkedMesh(written, options);
  return checks.flatMap((check) => [...check(mesh)]);
}

/** Reads and cross-checks; a set with faults of form is not looked at together, because half of it is missing. */
export function checkSources(
  sources: readonly Source[],
  options: MeshOptions = {},
): { readonly written: readonly Written[]; readonly issues: readonly Issue[] } {
  const { written, issues } = readDocuments(sources);
  const together = issues.some(({ severity }) => severity === "error") ? [] : crossCheck(written, options);
  return { written, issues: [...issues, ...together] };
}
