import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

export interface ShippingOptions {
  readonly root: string;
  readonly controlUrl: string;
  readonly joinToken: string;
  readonly port: number;
  readonly onLine: (line: string) => void;
}

/** Starts the shipping service on Deno; undefined when Deno is not installed. */
export function startShipping(options: ShippingOptions): ChildProcess | undefined {
  const deno = path.join(options.root, "node_modules/.bin/deno");
  if (!existsSync(deno)) return undefined;
  const permissions = ["--allow-net=127.0.0.1", "--allow-env", "--no-prompt"];
  const child = spawn(deno, ["run", "--no-check", ...permissions, "examples/shop/workers/shipping/main.ts"], {
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
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      for (const line of text.split("\n")) if (line !== "") options.onLine(line);
    });
  }
  return child;
}
