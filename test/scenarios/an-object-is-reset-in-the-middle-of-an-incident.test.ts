import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Backend } from "../support/backend.ts";
import { courseOf, Incident } from "../support/incident.ts";
import { open } from "../support/policy-texts.ts";

const callers = ["web", "app", "jobs"] as const;
const caller = { fetch: () => new Response("well") };
const payments = new Backend();
const stock = new Backend();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: { payments, stock, web: caller, app: caller, jobs: caller },
    policies: [open("payments", "stock")],
  });
  await mesh.stopClock();
});
afterAll(() => mesh.dispose());

/** Whether the object knows of the failures that opened the circuit: it counts them in memory only. */
const failuresKnown = async (): Promise<boolean> =>
  (await mesh.signals()).edges.some((edge) => edge.class === "5xx");

const isClosed = ({ circuit }: { readonly circuit: { readonly state: string } | undefined }): boolean =>
  circuit?.state === "closed";

test("an open circuit whose object is reset stays open, in the same epoch, and nobody gets through", async () => {
  const incident = new Incident(mesh, "payments", callers);
  await incident.open();
  const before = await incident.circuit();
  const reached = await mesh.hits("payments");
  for (let round = 0; round < 3; round++) {
    expect(await failuresKnown()).toBe(round === 0);
    await mesh.resetObjects();
    expect(await failuresKnown()).toBe(false);
    expect(await incident.everybody()).toEqual(callers.map(() => "circuit-open"));
    expect(await incident.circuit()).toMatchObject({ state: "open", epoch: before?.epoch });
  }
  expect(await mesh.hits("payments")).toBe(reached);
});

test("it closes by itself though the object is lost in each of its states, and goes through each once", async () => {
  const incident = new Incident(mesh, "payments", callers);
  await mesh.mend("payments");
  const lostIn = new Set<string>();
  const rounds = await incident.rounds(isClosed, async ({ circuit }) => {
    const state = circuit?.state ?? "";
    if (lostIn.has(state)) return;
    lostIn.add(state);
    await mesh.resetObjects();
  });
  const course = courseOf(rounds);
  const [opened] = course;
  expect(opened?.state).toBe("open");
  expect(course.at(-1)).toMatchObject({ state: "closed", epoch: (opened?.epoch ?? 0) + 3 });
  expect([...lostIn]).toContain("ramp");
  await mesh.advance("1s");
  expect(await incident.everybody()).toEqual(callers.map(() => "200"));
});

test("a permit that the object forgot with a probe under way is given again, and its late outcome changes nothing", async () => {
  const incident = new Incident(mesh, "stock", ["web", "app"]);
  await incident.open();
  await mesh.mend("stock");
  const held = Promise.withResolvers<Response>();
  stock.script([() => held.promise]);
  await mesh.advance("2s");
  const first = incident.ask("web");
  await stock.reached(1);
  await mesh.resetObjects();
  await mesh.advance("400ms");
  const before = await incident.circuit();
  expect(await incident.ask("app")).toBe("200");
  expect(stock.received).toHaveLength(2);
  // The first probe failed, as is known by now: it is nobody's probe any more, so nothing opens again.
  held.resolve(new Response("not well", { status: 503 }));
  expect(await first).toBe("503");
  expect(await incident.circuit()).toEqual({ ...before, sinceMs: expect.any(Number) });
  const rounds = await incident.rounds(isClosed);
  expect(courseOf(rounds).map(({ state }) => state)).toEqual(["half-open", "ramp", "closed"]);
});
