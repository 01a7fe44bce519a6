import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { checkSources } from "../mesh-runtime/policy/cross-check.ts";
import { guideAt, publicGateway, servicesCalled } from "./support/guide.ts";
import { root } from "./support/imports.ts";

const { source, text: guide, blocks } = guideAt("docs/end-users.md");

test("the guide's policies are right together, but for what it leaves to the reader", () => {
  expect(blocks).toHaveLength(2);
  const around = [servicesCalled("payments", "gateway"), publicGateway];
  const { written, issues } = checkSources([{ source, text: [...blocks, ...around].join("---\n") }]);
  expect(written).toHaveLength(6);
  expect(issues.map(({ message }) => message)).toEqual([
    "Nobody is allowed to call default/payments: add an AuthorizationPolicy.",
    expect.stringContaining(
      "no-strangers/0 asks for the end user, and nobody verifies tokens at default/payments",
    ),
  ]);
});

test("the guide names every counter that there is", () => {
  const source = readFileSync(path.join(root, "mesh-runtime/identity/user-judgement.ts"), "utf8");
  const names = new Set(source.match(/end_user_[a-z_]+/g));
  expect(names.size).toBe(10);
  for (const name of names) expect(guide).toContain(`\`${name}\``);
});
