import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ChangeAnswer, Revision } from "../../control/api/contract.ts";
import { entrance, open, split, virtual } from "../support/policy-texts.ts";
import { traffic } from "../support/traffic.ts";
import type { TwoCalls } from "./workers/two-calls-words.ts";

const both = (weights: Readonly<Record<string, number>>): readonly string[] => [
  split("left", weights),
  split("right", weights),
];
const allTo = (version: string): readonly string[] => both({ v1: 0, v2: 0, [version]: 1 });

let mesh: TestMesh;
/** What the service `pause` does before it answers. */
let meanwhile: () => Promise<unknown> = async () => undefined;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { entry: fileURLToPath(new URL("workers/two-calls.ts", import.meta.url)) },
      v1: { fetch: () => new Response("v1") },
      v2: { fetch: () => new Response("v2") },
      pause: {
        async fetch() {
          await meanwhile();
          return new Response("over");
        },
      },
    },
    policies: [
      entrance("web"),
      virtual("left", "right"),
      open("web", "v1", "v2", "pause"),
      ...both({ v1: 90, v2: 10 }),
    ],
  });
});
afterAll(() => mesh.dispose());

interface Answered extends Partial<TwoCalls> {
  readonly status: number;
}

async function ask(path = "/"): Promise<Answered> {
  const response = await mesh.fetch(`http://shop.example.com${path}`);
  if (!response.ok) return { status: response.status };
  return { status: response.status, ...((await response.json()) as TwoCalls) };
}

/** Share of calls that version 2 answered. */
function shareOfV2(answers: readonly Answered[]): number {
  const calls = answers.flatMap(({ left, right }) => [left, right]);
  return calls.filter((version) => version === "v2").length / calls.length;
}

const failures = (answers: readonly Answered[]): readonly Answered[] =>
  answers.filter(
    ({ left, right }) => ![left, right].every((version) => version === "v1" || version === "v2"),
  );

test("90/10 becomes 50/50 under traffic, and undo makes it 90/10 again: no request fails and nothing restarts", async () => {
  const going = traffic(6, ask);
  const before = await going.more(80);
  await mesh.apply(both({ v1: 50, v2: 50 }));
  const halves = await going.more(80);
  const undone = await undo({});
  await everywhere();
  const after = await going.more(80);
  const all = await going.stop();

  expect(failures(all)).toEqual([]);
  // Six standard deviations on either side of what the weights say, of 160 calls each.
  expect(shareOfV2(before)).toBeGreaterThan(0);
  expect(shareOfV2(before)).toBeLessThan(0.25);
  expect(shareOfV2(halves)).toBeGreaterThan(0.26);
  expect(shareOfV2(halves)).toBeLessThan(0.74);
  expect(undone.status).toBe(200);
  expect(shareOfV2(after)).toBeGreaterThan(0);
  expect(shareOfV2(after)).toBeLessThan(0.25);
  expect(new Set(all.map(({ isolate }) => isolate)).size).toBe(1);
});

/** What a change may take until it is in force, milliseconds; on a machine that is slow just now, as long as so many requests. */
const inForceWithin = { ms: 2_000, requests: 720 };

test("a change is in force under traffic within two seconds, and nobody has to wait for it", async () => {
  await mesh.apply(allTo("v1"));
  const going = traffic(6, ask);
  await going.more(20);
  const begun = performance.now();
  await going.more(40);
  const patienceMs = Math.max(inForceWithin.ms, ((performance.now() - begun) * inForceWithin.requests) / 40);
  const sources = allTo("v2").map((text, index) => ({ source: `${index}.yaml`, text }));
  const changed = performance.now();
  expect((await post("/api/policies", { sources })).status).toBe(200);
  let newest: readonly Answered[] = [];
  do newest = await going.more(12);
  while (newest.some(({ left }) => left !== "v2") && performance.now() - changed < patienceMs);
  const took = performance.now() - changed;
  expect(failures(await going.stop())).toEqual([]);
  expect(took).toBeLessThan(patienceMs);
});

test("no request sees half of a change, however often policy changes under it", async () => {
  await mesh.apply(allTo("v1"));
  const going = traffic(6, ask);
  for (const version of ["v2", "v1", "v2", "v1"]) {
    await mesh.apply(allTo(version));
    await going.more(20);
  }
  const all = await going.stop();
  expect(failures(all)).toEqual([]);
  expect(all.filter(({ left, right }) => left !== right)).toEqual([]);
  expect(new Set(all.map(({ left }) => left))).toEqual(new Set(["v1", "v2"]));
});

test("a request that has begun keeps its policy to its end, and the next one has the new one", async () => {
  await mesh.apply(allTo("v1"));
  meanwhile = () => mesh.apply(allTo("v2"));
  const during = await ask("/pause");
  meanwhile = async () => undefined;
  expect(during).toMatchObject({ left: "v1", right: "v1" });
  expect(await ask("/pause")).toMatchObject({ left: "v2", right: "v2" });
});

test("history tells who changed what, newest first, and undo adds to it", async () => {
  const before = await history();
  const { revision } = await mesh.apply(allTo("v1"));
  const undone = await undo({ revision });
  const [newest, undoneOne, ...older] = await history();
  expect(undone).toMatchObject({ status: 200, applied: true, revision: revision + 1 });
  expect(newest).toMatchObject({ revision: revision + 1, parent: revision, author: "operator" });
  expect(newest?.reason).toBe(`undo of revision ${revision}`);
  expect(undoneOne).toMatchObject({
    revision,
    reason: "test",
    changes: [
      { kind: "HTTPRoute", name: "left", action: "changed" },
      { kind: "HTTPRoute", name: "right", action: "changed" },
    ],
  });
  expect(older).toEqual(before);
});

test("who changes policy on top of a revision that is no longer the newest gets a conflict, and nothing changes", async () => {
  const { revision } = await mesh.apply([split("left", { v1: 3, v2: 4 })]);
  const sources = [{ source: "left.yaml", text: split("left", { v1: 1, v2: 0 }) }];
  const late = await post("/api/policies", { sources, expectedRevision: revision - 1 });
  expect(late.status).toBe(409);
  expect(late.headers.get("content-type")).toBe("application/problem+json");
  expect(await late.json()).toMatchObject({
    type: "https://tulle.dev/problems/revision-conflict",
    detail: expect.stringContaining(`Expected revision ${revision - 1}, found ${revision}`),
  });
  expect((await undo({ expectedRevision: revision - 1 })).status).toBe(409);
  expect((await history())[0]?.revision).toBe(revision);
  const inTime = await post("/api/policies", { sources, expectedRevision: revision });
  expect(await inTime.json()).toMatchObject({ applied: true, revision: revision + 1 });
});

test("of two changes on top of the same revision at the same time, exactly one is made", async () => {
  const { revision } = await mesh.apply([split("right", { v1: 5, v2: 6 })]);
  const change = (weight: number) =>
    post("/api/policies", {
      sources: [{ source: "right.yaml", text: split("right", { v1: weight, v2: 1 }) }],
      expectedRevision: revision,
    });
  const answers = await Promise.all([change(7), change(8), change(9)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
  expect((await history())[0]?.revision).toBe(revision + 1);
});

test("undo of a revision that a later one changed again says which one, and changes nothing", async () => {
  const { revision } = await mesh.apply([split("left", { v1: 11, v2: 1 })]);
  await mesh.apply([split("left", { v1: 12, v2: 1 })]);
  const undone = await post("/api/policies/undo", { revision });
  expect(undone.status).toBe(409);
  expect(await undone.json()).toMatchObject({
    detail: expect.stringContaining(`HTTPRoute/default/left was changed again by revision ${revision + 1}`),
  });
  expect((await post("/api/policies/undo", { revision: 9_999 })).status).toBe(404);
});

/** Resolves when every service runs what is in force: applying nothing changes nothing. */
const everywhere = (): Promise<unknown> => mesh.apply([]);

const post = (path: string, body: unknown): Promise<Response> =>
  mesh.api(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

async function undo(request: object): Promise<ChangeAnswer & { readonly status: number }> {
  const response = await post("/api/policies/undo", request);
  return { status: response.status, ...((await response.json()) as ChangeAnswer) };
}

const history = async (): Promise<readonly Revision[]> =>
  (await mesh.api("/api/policies/history")).json() as Promise<readonly Revision[]>;
