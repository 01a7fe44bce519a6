import { fileURLToPath } from "node:url";
import { readWranglerConfig, type WorkerToRun } from "@tulle/mesh-runtime/testing";
import type { Pod } from "./echo-words.ts";
import type { Deployment, World } from "./manifests.ts";
import { bindingName, type Identities, workerName } from "./services.ts";

const date = "2026-10-01";

/** Name of the worker that stands where the platform's edge does; requests of the runner begin there. */
export const edgeName = "conformance-edge";
const controlName = "tulle-control";

/** Everything that runs for a file of cases: control, a worker for each Gateway and Deployment, the edge in front. */
export function workersOf(
  world: World,
  identities: Identities,
  operatorToken: string,
): readonly WorkerToRun[] {
  const callers = [
    ...world.gateways.map(({ namespace, service }) => ({
      namespace,
      service,
      name: workerName(namespace, service),
    })),
    ...world.deployments.map((deployment) => ({
      namespace: deployment.namespace,
      service: identities.of(deployment),
      name: podWorker(deployment),
    })),
  ];
  const [gateways, pods] = [callers.slice(0, world.gateways.length), callers.slice(world.gateways.length)];
  return [
    edge(callers.map(({ name }) => name)),
    {
      config: readWranglerConfig(fileURLToPath(import.meta.resolve("@tulle/control/wrangler.toml"))),
      vars: {
        TULLE_OPERATOR_TOKEN: operatorToken,
        TULLE_KEY_SECRET: "only-for-this-conformance-run-0123456789",
      },
      port: 0,
    },
    ...gateways.map((gateway) => ({
      ...worker(gateway.name, "gateway"),
      services: bindingsOf(gateway, world.deployments),
    })),
    ...pods.map((pod, index) => ({
      ...worker(pod.name, "echo"),
      services: bindingsOf(pod, world.deployments),
      vars: { POD: podOf(world.deployments[index]) },
      port: 0,
    })),
  ];
}

/** Name of the worker of a Deployment. A Gateway of the same name has another. */
export const podWorker = ({ namespace, name }: Deployment): string => workerName(namespace, `${name}-pod`);

/** What a pod says of itself: named as Kubernetes names the pods of a Deployment, by two further parts. */
const podOf = (deployment: Deployment | undefined): Pod => ({
  name: `${deployment?.name ?? ""}-6d5f7c9b8f-x7k2p`,
  namespace: deployment?.namespace ?? "",
  service: "",
});

function edge(names: readonly string[]): WorkerToRun {
  const doors = [...names, controlName].flatMap((name): [string, unknown][] => [
    [`worker:${name}`, name],
    ...(name === controlName
      ? []
      : [[`runner:${name}`, { name, entrypoint: "ConformanceDoor" }] satisfies [string, unknown]]),
  ]);
  return { ...worker(edgeName, "edge"), services: Object.fromEntries(doors), port: 0 };
}

const worker = (name: string, source: "echo" | "edge" | "gateway"): WorkerToRun => ({
  config: {
    name,
    main: fileURLToPath(new URL(`./workers/${source}.ts`, import.meta.url)),
    compatibilityDate: date,
    compatibilityFlags: ["enable_request_signal"],
    alias: {},
    vars: {},
    kv: {},
    durableObjects: {},
    services: {},
  },
});

/** A caller's bindings, each of which says who the caller is. */
function bindingsOf(
  { namespace, service }: { readonly namespace: string; readonly service: string },
  deployments: readonly Deployment[],
): Readonly<Record<string, unknown>> {
  const props = { service, namespace };
  return {
    MESH: { name: controlName, entrypoint: "Workload", props },
    ...Object.fromEntries(
      deployments.map((deployment) => [bindingName(deployment), { name: podWorker(deployment), props }]),
    ),
  };
}
