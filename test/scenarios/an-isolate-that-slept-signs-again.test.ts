import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { word } from "../support/answers.ts";
import { treated } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";

const bound = `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: bound }
spec: { evidence: binding, endpoint: { binding: BOUND } }
`;

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      payments: { fetch: () => new Response("paid") },
      hasty: { fetch: () => new Response("quick") },
      bound: { fetch: () => new Response("bound") },
    },
    policies: [open("payments", "hasty", "bound"), bound, treated("hasty", "timeout: 200ms")],
  });
});
afterAll(() => mesh.dispose());

const ask = (service: string): Promise<string> => word(mesh.from("web").fetch(`http://${service}/`));

/** Twice as long as a credential lives. */
beforeEach(() => mesh.advance("2h"));
afterEach(async () => {
  await mesh.mend("control");
  // A renewal that failed is remembered for a second.
  await mesh.advance("2s");
});

test("the first request after two hours is signed with a credential that it has fetched itself", async () => {
  expect(await ask("payments")).toBe("200");
});

test("so is each of many that come at once, and none waits for another's", async () => {
  const words = await Promise.all(Array.from({ length: 8 }, () => ask("payments")));
  expect(words).toEqual(words.map(() => "200"));
});

test("with control down it is refused, and the next one is served as soon as control is back", async () => {
  await mesh.break("control", { status: 503 });
  expect(await ask("payments")).toBe("mesh-not-ready");
  await mesh.mend("control");
  await mesh.advance("2s");
  expect(await ask("payments")).toBe("200");
});

test("a control that hangs holds it up no longer than its own deadline", async () => {
  await mesh.break("control", { latencyMs: 4_000 });
  const begun = performance.now();
  expect(await ask("hasty")).toBe("deadline-exceeded");
  expect(performance.now() - begun).toBeLessThan(3_500);
});

test("a call for which the binding is evidence enough needs no credential, and no control", async () => {
  await mesh.break("control", { status: 503 });
  expect(await ask("bound")).toBe("200");
});
