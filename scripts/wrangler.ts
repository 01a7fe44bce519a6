import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const home = path.dirname(fileURLToPath(import.meta.resolve("wrangler/package.json")));

/** What keeps wrangler to the point: no metrics, no reports of errors, no banner, no questions. */
const quiet = {
  CI: "1",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  NO_COLOR: "1",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_SEND_METRICS: "false",
};

export interface Outcome {
  readonly ok: boolean;
  /** Everything that it printed. */
  readonly printed: string;
  readonly seconds: string;
}

/** Runs one command of wrangler with this process's Node.js, from a folder. */
export function wrangler(words: readonly string[], folder: string): Promise<Outcome> {
  const begun = performance.now();
  const child = spawn(process.execPath, [path.join(home, "bin/wrangler.js"), ...words], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...quiet, ...process.env },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      printed += text;
    });
  }
  return new Promise((resolve) => {
    const end = (ok: boolean, more = ""): void =>
      resolve({
        ok,
        printed: printed + more,
        seconds: ((performance.now() - begun) / 1_000).toFixed(1),
      });
    child.once("error", (error) => end(false, error.message));
    child.once("close", (code) => end(code === 0));
  });
}
