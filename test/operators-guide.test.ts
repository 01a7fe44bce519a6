import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { root } from "./support/imports.ts";

const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

test("the guide names every action that stands in the audit log", () => {
  const [, union = ""] = /export type AuditAction =([\s\S]*?);/.exec(read("control/api/contract.ts")) ?? [];
  const actions = [...union.matchAll(/\| "([a-z.-]+)"/g)].map(([, action = ""]) => action);
  expect(actions).toContain("policy.apply");
  const guide = read("docs/operators.md");
  expect(actions.filter((action) => !guide.includes(`\`${action}\``))).toEqual([]);
});
