import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import type { WorkerToRun } from "./workerd.ts";
import { readWranglerConfig, type ServiceConfig, type WorkerConfig } from "./wrangler-config.ts";

/** One service of a mesh under test: exactly one of `entry`, `config`, `fetch` and `isolateOf`. */
export interface ServiceUnderTest {
  /** Path of a worker's entry module. It need not import the mesh: an export that is not in it yet is put into it. */
  readonly entry?: string;
  /** Path of a `wrangler.toml`. */
  readonly config?: string;
  /** A handler that runs here, in the test's own process. */
  readonly fetch?: (request: Request) => Response | Promise<Response>;
  /** Name of another service of the mesh: this is one more isolate of it, reached by a name of its own, with the same worker and identity. */
  readonly isolateOf?: string;
  /** @default "default" */
  readonly namespace?: string;
  /** Variables, over those of the file. */
  readonly vars?: Readonly<Record<string, unknown>>;
  /** KV bindings beside those of the file, each with the id of its namespace; `tulle-policies` is the mesh's own. */
  readonly kv?: Readonly<Record<string, string>>;
  /** A port of its own on 127.0.0.1, for callers that have no bindings. @default none */
  readonly port?: number;
  /** False for a worker that is its own way into the mesh, such as a gateway. @default true */
  readonly meshed?: boolean;
}

const inlineFile = fileURLToPath(new URL("./worker/inline.ts", import.meta.url));
const localDate = "2026-10-01";

/** What is put around a worker's entry: the mesh if it has none yet and the means to break it, or those alone, or those for its RPC too. */
export type Wrapping = "driven" | "breakable" | "control";

/** The worker of a service, bound to control and to every other service as its name tells. */
export function serviceWorker(
  name: string,
  service: ServiceUnderTest,
  others: readonly string[],
  wrapped: (main: string, how: Wrapping) => string,
  identity = name,
): WorkerToRun {
  const props = { service: identity, namespace: namespaceOf(service) };
  const config = configOf(name, service);
  // What the worker itself calls so stays what it is.
  const unnamed = others.filter((other) => !isNamed(config, bindingName(other)));
  const services: Record<string, unknown> = {
    ...localServices(config.services, others),
    ...Object.fromEntries(unnamed.map((other) => [bindingName(other), { name: other, props }])),
    MESH: { name: "tulle-control", entrypoint: "Workload", props },
  };
  if (service.fetch !== undefined) services.TULLE_INLINE = service.fetch;
  return {
    config: { ...config, services: {}, kv: { ...config.kv, ...service.kv } },
    services,
    ...(service.vars === undefined ? {} : { vars: service.vars }),
    ...(service.port === undefined ? {} : { port: service.port }),
    wrap: (main) => wrapped(main, service.meshed === false ? "breakable" : "driven"),
  };
}

function configOf(name: string, service: ServiceUnderTest): WorkerConfig {
  if (service.config !== undefined) return { ...readWranglerConfig(service.config), name };
  if (service.entry === undefined && service.fetch === undefined) {
    throw new TypeError(`The service ${name} needs one of entry, config and fetch`);
  }
  return {
    name,
    main: service.entry === undefined ? inlineFile : path.resolve(service.entry),
    compatibilityDate: localDate,
    compatibilityFlags: ["enable_request_signal"],
    alias: {},
    vars: {},
    kv: {},
    durableObjects: {},
    services: {},
  };
}

/** Bindings of the file to workers that are part of this mesh; the rest would have nobody to answer. */
function localServices(
  services: Readonly<Record<string, ServiceConfig>>,
  others: readonly string[],
): Record<string, ServiceConfig> {
  return Object.fromEntries(Object.entries(services).filter(([, service]) => others.includes(service.name)));
}

const isNamed = ({ vars, kv, durableObjects }: WorkerConfig, binding: string): boolean =>
  [vars, kv, durableObjects].some((bindings) => Object.hasOwn(bindings, binding));

const bindingName = (service: string): string => service.toUpperCase().replaceAll("-", "_");

const namespaceOf = ({ namespace = "default" }: ServiceUnderTest): string => namespace;

/** A plain Service document for every service that the given texts do not name. */
export function serviceDocuments(
  services: Readonly<Record<string, ServiceUnderTest>>,
  texts: readonly string[],
): readonly string[] {
  const named = new Set(texts.flatMap(servicesNamed));
  return Object.entries(services)
    .filter(([, { isolateOf }]) => isolateOf === undefined)
    .map(([name, service]) => ({ name, namespace: namespaceOf(service) }))
    .filter(({ name, namespace }) => !named.has(`${namespace}/${name}`))
    .map(
      ({ name, namespace }) =>
        `apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: {}\n`,
    );
}

function servicesNamed(text: string): readonly string[] {
  return parseAllDocuments(text, { merge: true }).flatMap((document) => {
    if (!("toJS" in document) || document.errors.length > 0) return [];
    const value: unknown = document.toJS();
    const { kind, metadata } = (value ?? {}) as {
      kind?: unknown;
      metadata?: { name?: unknown; namespace?: unknown };
    };
    return kind === "Service" ? [`${metadata?.namespace ?? "default"}/${metadata?.name}`] : [];
  });
}
