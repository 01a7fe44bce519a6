import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Backend } from "../support/backend.ts";
import { Incident } from "../support/incident.ts";
import { open } from "../support/policy-texts.ts";

const rounds = 30;
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: { payments: new Backend(), web: { fetch: () => new Response("well") } },
    policies: [open("payments")],
  });
  await mesh.stopClock();
});
afterAll(() => mesh.dispose());

test("an isolate whose circuit is in a hurry leaves a control alone that does not answer", async () => {
  const incident = new Incident(mesh, "payments", ["web"]);
  await incident.everybody();
  await mesh.settle();
  await mesh.break("control", { status: 503 });
  await mesh.break("payments", { status: 503 });
  const said: string[] = [];
  for (let round = 0; round < rounds; round++) {
    said.push(await incident.ask("web"));
    await mesh.advance("100ms");
  }
  expect(said).toContain("circuit-open");
  // `advance` itself lets the isolate report once; a circuit that asks for its verdict adds some.
  expect(await mesh.hits("control")).toBeLessThanOrEqual(5 * rounds);
});
