import { expect, test } from "vitest";
import { methodMatches } from "../../../mesh-runtime/routing/method-match.ts";

test("a method match takes that method alone, in that case; without one every method is taken", () => {
  expect(methodMatches("PATCH", "PATCH")).toBe(true);
  expect(methodMatches("PATCH", "patch")).toBe(false);
  expect(methodMatches("GET", "HEAD")).toBe(false);
  expect(methodMatches(undefined, "PURGE")).toBe(true);
});
