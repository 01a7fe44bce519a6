import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

/** A text that holds documents, and where it came from. */
export interface Source {
  readonly source: string;
  readonly text: string;
}

/** What standard input is called in issues. */
export const stdinSource = "<stdin>";

/**
 * Reads what `-f` names: files as they are, `-` for standard input, directories with everything below
 * them that ends in .yaml, .yml or .json, in the order of their paths. Directories that begin with a dot
 * and `node_modules` are left out, and links to directories are not followed, so that the walk ends.
 * @throws Failure (usage) when something cannot be read, or a directory holds nothing
 */
export async function readSources(
  paths: readonly string[],
  stdin: () => Promise<string>,
): Promise<readonly Source[]> {
  if (paths.filter((path) => path === "-").length > 1)
    throw new Failure(exit.usage, "Standard input can be read once only: give `-f -` once.");
  const sources: Source[] = [];
  for (const path of paths) {
    if (path === "-") sources.push({ source: stdinSource, text: await stdin() });
    else
      for (const file of filesAt(path))
        sources.push({ source: file, text: attempt(file, () => readFileSync(file, "utf8")) });
  }
  return sources;
}

function filesAt(path: string): readonly string[] {
  if (!attempt(path, () => statSync(path)).isDirectory()) return [path];
  const files = filesBelow(path);
  if (files.length === 0)
    throw new Failure(exit.usage, `There is no document below ${path}: no *.yaml, *.yml or *.json.`);
  return files.sort();
}

function filesBelow(directory: string): string[] {
  return attempt(directory, () => readdirSync(directory, { withFileTypes: true })).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory())
      return entry.name.startsWith(".") || entry.name === "node_modules" ? [] : filesBelow(path);
    return /\.(?:ya?ml|json)$/.test(entry.name) ? [path] : [];
  });
}

function attempt<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new Failure(exit.usage, `Cannot read ${path} (${code}).`);
  }
}
