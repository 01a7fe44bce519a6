import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { checkSources } from "../mesh-runtime/policy/cross-check.ts";
import { root } from "./support/imports.ts";

const guide = readFileSync(path.join(root, "docs/endpoints.md"), "utf8");
const blocks = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
const around = ["search-a", "search-b", "web"]
  .map((name) => `apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: ${name} }\nspec: {}\n`)
  .join("---\n");
const [several, others, ...rest] = blocks;

test.each([
  ["addresses", several],
  ["other Services", others],
])("the guide's documents are right together, with endpoints that are %s", (_, service) => {
  const text = [service, ...rest, around].join("---\n");
  const { issues } = checkSources([{ source: "docs/endpoints.md", text }]);
  expect(issues.filter(({ severity }) => severity === "error")).toEqual([]);
  expect(issues.filter(({ message }) => !message.startsWith("Nobody is allowed to call"))).toEqual([]);
});
