import { build } from "esbuild";

export interface BundleOptions {
  /** Source text of the entry, or the path of a file. */
  readonly entry: { readonly text: string; readonly folder: string } | { readonly file: string };
  readonly alias?: Readonly<Record<string, string>>;
  readonly minify?: boolean;
}

/** Bundles a worker the way wrangler does: one ES module, platform modules left outside. */
export async function bundle(options: BundleOptions): Promise<string> {
  const { entry } = options;
  const result = await build({
    ...("file" in entry
      ? { entryPoints: [entry.file] }
      : { stdin: { contents: entry.text, resolveDir: entry.folder, loader: "ts" as const } }),
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    alias: { ...options.alias },
    minify: options.minify ?? false,
    sourcemap: options.minify ? false : "inline",
    logLevel: "silent",
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error("esbuild wrote nothing");
  return output.text;
}
