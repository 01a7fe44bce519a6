import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

export interface ShippingOptions {
  readonly root: string;
  readonly controlUrl: string;
  readonly joinToken: string;
  readonly port: number;
  readonly onLine: (line: string) => void;
}

export interface Shipping {
  readonly pid: number | undefined;
  /** Resolves once it listens, having joined; to false when it ended before. */
  readonly listening: Promise<boolean>;
  /** Returns when it has ended. */
  stop(): Promise<void>;
}

/** Without it Deno takes every answered request for aborted, and says so once. */
const noLegacyAbort = "--unstable-no-legacy-abort";

/** Starts the shipping service on Deno; undefined when Deno is not installed. */
export function startShipping(options: ShippingOptions): Shipping | undefined {
  const deno = path.join(options.root, "node_modules/.bin/deno");
  if (!existsSync(deno)) return undefined;
  const permissions = ["--allow-net=127.0.0.1", "--allow-env", "--no-prompt"];
  const child = spawn(
    deno,
    ["run", "--no-check", noLegacyAbort, ...permissions, "examples/shop/workers/shipping/main.ts"],
    {
      cwd: options.root,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        DENO_NO_UPDATE_CHECK: "1",
        TULLE_URL: options.controlUrl,
        TULLE_SERVICE: "shipping",
        TULLE_JOIN_TOKEN: options.joinToken,
        PORT: String(options.port),
      },
    },
  );
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  return {
    pid: child.pid,
    listening: Promise.race([firstListening(child, options), ended.then(() => false)]),
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Passes on what it prints, and resolves at the line with which `serve()` says where it listens. */
function firstListening({ stdout, stderr }: ChildProcess, { port, onLine }: ShippingOptions): Promise<true> {
  return new Promise((resolve) => {
    for (const stream of [stdout, stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        if (line.includes(`:${port}`)) resolve(true);
        else if (line !== "") onLine(line);
      });
    }
  });
}
