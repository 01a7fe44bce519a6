import { expect, test } from "vitest";
import { checkSources } from "../mesh-runtime/policy/cross-check.ts";
import { guideAt, publicGateway, servicesCalled } from "./support/guide.ts";

const { source, blocks } = guideAt("docs/authorization.md");

test("the guide's policies are right together", () => {
  expect(blocks).toHaveLength(3);
  const around = [servicesCalled("payments", "cart", "gateway"), publicGateway];
  const { written, issues } = checkSources([{ source, text: [...blocks, ...around].join("---\n") }]);
  expect(written).toHaveLength(8);
  expect(issues.map(({ message }) => message)).toEqual([
    expect.stringContaining("Nobody is allowed to call default/cart"),
  ]);
});
