import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { checkSources } from "../mesh-runtime/policy/cross-check.ts";
import { root } from "./support/imports.ts";

const guide = readFileSync(path.join(root, "docs/federation.md"), "utf8");
const blocks = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
const payments = "apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: payments }\nspec: {}\n";

test("the guide's documents are right together", () => {
  expect(blocks).toHaveLength(2);
  const text = [...blocks, payments].join("---\n");
  const { written, issues } = checkSources([{ source: "docs/federation.md", text }]);
  expect(written).toHaveLength(3);
  expect(issues).toEqual([]);
});
