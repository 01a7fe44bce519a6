import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { policyReference } from "../mesh-runtime/policy/reference.ts";
import { referenceFile } from "./support/policy-reference.ts";

test("docs/policy-reference.md says what the schema says; if not: node test/support/policy-reference.ts", () => {
  expect(readFileSync(referenceFile, "utf8")).toBe(policyReference());
});

test("every member in the reference says what it means", () => {
  const rows = policyReference()
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  expect(rows.length).toBeGreaterThan(100);
  const mute = rows.filter((line) => line.endsWith("|  |") && !line.includes("certificateRefs[]"));
  expect(mute).toEqual([]);
});

test("the reference names the default of what policy decides", () => {
  const reference = policyReference();
  expect(reference).toContain('| `spec.mode` | one of STRICT, PERMISSIVE | `"STRICT"` |');
  expect(reference).toContain(
    "| `spec.rules[].backendRefs[].weight` | a whole number from 0 to 1000000 | `1` |",
  );
  expect(reference).toContain(
    '| `spec.circuit.baseOpen` | a duration above 0, such as "250ms" or "10s" | `"1000ms"` |',
  );
});
