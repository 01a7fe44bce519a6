import { expect, test } from "vitest";
import { sourcesIn } from "./support/imports.ts";
import { compiled, complaintOf } from "./support/workerd-imports.ts";

/** What may be part of a worker's bundle. Testing drives workerd from Node, and Deno has a loader of its own. */
const deployed = [
  ...sourcesIn("mesh-runtime"),
  ...sourcesIn("control"),
  ...sourcesIn("gateway-worker"),
].filter(
  (file) => !file.startsWith("mesh-runtime/testing/") && !file.startsWith("mesh-runtime/adapters/deno/"),
);

test("nothing happens on import: workerd loads every module of the mesh at global scope", async () => {
  const modules = await compiled(deployed);
  expect(modules.map(({ name }) => name).sort()).toEqual([...deployed].sort());
  expect(await complaintOf(modules)).toBeUndefined();
});

test.each([
  ["a timer", "setTimeout(() => {}, 1);"],
  ["randomness", "crypto.randomUUID();"],
  ["a request", 'fetch("http://127.0.0.1/");'],
  ["reading the clock", "Date.now();"],
  ["drawing lots", "Math.random();"],
  ["an exception", 'throw new Error("at import");'],
])("%s on import is found, and the module that did it is named", async (_, work) => {
  const complaint = await complaintOf([
    { name: "room/innocent.ts", code: 'export { value } from "./guilty.ts";' },
    { name: "room/guilty.ts", code: `export const value = 1;\n${work}` },
  ]);
  expect(complaint).toMatch(/^room\/guilty\.ts does work on import: /);
});
