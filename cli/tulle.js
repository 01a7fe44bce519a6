#!/usr/bin/env node
// Starts the command line. It is written in TypeScript and needs a Node.js that reads it as it is (22.18
// or newer); an older one hands over to the `node` package that the workspace installs.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

if (process.features.typescript) {
  rememberCompiled();
  const { main } = await import("./main.ts");
  process.exitCode = await main(process.argv.slice(2));
} else {
  const newer = newerNode();
  if (newer === undefined) {
    process.stderr.write(
      `error: tulle needs Node.js 22.18 or newer, and this is ${process.version}.\n` +
        "  Run `npm ci` in the repository, which brings a fitting one along, or install a newer Node.js.\n",
    );
    process.exitCode = 2;
  } else {
    handOver(newer);
  }
}

/**
 * Has Node.js keep what it made of the files, beside the packages that they were installed with: a command then
 * begins in half the time. Nothing is kept where that folder cannot be written, and never in one that anybody may write.
 */
function rememberCompiled() {
  const folders = createRequire(import.meta.url).resolve.paths("commander") ?? [];
  const installed = folders.find((folder) => existsSync(folder));
  if (installed !== undefined) module.enableCompileCache?.(join(installed, ".cache", "tulle", "cli"));
}

/** The workspace's own Node.js, unless there is none or it is the one that runs already. */
function newerNode() {
  try {
    const home = dirname(createRequire(import.meta.url).resolve("node/package.json"));
    const name = process.platform === "win32" ? "node.exe" : "node";
    const path = join(home, "bin", name);
    // Running already: then type stripping was switched off on purpose, and starting again would never end.
    return existsSync(path) && realpathSync(path) !== realpathSync(process.execPath) ? path : undefined;
  } catch {
    // The package is not installed: the caller says what to do.
    return undefined;
  }
}

/** Runs this file again; signals go in, the exit code or the signal that ended it comes out. */
function handOver(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`error: cannot start ${node}: ${error.message}\n`);
    process.exitCode = 2;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
