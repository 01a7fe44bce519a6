import type { Issue } from "../issue.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

/** What Kubernetes takes and does not look at, here as there: nothing of a document is passed over in silence. */
export function* ignored({ written, catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const { document } of written) {
    const { name, generateName = "" } = document.metadata;
    if (generateName === "") continue;
    yield issue(document, {
      severity: "warning",
      path: ["metadata", "generateName"],
      expected: "no generateName beside a name",
      found: JSON.stringify(generateName),
      message: `The document is called ${name}, and generateName is not read beside a name; remove it.`,
    });
  }
  for (const gateway of catalog.gateways.values()) {
    for (const [index, { allowedRoutes }] of gateway.spec.listeners.entries()) {
      const { from, selector } = allowedRoutes.namespaces;
      if (from === "Selector" || selector === undefined) continue;
      yield issue(gateway, {
        severity: "warning",
        path: ["spec", "listeners", index, "allowedRoutes", "namespaces", "selector"],
        expected: "from: Selector beside a selector",
        found: `from: ${from}`,
        message: `A selector is not looked at with from: ${from}; write from: Selector, or remove it.`,
      });
    }
  }
}
