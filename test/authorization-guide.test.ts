import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { checkSources } from "../mesh-runtime/policy/cross-check.ts";
import { root } from "./support/imports.ts";

const guide = readFileSync(path.join(root, "docs/authorization.md"), "utf8");
const blocks = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
const around = `
${["payments", "cart", "gateway"]
  .map((name) => `apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: ${name} }\nspec: {}\n`)
  .join("---\n")}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: tulle
  listeners: [{ name: http, protocol: HTTP, port: 80 }]
`;

test("the guide's policies are right together", () => {
  expect(blocks).toHaveLength(3);
  const { written, issues } = checkSources([
    { source: "docs/authorization.md", text: [...blocks, around].join("---\n") },
  ]);
  expect(written).toHaveLength(8);
  expect(issues.map(({ message }) => message)).toEqual([
    expect.stringContaining("Nobody is allowed to call default/cart"),
  ]);
});
