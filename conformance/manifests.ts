import type { Case, Manifest, Suite } from "./format.ts";

/** A Deployment: one echo worker, which says of itself that it is one of its pods. */
export interface Deployment {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a Kubernetes Service says that a mesh of workers can use. */
export interface KubernetesService {
  readonly name: string;
  readonly namespace: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly name?: string; readonly port: number }[];
}

/** A Gateway, and the Service whose worker implements it. */
export interface GatewayWorker {
  readonly name: string;
  readonly namespace: string;
  /** The Gateway's own name, unless a Kubernetes Service has that already. */
  readonly service: string;
}

/** All that runs for a file of cases. */
export interface World {
  readonly deployments: readonly Deployment[];
  /** Gateways of the base and of every case, each a worker. */
  readonly gateways: readonly GatewayWorker[];
  /** The Services of the base. */
  readonly services: readonly KubernetesService[];
}

const gatewayGroup = /^gateway\.networking\.(?:x-)?k8s\.io\//;
/** Groups whose documents (Services, Deployments, Secrets …) say what surrounds a case in Kubernetes. */
const ofKubernetes = /^(?:v1|apps\/.*|batch\/.*|(?:.*\.)?k8s\.io\/.*)$/;

/** Whether a document goes to control as it is: all but those of Kubernetes' own. Control tells which it does not know. */
export const isPolicy = ({ apiVersion = "", kind }: Manifest): boolean =>
  gatewayGroup.test(apiVersion) ||
  !ofKubernetes.test(apiVersion) ||
  (kind === "Namespace" && apiVersion === "v1");

/** A document as it is applied: with what a suite leaves open filled in, and otherwise as it is. */
export function applied(manifest: Manifest, gateways: readonly GatewayWorker[]): string {
  const worker = manifest.kind === "Gateway" ? gateways.find((one) => isOf(one, manifest)) : undefined;
  const annotated =
    worker === undefined || worker.service === worker.name ? manifest : annotatedWith(manifest, worker);
  return JSON.stringify(annotated).replaceAll("{GATEWAY_CLASS_NAME}", "tulle");
}

const isOf = ({ namespace, name }: GatewayWorker, manifest: Manifest): boolean =>
  keyOf(manifest) === `${namespace}/${name}`;

const annotatedWith = (manifest: Manifest, { service }: GatewayWorker): Manifest => ({
  ...manifest,
  metadata: {
    ...manifest.metadata,
    annotations: { ...manifest.metadata.annotations, "mesh.tulle.dev/worker": service },
  },
});

function gatewaysIn(all: readonly Manifest[]): readonly GatewayWorker[] {
  const taken = new Set(servicesIn(all).map(({ namespace, name }) => `${namespace}/${name}`));
  const keys = new Set(all.filter((one) => one.kind === "Gateway" && isPolicy(one)).map(keyOf));
  return [...keys].map((key, index) => {
    const [namespace = "", name = ""] = key.split("/");
    if (!isLabel(name)) return { namespace, name, service: `gateway-${index}` };
    return { namespace, name, service: taken.has(key) ? `${name}-gateway` : name };
  });
}

/** RFC 1123 label: what Services are called. Gateways have names of up to 253 characters, with dots. */
const isLabel = (name: string): boolean => name.length <= 50 && /^[a-z0-9-]+$/.test(name);

/** Finds out what a file of cases needs to run: its base's and every case's workers, since workerd starts once. */
export function worldOf({ base, cases }: Suite): World {
  const all = [...base, ...cases.flatMap(({ manifests, steps }) => [...manifests, ...appliedLater(steps)])];
  return {
    deployments: unique(all.filter(isKind("Deployment")).map(deploymentOf)),
    gateways: gatewaysIn(all),
    services: servicesIn(base),
  };
}

const appliedLater = (steps: Case["steps"]): readonly Manifest[] =>
  steps.flatMap(({ manifests }) => manifests ?? []);

/** The Kubernetes Services among documents. */
export const servicesIn = (manifests: readonly Manifest[]): readonly KubernetesService[] =>
  manifests.filter((one) => isKind("Service")(one) && one.apiVersion === "v1").map(serviceOf);

/** `namespace/name` of a document; Kubernetes' default namespace where it names none. */
export const keyOf = ({ metadata }: Manifest): string => `${namespaceOf(metadata)}/${metadata.name}`;

const namespaceOf = ({ namespace = "default" }: Manifest["metadata"]): string => namespace;

const isKind =
  (kind: string) =>
  (manifest: Manifest): boolean =>
    manifest.kind === kind;

function deploymentOf({ metadata, spec = {} }: Manifest): Deployment {
  const template = spec.template as { metadata?: { labels?: Record<string, string> } } | undefined;
  return {
    name: metadata.name,
    namespace: namespaceOf(metadata),
    labels: template?.metadata?.labels ?? metadata.labels ?? {},
  };
}

function serviceOf({ metadata, spec = {} }: Manifest): KubernetesService {
  const { selector, ports } = spec as {
    selector?: Record<string, string>;
    ports?: { name?: string; port: number }[];
  };
  return {
    name: metadata.name,
    namespace: namespaceOf(metadata),
    ...(selector === undefined ? {} : { selector }),
    ports: unlike(ports ?? []),
  };
}

/** Each port once: Kubernetes has one twice where it takes TCP and UDP. */
function unlike(ports: readonly { readonly name?: string; readonly port: number }[]) {
  const first = new Map([...ports].reverse().map((one) => [one.port, one]));
  return [...first.values()]
    .reverse()
    .map(({ name, port }) => (name === undefined ? { port } : { name, port }));
}

/** The Deployments whose pods a Service selects. One without selector selects none: its EndpointSlices say where it is. */
export const selected = (
  { namespace, selector }: KubernetesService,
  deployments: readonly Deployment[],
): readonly Deployment[] =>
  selector === undefined
    ? []
    : deployments.filter(
        (one) =>
          one.namespace === namespace &&
          Object.entries(selector).every(([label, value]) => one.labels[label] === value),
      );

/** Whether a Service's places are written into EndpointSlices by hand. */
export const hasSlices = (service: KubernetesService, manifests: readonly Manifest[]): boolean =>
  manifests.some(
    (one) =>
      one.kind === "EndpointSlice" &&
      namespaceOf(one.metadata) === service.namespace &&
      one.metadata.labels?.["kubernetes.io/service-name"] === service.name,
  );

/** The first of each name; a suite may repeat the same Deployment in several cases. */
function unique(deployments: readonly Deployment[]): readonly Deployment[] {
  return [...new Map(deployments.map((one) => [`${one.namespace}/${one.name}`, one])).values()];
}
