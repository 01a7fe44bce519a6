import { expect, test } from "vitest";
import { checkSources } from "../mesh-runtime/policy/cross-check.ts";
import { guideAt, servicesCalled } from "./support/guide.ts";

const { source, blocks } = guideAt("docs/endpoints.md");
const [several, others, ...rest] = blocks;

test.each([
  ["addresses", several],
  ["other Services", others],
])("the guide's documents are right together, with endpoints that are %s", (_, service) => {
  const text = [service, ...rest, servicesCalled("search-a", "search-b", "web")].join("---\n");
  const { issues } = checkSources([{ source, text }]);
  expect(issues.filter(({ severity }) => severity === "error")).toEqual([]);
  expect(issues.filter(({ message }) => !message.startsWith("Nobody is allowed to call"))).toEqual([]);
});
