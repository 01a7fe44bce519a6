import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundleAll } from "../mesh-runtime/testing/bundle.ts";
import { BundleCache, bundleKey } from "../mesh-runtime/testing/bundle-cache.ts";

const longAgo = new Date("2026-01-01T00:00:00Z");
const later = new Date("2026-01-02T00:00:00Z");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "tulle-bundles-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a file as if it had been there for long. */
function old(name: string, text: string, at = longAgo): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  utimesSync(file, at, at);
  return file;
}

const kept = (file: string): BundleCache => {
  const cache = new BundleCache(path.join(folder, "cache"));
  cache.keep("key", "the bundle", [file], later.getTime());
  return cache;
};

test("a bundle is used again, by this run and by the next, while the files behind it are as they were", () => {
  const cache = kept(old("app.ts", "export default 1;"));
  expect(cache.find("key")).toBe("the bundle");
  expect(new BundleCache(path.join(folder, "cache")).find("key")).toBe("the bundle");
  expect(cache.find("another key")).toBeUndefined();
});

test.each([
  ["a file of it is written anew", () => old("app.ts", "export default 1;", later)],
  ["a file of it is gone", () => rmSync(path.join(folder, "app.ts"))],
  ["a package.json beside it appears", () => old("package.json", "{}")],
  ["a tsconfig.json beside it appears", () => old("tsconfig.json", "{}")],
])("a bundle is not used when %s", (_, change) => {
  const cache = kept(old("app.ts", "export default 1;"));
  change();
  expect(cache.find("key")).toBeUndefined();
  expect(new BundleCache(path.join(folder, "cache")).find("key")).toBeUndefined();
});

test("what was written while it was bundled is not kept: nobody knows which text went in", () => {
  const cache = new BundleCache(path.join(folder, "cache"));
  cache.keep("key", "the bundle", [old("app.ts", "export default 1;", later)], later.getTime());
  expect(cache.find("key")).toBeUndefined();
});

test("a file in the cache that is no bundle is bundled anew", () => {
  kept(old("app.ts", "export default 1;"));
  writeFileSync(path.join(folder, "cache", "key"), '{"text": "half a b');
  expect(new BundleCache(path.join(folder, "cache")).find("key")).toBeUndefined();
});

test("the cache does not grow without end: what was not used for longest goes", () => {
  const on = path.join(folder, "cache");
  const file = old("app.ts", "export default 1;");
  const cache = new BundleCache(on);
  for (const key of ["used", "not used"]) {
    cache.keep(key, "text", [file], later.getTime());
    utimesSync(path.join(on, key), longAgo, longAgo);
  }
  new BundleCache(on).find("used");
  for (let count = 0; count < 63; count++) cache.keep(`key-${count}`, "text", [file], later.getTime());
  expect(readdirSync(on)).toHaveLength(64);
  expect(readdirSync(on)).toContain("used");
  expect(readdirSync(on)).not.toContain("not used");
});

test("whatever changes a bundle changes its key", () => {
  const keys = [[], ["a"], ["b"], ["a", "b"], ["ab"], [{ alias: 1 }]].map(bundleKey);
  expect(new Set(keys).size).toBe(keys.length);
});

test("several workers are bundled in the order in which they were asked for, equal ones alike", async () => {
  const app = old("app.ts", 'export const name: string = "app"; export default { name };');
  const text = 'import { name } from "./app.ts"; export default { says: "I know " + name };';
  const asked = [
    { entry: { text, folder } },
    { entry: { file: app } },
    { entry: { text, folder } },
    {
      entry: { text: 'import app from "mesh:app"; export default app;', folder },
      alias: { "mesh:app": app },
    },
    { entry: { file: app }, minify: true },
  ];
  const bundles = await bundleAll(asked);
  expect(bundles.map((code) => code.includes("I know "))).toEqual([true, false, true, false, false]);
  for (const code of bundles) {
    expect(code).toMatch(/\bapp"/);
    expect(code).toMatch(/export ?\{[^}]*default/);
    expect(code).not.toContain("import");
  }
  expect(bundles[0]).toBe(bundles[2]);
  await expect(bundleAll([{ entry: { text: "export default 1 +;", folder } }])).rejects.toThrow("Unexpected");
});
