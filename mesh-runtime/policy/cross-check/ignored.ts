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
    const { labels = {}, annotations = {} } = gateway.spec.infrastructure ?? {};
    for (const [member, given] of Object.entries({ labels, annotations })) {
      const names = Object.keys(given);
      if (names.length === 0) continue;
      yield issue(gateway, {
        severity: "warning",
        path: ["spec", "infrastructure", member],
        expected: `no ${member}`,
        found: names.join(", "),
        message: `Nothing is made for a Gateway here (its worker is deployed by wrangler), so these ${member} have no effect; they can stay, or be removed.`,
      });
    }
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
