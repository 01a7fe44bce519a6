import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** A bundle, and what it was made of. */
interface Kept {
  readonly text: string;
  /** Absolute path and {@link stampOf stamp} of every file that decided what is in it. */
  readonly files: readonly (readonly [file: string, stamp: string])[];
}

/** Bundles that are kept on disk; beyond it the ones that were not used longest go. */
const most = 64;

/**
 * Bundles of earlier runs, in memory and in `node_modules/.cache/tulle`. One is used only while each file
 * that went into it, and each package.json and tsconfig.json that decided which, is as it was.
 */
export class BundleCache {
  readonly #memory = new Map<string, Kept>();
  readonly #folder: string;

  constructor(folder = path.join(modulesFolder, ".cache", "tulle")) {
    this.#folder = folder;
  }

  find(key: string): string | undefined {
    const kept = this.#memory.get(key) ?? this.#read(key);
    if (kept === undefined || !kept.files.every(([file, stamp]) => stampOf(file) === stamp)) return undefined;
    this.#memory.set(key, kept);
    return kept.text;
  }

  /**
   * @param files absolute paths of what was bundled
   * @param begun when bundling began, milliseconds since the epoch; what was written since may or may not be in the bundle
   */
  keep(key: string, text: string, files: readonly string[], begun: number): void {
    const all = [...files, ...deciding(files)];
    if (all.some((file) => changedAt(file) >= begun)) return;
    const kept: Kept = { text, files: all.map((file) => [file, stampOf(file)]) };
    this.#memory.set(key, kept);
    this.#write(key, kept);
  }

  #read(key: string): Kept | undefined {
    const file = path.join(this.#folder, key);
    try {
      const kept = JSON.parse(readFileSync(file, "utf8")) as Kept;
      utimesSync(file, new Date(), new Date());
      return kept;
    } catch {
      // Not there, or not whole: then it is bundled, which is always right and only slower.
      return undefined;
    }
  }

  #write(key: string, kept: Kept): void {
    try {
      mkdirSync(this.#folder, { recursive: true });
      const unfinished = path.join(this.#folder, `${key}.${process.pid}`);
      writeFileSync(unfinished, JSON.stringify(kept));
      renameSync(unfinished, path.join(this.#folder, key));
      this.#forgetOldest();
    } catch {
      // An installation that cannot be written to, or two runs that tidy up at once: nothing is lost but time.
    }
  }

  #forgetOldest(): void {
    const all = readdirSync(this.#folder).map((name) => path.join(this.#folder, name));
    if (all.length <= most) return;
    const byAge = all.sort((a, b) => changedAt(a) - changedAt(b));
    for (const file of byAge.slice(0, all.length - most)) rmSync(file, { force: true });
  }
}

/**
 * What a bundle is called in the cache.
 * @param made everything that says how it is made; the installation, which decides the rest, is added
 */
export const bundleKey = (made: readonly unknown[]): string =>
  createHash("sha256")
    .update(JSON.stringify([stampOf(installed), ...made]))
    .digest("hex");

const modulesFolder = path.dirname(path.dirname(fileURLToPath(import.meta.resolve("esbuild/package.json"))));
/** What npm writes after each installation: another version of a package or of esbuild is another key. */
const installed = path.join(modulesFolder, ".package-lock.json");

/** The package.json and tsconfig.json above the files outside of `node_modules`: they say what imports lead to. */
function deciding(files: readonly string[]): readonly string[] {
  const folders = new Set<string>();
  for (const file of files) {
    if (file.includes(`${path.sep}node_modules${path.sep}`)) continue;
    for (let folder = path.dirname(file); !folders.has(folder); folder = path.dirname(folder))
      folders.add(folder);
  }
  return [...folders].flatMap((folder) =>
    ["package.json", "tsconfig.json"].map((name) => path.join(folder, name)),
  );
}

/** Changes whenever a file does: its time and size; empty where there is none. */
function stampOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.mtimeMs} ${found.size}`;
}

const changedAt = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
