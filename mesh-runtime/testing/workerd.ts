import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { bundle } from "./bundle.ts";
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
  /** Bundle without names and source maps, as for measuring. @default false */
  readonly minify?: boolean;
  /** A port of its own on 127.0.0.1. */
  readonly port?: number;
}

export interface WorkerdOptions {
  /** Port of the first worker; 0: any free one. @default 0 */
  readonly port?: number;
  /** Folder that keeps KV and Durable Objects; absent: memory only. */
  readonly persist?: string;
  /** Where lines that workers log go. */
  readonly onLog?: (line: string) => void;
}

/** Bundles the workers and runs them all in one workerd process. */
export async function runInWorkerd(
  workers: readonly WorkerToRun[],
  options: WorkerdOptions = {},
): Promise<Miniflare> {
  const bundled = await Promise.all(workers.map(workerOptions));
  const runtime = new Miniflare({
    ...convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: options.port ?? 0,
      cf: false,
      log: new Log(LogLevel.ERROR),
      ...(options.persist === undefined ? {} : { defaultPersistRoot: options.persist }),
      ...(options.onLog === undefined ? {} : { handleRuntimeStdio: lines(options.onLog) }),
      workers: bundled,
    }),
    telemetry: { enabled: false },
    enableDevRegistry: false,
  });
  try {
    await runtime.ready;
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
  return runtime;
}

async function workerOptions(worker: WorkerToRun) {
  const { config } = worker;
  const folder = config.main.slice(0, config.main.lastIndexOf("/"));
  const entry =
    worker.wrap === undefined ? { file: config.main } : { text: worker.wrap(config.main), folder };
  const contents = await bundle({ entry, alias: config.alias, minify: worker.minify ?? false });
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

/** Passes complete lines on, whatever the chunks that they come in. */
function lines(onLine: (line: string) => void) {
  return (stdout: NodeJS.ReadableStream, stderr: NodeJS.ReadableStream): void => {
    for (const stream of [stdout, stderr]) {
      let rest = "";
      stream.setEncoding("utf8");
      stream.on("data", (chunk: string) => {
        const parts = (rest + chunk).split("\n");
        rest = parts.pop() ?? "";
        for (const line of parts) onLine(line);
      });
    }
  };
}
