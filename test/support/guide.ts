import { readFileSync } from "node:fs";
import path from "node:path";
import { root } from "./imports.ts";

/** A page of the documentation, and the policies that stand in it. */
export interface Guide {
  /** As errors name it. */
  readonly source: string;
  readonly text: string;
  /** Its blocks of YAML, in their order. */
  readonly blocks: readonly string[];
}

/** @param source path from the root, such as `docs/endpoints.md` */
export function guideAt(source: string): Guide {
  const text = readFileSync(path.join(root, source), "utf8");
  return {
    source,
    text,
    blocks: [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = ""]) => block),
  };
}

/** Services that a guide speaks of and leaves to the reader, one document each. */
export const servicesCalled = (...names: readonly string[]): string =>
  names
    .map((name) => `apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: ${name} }\nspec: {}\n`)
    .join("---\n");

/** The Gateway that a guide leaves to the reader. */
export const publicGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: tulle
  listeners: [{ name: http, protocol: HTTP, port: 80 }]
`;
