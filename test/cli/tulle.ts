import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { operatorToken, type StandIn } from "./stand-in.ts";

/** The launcher, as `node_modules/.bin/tulle` points to it. */
export const launcher = fileURLToPath(new URL("../../cli/tulle.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Options of Node.js itself. */
  readonly node?: readonly string[];
  readonly started?: (child: ChildProcess) => void;
}

/** Runs the real command line as a child process that inherits nothing but `PATH`. */
export async function tulle(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [...(options.node ?? []), launcher, ...words], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env.PATH, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  options.started?.(child);
  child.stdin.end(options.stdin ?? "");
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** The same, told where the stand-in is and shown its token. */
export function tulleAt(
  standIn: StandIn,
  words: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  return tulle(words, {
    ...options,
    env: { TULLE_URL: standIn.url, TULLE_TOKEN: operatorToken, ...options.env },
  });
}

/** A directory that is gone after the test. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "tulle-cli-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
