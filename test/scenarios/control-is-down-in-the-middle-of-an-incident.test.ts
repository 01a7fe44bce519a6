import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/answers.ts";
import { Backend } from "../support/backend.ts";
import { courseOf, Incident } from "../support/incident.ts";
import { open } from "../support/policy-texts.ts";

const callers = ["web", "app"] as const;
const caller = { fetch: () => new Response("well") };
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      payments: new Backend(),
      stock: new Backend(),
      mail: new Backend(),
      news: new Backend(),
      web: caller,
      app: caller,
    },
    policies: [open("payments", "stock", "mail", "news")],
  });
  await mesh.stopClock();
});
afterAll(() => mesh.dispose());

const allSay = (word: string): readonly string[] => callers.map(() => word);

test("a circuit that control opened before it went down is probed and closed by each caller alone", async () => {
  const incident = new Incident(mesh, "payments", callers);
  await incident.open();
  const reached = await mesh.hits("payments");
  await mesh.break("control", { status: 503 });
  expect(await incident.everybody()).toEqual(allSay("circuit-open"));

  // A probe is due, and nobody gives the permit: nobody takes it either.
  await mesh.advance("2s");
  expect(await incident.everybody()).toEqual(allSay("circuit-open"));
  expect(await mesh.hits("payments")).toBe(reached);

  // The penalty of a third local trip, 4 s and up to half as much again: one probe of each, and it fails.
  await mesh.advance("6s");
  expect(await incident.everybody()).toEqual(allSay("503"));
  expect(await mesh.hits("payments")).toBe(reached + callers.length);
  for (let round = 0; round < 5; round++) expect(await incident.everybody()).toEqual(allSay("circuit-open"));

  // Mended: the next probe of each closes its circuit.
  await mesh.mend("payments");
  await mesh.advance("12s");
  expect(await incident.everybody()).toEqual(allSay("200"));
  for (let round = 0; round < 5; round++) expect(await incident.everybody()).toEqual(allSay("200"));
});

test("a backend that breaks while control is down is left alone by each caller that has seen it fail", async () => {
  const incident = new Incident(mesh, "stock", callers);
  expect(await incident.everybody()).toEqual(allSay("200"));
  await mesh.break("stock", { status: 503 });
  const failed = await untilAll(incident, "circuit-open");
  // Five failures in a row over half a second.
  expect(failed).toBe(5);
  const reached = await mesh.hits("stock");
  for (let round = 0; round < 5; round++) expect(await incident.everybody()).toEqual(allSay("circuit-open"));
  expect(await mesh.hits("stock")).toBe(reached);
  await mesh.mend("stock");
  await mesh.advance("2s");
  for (let round = 0; round < 5; round++) expect(await incident.everybody()).toEqual(allSay("200"));
});

test("when control is back it learns what it missed, and its word counts again", async () => {
  await mesh.mend("control");
  await mesh.advance("10s");
  const payments = new Incident(mesh, "payments", callers);
  const rounds = await payments.rounds(({ circuit }) => circuit?.state === "closed", undefined, 1_000);
  expect(rounds.at(-1)?.circuit?.state).toBe("closed");
  const epochs = courseOf(rounds).map(({ epoch }) => epoch);
  expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
  await mesh.advance("1s");
  expect(await payments.everybody()).toEqual(allSay("200"));

  // The authority opens again for everybody.
  const mail = new Incident(mesh, "mail", callers);
  await mail.open();
  expect(await mail.circuit()).toMatchObject({ state: "open" });
});

test("a control that hangs holds a request up no longer than the patience of one question", async () => {
  const mail = new Incident(mesh, "mail", callers);
  await mesh.break("control", { latencyMs: 4_000 });
  await mesh.advance("2s");
  const begun = performance.now();
  expect(await mail.everybody()).toEqual(allSay("circuit-open"));
  expect(performance.now() - begun).toBeLessThan(3_500);
  await mesh.mend("control");
});

test("what failed while control was away is no evidence when it is back: it opens nothing then", async () => {
  const news = new Incident(mesh, "news", callers);
  await news.everybody();
  await mesh.settle();
  await mesh.break("control", { status: 503 });
  await mesh.break("news", { status: 503 });
  // Enough for the authority, and too few and too fast for the callers themselves.
  for (let round = 0; round < 12; round++) expect(await news.everybody()).toEqual(allSay("503"));
  await mesh.settle();
  await mesh.mend("news");
  await mesh.advance("30s");
  await mesh.mend("control");
  for (let round = 0; round < 5; round++) {
    expect(await news.everybody()).toEqual(allSay("200"));
    await mesh.advance("1s");
  }
  expect(await news.circuit()).toMatchObject({ state: "closed", epoch: 1 });
});

/** Lets everybody ask, 150 ms apart, until all say so; answers how many rounds said something else. */
async function untilAll(incident: Incident, word: string): Promise<number> {
  let others = -1;
  await until(
    async () => {
      others++;
      const said = await incident.everybody();
      await mesh.advance(150);
      return said;
    },
    (said) => said.every((each) => each === word),
  );
  return others;
}
