import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { root } from "./support/imports.ts";

const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

interface Manifest {
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const manifest = (folder: string): Manifest => JSON.parse(read(path.join(folder, "package.json")));
const manifests = [".", ...(manifest(".").workspaces ?? [])].map(manifest);
const declared = manifests
  .flatMap(({ dependencies, devDependencies }) => Object.entries({ ...dependencies, ...devDependencies }))
  .filter(([name]) => !name.startsWith("@tulle/"));

test("docs/dependencies.md says of every dependency why it is there, and of nothing else", () => {
  const explained = [...read("docs/dependencies.md").matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
  expect(explained.sort()).toEqual([...new Set(declared.map(([name]) => name))].sort());
});

test("every dependency is pinned to one version, the same in every package", () => {
  const loose = declared.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version));
  expect(loose).toEqual([]);
  const versions = Map.groupBy(declared, ([name]) => name);
  const split = [...versions].filter(([, uses]) => new Set(uses.map(([, version]) => version)).size > 1);
  expect(split).toEqual([]);
});
