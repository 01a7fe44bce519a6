import path from "node:path";
import type { BuildOptions, Metafile, Plugin } from "esbuild";
import { BundleCache, bundleKey } from "./bundle-cache.ts";

export interface BundleOptions {
  /** Source text of the entry, or the path of a file. */
  readonly entry: { readonly text: string; readonly folder: string } | { readonly file: string };
  readonly alias?: Readonly<Record<string, string>>;
  /** Without names, as for measuring. @default false */
  readonly minify?: boolean;
}

/** Bundles a worker the way wrangler does: one ES module, platform modules left outside. */
export async function bundle(options: BundleOptions): Promise<string> {
  const [text = ""] = await bundleAll([options]);
  return text;
}

const cache = new BundleCache();

/**
 * Bundles several workers. What they share is read and parsed once, and what has not changed since an
 * earlier run is not bundled at all: most of the time that a mesh takes to start would go into this.
 * Without source maps, which neither workerd nor miniflare would apply to what it prints.
 * @returns the texts, in the order of the options
 * @throws Error from esbuild, with file and line, when a worker does not build
 */
export async function bundleAll(all: readonly BundleOptions[]): Promise<string[]> {
  const keys = all.map(({ entry, alias = {}, minify = false }) =>
    bundleKey([buildOptions, entry, Object.entries(alias).sort(), minify]),
  );
  const texts = new Map<string, string>();
  const missing = new Map<string, BundleOptions>();
  all.forEach((options, index) => {
    const key = keys[index] ?? "";
    const held = texts.get(key) ?? cache.find(key);
    if (held === undefined) missing.set(key, options);
    else texts.set(key, held);
  });
  const builds = [...inOneBuild(missing)].map(async (together) => {
    for (const [key, text] of await built(together)) texts.set(key, text);
  });
  await Promise.all(builds);
  return keys.map((key) => texts.get(key) ?? "");
}

type Keyed = readonly [key: string, options: BundleOptions];

/** An esbuild run has one set of aliases: workers with equal ones can go through it together. */
function inOneBuild(missing: ReadonlyMap<string, BundleOptions>): Iterable<readonly Keyed[]> {
  const groups = Map.groupBy(missing, ([, { alias, minify }]) =>
    JSON.stringify([Object.entries(alias ?? {}).sort(), minify ?? false]),
  );
  return groups.values();
}

async function built(together: readonly Keyed[]): Promise<readonly (readonly [string, string])[]> {
  // Not imported before it is needed: with every bundle at hand it is not.
  const { build } = await import("esbuild");
  const begun = Date.now();
  const { metafile, outputFiles } = await build({ ...buildOptions, ...perBuild(together) });
  return together.map(([key], index) => {
    const output = outputFiles.find((file) => path.basename(file.path) === `${index}.js`);
    if (output === undefined) throw new Error("esbuild wrote nothing");
    cache.keep(key, output.text, filesBehind(metafile, `${index}.js`), begun);
    return [key, output.text] as const;
  });
}

const namespace = "tulle-entry";

const buildOptions = {
  bundle: true,
  write: false,
  metafile: true,
  format: "esm",
  target: "es2024",
  conditions: ["workerd", "worker", "browser"],
  external: ["cloudflare:*", "node:*"],
  sourcemap: false,
  // What is smaller starts sooner; names stay, for the stacks that tests print.
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: "silent",
  outdir: "/bundles",
} as const satisfies BuildOptions;

function perBuild(together: readonly Keyed[]) {
  const [, options] = together[0] ?? [];
  return {
    entryPoints: together.map(([, { entry }], index) => ({
      in: "file" in entry ? entry.file : `${namespace}:${index}`,
      out: String(index),
    })),
    plugins: [textEntries(together.map(([, { entry }]) => entry))],
    alias: { ...options?.alias },
    minifyIdentifiers: options?.minify ?? false,
  };
}

/** Gives esbuild the entries that are no files, each with the folder that its imports are relative to. */
const textEntries = (all: readonly BundleOptions["entry"][]): Plugin => ({
  name: namespace,
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${namespace}:`) }, ({ path: name }) => ({
      path: name.slice(namespace.length + 1),
      namespace,
    }));
    build.onLoad({ filter: /./, namespace }, ({ path: index }) => {
      const entry = all[Number(index)];
      if (entry === undefined || !("text" in entry)) return undefined;
      return { contents: entry.text, resolveDir: entry.folder, loader: "ts" };
    });
  },
});

/** Absolute paths of every file that a bundle's entry reaches, those included of which nothing is left in it. */
function filesBehind({ inputs, outputs }: Metafile, bundle: string): readonly string[] {
  const reached = new Set<string>();
  const visit = (name: string): void => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const next of inputs[name]?.imports ?? []) if (!next.external) visit(next.path);
  };
  const output = Object.keys(outputs).find((name) => path.basename(name) === bundle);
  visit(outputs[output ?? ""]?.entryPoint ?? "");
  return [...reached].filter((name) => !name.startsWith(`${namespace}:`)).map((name) => path.resolve(name));
}
