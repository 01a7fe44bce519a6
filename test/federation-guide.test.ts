import { expect, test } from "vitest";
import { checkSources } from "../mesh-runtime/policy/cross-check.ts";
import { guideAt, servicesCalled } from "./support/guide.ts";

const { source, blocks } = guideAt("docs/federation.md");

test("the guide's documents are right together", () => {
  expect(blocks).toHaveLength(2);
  const text = [...blocks, servicesCalled("payments")].join("---\n");
  const { written, issues } = checkSources([{ source, text }]);
  expect(written).toHaveLength(3);
  expect(issues).toEqual([]);
});
