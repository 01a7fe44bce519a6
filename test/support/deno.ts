import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { AccessLog } from "./access-log.ts";
import { root } from "./imports.ts";

/** A service that runs in a Deno process of its own. */
export interface DenoProcess extends AsyncDisposable {
  readonly url: string;
  /** What it prints. */
  readonly log: AccessLog;
}

export interface DenoOptions {
  /** Path of its module. */
  readonly main: string;
  readonly controlUrl: string;
  readonly service: string;
  /** A join token, or where a stand-in for Deno Deploy gives tokens. */
  readonly joinToken?: string;
  readonly idTokens?: string;
  readonly port: number;
}

/** Starts a service on Deno; returns when it listens. @throws Error with what it printed, if it ends before */
export async function startDeno(options: DenoOptions): Promise<DenoProcess> {
  const { main, controlUrl, service, joinToken, idTokens, port } = options;
  const permissions = ["--allow-net=127.0.0.1", "--allow-env", "--no-prompt"];
  const child = spawn(
    path.join(root, "node_modules/.bin/deno"),
    ["run", "--no-check", "--unstable-no-legacy-abort", ...permissions, main],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        DENO_NO_UPDATE_CHECK: "1",
        NO_COLOR: "1",
        TULLE_URL: controlUrl,
        TULLE_SERVICE: service,
        ...(joinToken === undefined ? {} : { TULLE_JOIN_TOKEN: joinToken }),
        ...(idTokens === undefined ? {} : { ID_TOKENS: idTokens }),
        PORT: String(port),
      },
    },
  );
  const log = new AccessLog();
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", log.take);
  const ended = once(child, "exit");
  const running = await Promise.race([log.line(" listens on "), ended.then(() => undefined)]);
  if (running === undefined) throw new Error(`Deno ended:\n${log.lines.join("\n")}`);
  return {
    url: `http://127.0.0.1:${port}`,
    log,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
