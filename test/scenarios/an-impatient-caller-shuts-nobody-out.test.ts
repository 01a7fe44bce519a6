import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { word } from "../support/answers.ts";
import { circuitOf } from "../support/circuits.ts";
import { type Insider, joinAs } from "../support/insider.ts";

/** Payments answers once this is resolved. */
let held = Promise.resolve();

let mesh: TestMesh;
/** A real member of the mesh, as web, that signs whatever it likes. */
let mallory: Insider;

beforeAll(async () => {
  const relay = { entry: fileURLToPath(new URL("workers/relay.ts", import.meta.url)) };
  mesh = await startMesh({
    services: {
      web: relay,
      shop: relay,
      jobs: relay,
      payments: {
        async fetch() {
          await held;
          return new Response("paid");
        },
      },
    },
    policies: [
      `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: shop }
spec:
  targetRefs: [{ kind: Service, name: shop }]
  rules: [{ from: [{ source: { principals: ["*/sa/web"] } }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: payments }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  rules: [{ from: [{ source: { principals: ["*/sa/shop", "*/sa/jobs"] } }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: payments }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  circuit: { consecutiveFailures: 2, minimumSpan: 1ms, baseOpen: 1h, maxOpen: 1h }
`,
    ],
  });
  mallory = await joinAs(mesh, "web");
});
afterAll(() => mesh?.dispose());

test("who may not call a service cannot shut it through somebody who may, with deadlines that nobody can meet", async () => {
  expect(await word(mesh.from("web").fetch("http://payments/"))).toBe("denied");
  expect(await word(mesh.from("shop").fetch("http://payments/"))).toBe("200");

  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  for (let request = 0; request < 6; request++) {
    const headers = { "tulle-deadline-ms": "30" };
    const { url, init } = await mallory.sign({ url: "http://shop/payments", audience: "shop", headers });
    expect(await word(mesh.raw("shop").fetch(url, init))).toBe("deadline-exceeded");
  }
  resolve();
  await mesh.settle();

  expect((await circuitOf(mesh, "payments"))?.state).toBe("closed");
  expect(await word(mesh.from("shop").fetch("http://payments/"))).toBe("200");
  expect(await word(mesh.from("jobs").fetch("http://payments/"))).toBe("200");
});
