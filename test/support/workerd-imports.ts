import path from "node:path";
import { build, type Plugin } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { root } from "./imports.ts";
import { goalOf } from "./rooms.ts";

/** A module as workerd loads it. */
export interface Module {
  /** The source's path relative to the root: what a stack trace names. */
  readonly name: string;
  readonly code: string;
}

/**
 * Compiles sources so that each stays a module of its own: imports among them remain imports, third
 * parties are bundled into whoever imports them.
 * @param files relative to the root
 */
export async function compiled(files: readonly string[]): Promise<Module[]> {
  const output = await build({
    absWorkingDir: root,
    entryPoints: [...files],
    outbase: root,
    outdir: path.join(root, "dist"),
    outExtension: { ".js": ".ts" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    plugins: [apart(new Set(files))],
    logLevel: "silent",
  });
  const base = path.join(root, "dist");
  return output.outputFiles.map((file) => ({
    name: path.relative(base, file.path).split(path.sep).join("/"),
    code: file.text,
  }));
}

/**
 * Loads modules in one real workerd at global scope, as a deploy would.
 * @returns what workerd said, with the name of the module that did something it may not; undefined if all is well
 */
export async function complaintOf(modules: readonly Module[]): Promise<string | undefined> {
  const said: string[] = [];
  const order = ["guard.js", ...modules.map(({ name }) => name)];
  const main = `${order.map((name) => `import ${JSON.stringify(`./${name}`)};`).join("\n")}
export default { fetch: () => new Response("imported") };`;
  const options = convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new Log(LogLevel.NONE),
    handleStructuredLogs: ({ message }) => said.push(message),
    name: "imports",
    compatibilityDate: "2026-10-01",
    modules: [
      { type: "ESModule", path: "main.js", contents: main },
      { type: "ESModule", path: "guard.js", contents: guard },
      ...modules.map(({ name, code }) => ({ type: "ESModule" as const, path: name, contents: code })),
    ],
  });
  const workerd = new Miniflare({ ...options, telemetry: { enabled: false }, enableDevRegistry: false });
  try {
    const response = await workerd.dispatchFetch("http://imports/");
    const text = await response.text();
    return text === "imported" ? undefined : text;
  } catch (error) {
    return blamed(said.join("\n") || String(error), modules);
  } finally {
    await workerd.dispose().catch(() => undefined); // a workerd that never started has nothing to dispose of
  }
}

/**
 * Stricter than workerd, which lets a request on import fail unheard and shows the time as zero: both
 * are work, and differ between a deploy and a test.
 */
const guard = `
const forbid = (owner, name) => {
  owner[name] = () => { throw new Error(name + "() on import"); };
};
forbid(globalThis, "fetch");
forbid(Date, "now");
forbid(Math, "random");
`;

/** Puts the name of the first module of ours in the stack in front of what workerd said. */
function blamed(said: string, modules: readonly Module[]): string {
  const culprit = modules
    .map(({ name }) => ({ name, at: said.indexOf(`at ${name}:`) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at)[0];
  return `${culprit?.name ?? "a module"} does work on import: ${said}`;
}

/** Keeps the given sources modules of their own, and gives the zero-code entry an application to wrap. */
function apart(files: ReadonlySet<string>): Plugin {
  return {
    name: "apart",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^mesh:app$/ }, () => ({ path: "app", namespace: "stub" }));
      onLoad({ filter: /^app$/, namespace: "stub" }, () => ({
        contents: "export default { fetch: () => new Response() };",
      }));
      onResolve({ filter: /^(\.|@tulle\/)/ }, ({ path: specifier, importer, kind }) => {
        const from = path.relative(root, importer).split(path.sep).join("/");
        if (kind === "entry-point" || from.startsWith("node_modules/")) return undefined;
        const goal = goalOf(from, specifier);
        if (goal.kind !== "file" || !files.has(goal.file)) return undefined;
        const relative = path.posix.relative(path.posix.dirname(from), goal.file);
        return { path: relative.startsWith(".") ? relative : `./${relative}`, external: true };
      });
    },
  };
}
