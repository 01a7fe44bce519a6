import path from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { type BundleOptions, bundleAll } from "./bundle.ts";
import type { WorkerConfig } from "./wrangler-config.ts";

/** A worker to run: its configuration, and what this run changes about it. */
export interface WorkerToRun {
  readonly config: WorkerConfig;
  /** Secrets and variables, over those of the file. */
  readonly vars?: Readonly<Record<string, unknown>>;
  /** Wraps the entry module: source text that imports `main`. */
  readonly wrap?: (main: string) => string;
  /** Further service bindings; a function runs here, in Node. */
  readonly services?: Readonly<Record<string, unknown>>;
  /** Bundle without names, as for measuring. @default false */
  readonly minify?: boolean;
  /** A port of its own on 127.0.0.1; 0: any free one. */
  readonly port?: number;
}

export interface WorkerdOptions {
  /** Port of the first worker; 0: any free one. @default 0 */
  readonly port?: number;
  /** Folder that keeps KV and Durable Objects, the one that wrangler calls `--persist-to`; absent: memory only. */
  readonly persist?: string;
  /** Lets `unsafeGetDurableObjectStorage` of the runtime read and change what objects have stored. @default false */
  readonly inspectObjects?: boolean;
  /** Where lines that workers log go. */
  readonly onLog?: (line: string) => void;
}

/** Variables and secrets of workers, by the worker's name. */
export type VarsOf = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Workers that run, and how to start them anew. */
export interface Workerd {
  readonly runtime: Miniflare;
  /**
   * Ends every isolate and starts them all again, as a deploy does: memory is lost, what KV and Durable
   * Objects have stored stays.
   * @param vars over those that the workers had
   */
  restart(vars: VarsOf): Promise<void>;
}

/** Bundles the workers and runs them all in one workerd process. */
export async function runInWorkerd(
  workers: readonly WorkerToRun[],
  options: WorkerdOptions = {},
): Promise<Miniflare> {
  return (await startWorkerd(workers, options)).runtime;
}

/** The same, with the means to start it anew. */
export async function startWorkerd(
  workers: readonly WorkerToRun[],
  options: WorkerdOptions = {},
): Promise<Workerd> {
  const bundles = await bundleAll(workers.map(bundleOptions));
  let bundled = largestLast(workers.map((worker, index) => workerOptions(worker, bundles[index] ?? "")));
  const runtime = new Miniflare(runtimeOptions(bundled, options));
  try {
    await runtime.ready;
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
  return {
    runtime,
    async restart(vars) {
      bundled = bundled.map((worker) => ({
        ...worker,
        bindings: { ...worker.bindings, ...(vars[worker.name] as Record<string, never> | undefined) },
      }));
      await runtime.setOptions(runtimeOptions(bundled, options));
    },
  };
}

function runtimeOptions(workers: ReturnType<typeof workerOptions>[], options: WorkerdOptions) {
  return {
    ...convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: options.port ?? 0,
      cf: false,
      log: new Log(LogLevel.ERROR),
      // The layout of wrangler's own state, so that its local commands read and write the same.
      ...(options.persist === undefined ? {} : { resourcePersistencePath: path.join(options.persist, "v3") }),
      ...(options.onLog === undefined
        ? {}
        : { handleStructuredLogs: ({ message }: { message: string }) => options.onLog?.(message) }),
      unsafeInspectDurableObjects: options.inspectObjects ?? false,
      workers,
    }),
    telemetry: { enabled: false },
    enableDevRegistry: false,
  };
}

/**
 * The first stays first, because it answers at the port. Miniflare copies what it has written of workerd's
 * configuration for every few kilobytes that it adds, so the small comes before the large.
 */
function largestLast<Worker extends { readonly modules: readonly { readonly contents: string }[] }>(
  workers: readonly Worker[],
): Worker[] {
  const size = ({ modules }: Worker): number => modules[0]?.contents.length ?? 0;
  return [...workers.slice(0, 1), ...workers.slice(1).sort((a, b) => size(a) - size(b))];
}

function bundleOptions({ config, wrap, minify = false }: WorkerToRun): BundleOptions {
  const entry =
    wrap === undefined
      ? { file: config.main }
      : { text: wrap(config.main), folder: path.dirname(config.main) };
  return { entry, alias: config.alias, minify };
}

function workerOptions(worker: WorkerToRun, contents: string) {
  const { config } = worker;
  return {
    name: config.name,
    modules: [{ type: "ESModule" as const, path: "index.js", contents }],
    compatibilityDate: config.compatibilityDate,
    compatibilityFlags: [...config.compatibilityFlags],
    bindings: { ...config.vars, ...worker.vars } as Record<string, never>,
    kvNamespaces: { ...config.kv },
    durableObjects: { ...config.durableObjects },
    serviceBindings: { ...config.services, ...worker.services } as Record<string, string>,
    ...(worker.port === undefined ? {} : { unsafeDirectSockets: [{ host: "127.0.0.1", port: worker.port }] }),
  };
}
