import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { word } from "../support/answers.ts";
import { Backend, fails } from "../support/backend.ts";
import { treated } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";

const worker = (name: string) => ({ entry: fileURLToPath(new URL(`workers/${name}.ts`, import.meta.url)) });
const last = new Backend();
let mesh: TestMesh;

/** Three retries on every hop: 4 × 4 × 4 requests at the end of the chain, if nothing bounded the whole. */
const eager = ["retry: { attempts: 3, budgetRatio: 1 }", "circuit: { enabled: false }"] as const;
/** What whoever begins a call tree may spend: its own retries, and two for those beneath. */
const credits = 5;

beforeAll(async () => {
  mesh = await startMesh({
    services: { first: worker("pass-along"), second: worker("pass-along"), fan: worker("fan"), last },
    policies: [
      open("first", "second", "fan", "last"),
      ...["first", "second", "fan", "last"].map((name) => treated(name, ...eager)),
    ],
  });
});
afterAll(() => mesh.dispose());

/** While all is well budgets fill up, so that nothing but credits bounds the retries. */
beforeEach(async () => {
  last.script([]);
  for (let round = 0; round < 12; round++) {
    expect(await word(mesh.from("gateway").fetch("http://first/second/last"))).toBe("200");
    expect(await word(mesh.from("gateway").fetch("http://fan/"))).toBe("200");
  }
  last.script([], fails(503));
});

/** Tries beyond the first, of all calls on all edges so far. */
async function retries(): Promise<number> {
  const { edges } = await mesh.signals();
  const count = (perspective: string): number =>
    edges.filter((edge) => edge.perspective === perspective).reduce((sum, edge) => sum + edge.count, 0);
  return count("attempt") - count("effective");
}

test("a chain of hops that all try again sends no more than its credits beyond the first try", async () => {
  const before = await retries();
  expect(await word(mesh.from("gateway").fetch("http://first/second/last"))).toBe("503");
  expect(last.received.length).toBe(1 + credits);
  expect((await retries()) - before).toBe(credits);
});

test("calls that one request makes side by side spend from one pool", async () => {
  const before = await retries();
  expect(await word(mesh.from("gateway").fetch("http://fan/"))).toBe("503");
  const spent = (await retries()) - before;
  expect(spent).toBeGreaterThan(0);
  expect(spent).toBeLessThanOrEqual(credits);
});

test("every credit can be spent: a backend that is well after as many failures is reached", async () => {
  last.script(Array.from({ length: credits }, () => fails(503)));
  expect(await word(mesh.from("gateway").fetch("http://first/second/last"))).toBe("200");
  expect(last.received).toHaveLength(1 + credits);
});

test("an application cannot mint credits by writing the mesh's header itself", async () => {
  const headers = { "tulle-attempt-credits": "900" };
  expect(await word(mesh.from("gateway").fetch("http://first/second/last", { headers }))).toBe("503");
  expect(last.received.length).toBe(1 + credits);
});
