import type { Deployment, KubernetesService, World } from "./manifests.ts";
import { selected } from "./manifests.ts";

/** A document of the mesh's own. */
export interface MeshDocument {
  readonly apiVersion: "mesh.tulle.dev/v1";
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Name of the worker of a Deployment or a Gateway: what workerd calls it. */
export const workerName = (namespace: string, name: string): string => `${namespace}--${name}`;

/** The binding under which every caller has a Deployment's worker. */
export const bindingName = ({ namespace, name }: Deployment): string =>
  `${namespace}__${name}`
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, "_")
    .slice(-63)
    .replace(/^(?=[0-9])/, "_");

/** Who answers for a Deployment: the Service whose identity its worker has. */
export interface Identities {
  readonly of: (deployment: Deployment) => string;
}

/**
 * Gives each Deployment an identity of its own: that of the Service of its name which selects it alone, as most
 * have; otherwise one that only its pods have.
 */
export function identitiesOf({ deployments, services }: World): Identities {
  const owned = new Map<string, string>();
  for (const service of services) {
    const [only, ...more] = selected(service, deployments);
    if (only === undefined || more.length > 0 || only.name !== service.name) continue;
    owned.set(keyOf(only), service.name);
  }
  return { of: (deployment) => owned.get(keyOf(deployment)) ?? podsOf(deployment) };
}

const keyOf = ({ namespace, name }: Deployment): string => `${namespace}/${name}`;

/** The Service that is a Deployment's pods and nothing else: where callers reach them past every Service, and so past its routes. */
export const podsOf = ({ name }: Deployment): string => `${name.slice(0, 58).replaceAll(".", "-")}-pods`;

/** Where a Deployment answers. */
export type AddressOf = (deployment: Deployment) => Readonly<Record<string, string>>;

/** The binding that every worker of the run has. */
export const byBinding: AddressOf = (deployment) => ({ binding: bindingName(deployment) });

/** A Service of the mesh for a Kubernetes Service, reaching the Deployments behind it. */
export function meshService(
  service: KubernetesService,
  behind: readonly Deployment[],
  { of }: Identities,
  addressOf: AddressOf,
): MeshDocument {
  const { name, namespace, ports } = service;
  const [only, ...more] = behind;
  const spec = { ...(ports.length === 0 ? {} : { ports }) };
  if (only === undefined) return document("Service", namespace, name, { ...spec, ...nowhere(service) });
  if (more.length === 0 && of(only) === name)
    return document("Service", namespace, name, { ...spec, endpoint: addressOf(only) });
  return document("Service", namespace, name, {
    ...spec,
    endpoints: behind.map((deployment) => ({ service: of(deployment) })),
  });
}

/** A Service that selects no pods has an address at which nobody answers, as its ClusterIP would be. */
const nowhere = ({ namespace, name }: KubernetesService) => ({
  endpoint: { binding: bindingName({ namespace, name: `nobody-${name}`, labels: {} }) },
});

/** The Services that are workers of the run and none of Kubernetes': pods by themselves, and gateways. */
export function workerServices(
  { deployments, gateways }: World,
  { of }: Identities,
): readonly MeshDocument[] {
  const pods = deployments.map((deployment) => {
    const name = podsOf(deployment);
    const where =
      of(deployment) === name
        ? { endpoint: byBinding(deployment) }
        : { endpoints: [{ service: of(deployment) }] };
    return document("Service", deployment.namespace, name, where);
  });
  const ways = gateways.map(({ namespace, service }) => document("Service", namespace, service, {}));
  return [...pods, ...ways];
}

/** Lets a Service fail as often as it likes. */
export const withoutCircuit = ({ namespace, name }: KubernetesService): MeshDocument =>
  document("TrafficPolicy", namespace, `fails-on-purpose-${name}`, {
    targetRefs: [{ kind: "Service", name }],
    circuit: { enabled: false },
  });

/** Lets everybody call everybody in these namespaces: what is looked at here is routing. */
export const openTo = (namespaces: Iterable<string>): readonly MeshDocument[] =>
  [...namespaces].map((namespace) =>
    document("AuthorizationPolicy", namespace, "open-to-all", { action: "ALLOW", rules: [{}] }),
  );

const document = (
  kind: string,
  namespace: string,
  name: string,
  spec: Readonly<Record<string, unknown>>,
): MeshDocument => ({ apiVersion: "mesh.tulle.dev/v1", kind, metadata: { name, namespace }, spec });
