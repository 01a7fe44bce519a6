import type { Catalog } from "./catalog.ts";
import type { GatewayListener } from "./references.ts";

type Selector = NonNullable<GatewayListener["allowedRoutes"]["namespaces"]["selector"]>;
type Requirement = NonNullable<Selector["matchExpressions"]>[number];

/** The label that every namespace has, its name (Kubernetes 1.22). */
const nameLabel = "kubernetes.io/metadata.name";

/** The labels of a namespace: those that its document gives it, and its name, which no document can change. */
export const labelsOf = ({ namespaces }: Catalog, namespace: string): ReadonlyMap<string, string> =>
  new Map([...Object.entries(namespaces.get(namespace)?.metadata.labels ?? {}), [nameLabel, namespace]]);

/** Whether labels fit a selector (Kubernetes `LabelSelector`): everything in it holds. */
export const selects = (
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: ReadonlyMap<string, string>,
): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels.get(key) === value) &&
  matchExpressions.every((requirement) => holds(requirement, labels));

function holds({ key, operator, values = [] }: Requirement, labels: ReadonlyMap<string, string>): boolean {
  const value = labels.get(key);
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}
