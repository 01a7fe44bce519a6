import type { Issue } from "../issue.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

/** What control prints of a document is not read back from it. */
export function* writtenStatuses({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const document of [
    ...catalog.routes,
    ...catalog.gateways.values(),
    ...catalog.backendTrafficPolicies,
  ]) {
    if (document.status === undefined) continue;
    yield issue(document, {
      severity: "warning",
      path: ["status"],
      expected: "no status",
      found: "one",
      message: "The status is written by control, and what stands here is not read; remove it.",
    });
  }
}
