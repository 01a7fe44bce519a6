import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { entrance, open } from "../support/policy-texts.ts";
import { goAway } from "../support/wire.ts";
import type { Mirrored } from "./workers/mirror-words.ts";

/** More than is kept for a second try: it streams to the service, which reads it with `arrayBuffer()`, and throws. */
const declaredBytes = 100_000;

let mesh: TestMesh;

beforeAll(async () => {
  const mirror = fileURLToPath(new URL("workers/mirror.ts", import.meta.url));
  mesh = await startMesh({
    services: {
      shop: { entry: mirror, vars: { NAME: "shop" } },
      web: { entry: mirror, vars: { NAME: "web" } },
    },
    policies: [
      entrance("shop"),
      open("shop"),
      `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: shop }
spec: { evidence: binding }
---
apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: shop }
spec:
  targetRefs: [{ kind: Service, name: shop }]
  circuit: { consecutiveFailures: 2, minimumSpan: 1ms, baseOpen: 1h, maxOpen: 1h }
`,
    ],
  });
});
afterAll(() => mesh?.dispose());

/** How many requests the service has begun with; asked by another caller, so that the gateway sees no success of it. */
async function begun(): Promise<number> {
  const response = await mesh.from("web").fetch("http://shop/");
  return ((await response.json()) as Mirrored).begun;
}

test.each([
  ["declares its length", { "content-length": String(declaredBytes) }],
  ["comes in chunks", {}],
])(
  "an upload that %s and breaks off is not the fault of the service that reads it",
  async (_what, headers) => {
    for (let upload = 0; upload < 5; upload++) {
      const before = await begun();
      const arrived = async (): Promise<void> => {
        // Each question counts as one too.
        for (let asked = 1; asked < 1_000; asked++) if ((await begun()) > before + asked) return;
        throw new Error("The upload has not begun to arrive");
      };
      const chunks = [new Uint8Array(declaredBytes - 20_000)];
      await goAway(mesh.url, { headers: { host: "shop.example.com", ...headers }, chunks }, arrived);
    }
    expect((await mesh.fetch("http://shop.example.com/")).status).toBe(200);
  },
);
