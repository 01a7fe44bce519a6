import { fileURLToPath } from "node:url";
import { readWranglerConfig, runInWorkerd, startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import type { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answers, echoed } from "./pass-through-answers.ts";

const file = (name: string): string =>
  fileURLToPath(new URL(`workers/pass-through/${name}`, import.meta.url));
const config = file("wrangler.toml");
const callee = { entry: file("callee.ts") };

const policies = `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: caller }
spec: { evidence: binding }
---
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: bound }
spec: { evidence: binding }
---
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: streamed }
spec: { maxDigestBytes: 1024, largeBody: unsigned }
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: everybody-verified }
spec: { rules: [{ from: [{ source: { principals: ["*"] } }] }] }
`;

let plain: Miniflare;
let mesh: TestMesh;

beforeAll(async () => {
  const caller = readWranglerConfig(config);
  const other = { ...caller, name: "callee", main: callee.entry, kv: {}, durableObjects: {} };
  [plain, mesh] = await Promise.all([
    runInWorkerd([{ config: caller, services: { CALLEE: "callee" } }, { config: other }]),
    startMesh({
      services: { caller: { config }, signed: callee, streamed: callee, bound: callee, ledger: callee },
      policies: [policies],
    }),
  ]);
});
afterAll(async () => {
  await Promise.all([mesh?.dispose(), plain?.dispose()]);
});

/** One probe passes on what it gets from outside: a body that is larger than what is digested. */
const outside = (probe: string): { method?: string; body?: Uint8Array<ArrayBuffer> } =>
  probe.includes("request that is passed on")
    ? { method: "POST", body: new Uint8Array(1_500_000).fill(7) }
    : {};
const at = (probe: string, callee: string): string =>
  `http://caller/${encodeURIComponent(probe)}?callee=${callee}`;

async function answerOf(response: { text(): Promise<string> }): Promise<unknown> {
  const text = await response.text();
  return text.startsWith("squeezed") ? text : JSON.parse(text);
}
const withoutMesh = async (probe: string): Promise<unknown> =>
  answerOf(await plain.dispatchFetch(at(probe, "CALLEE"), outside(probe)));
const inMesh = async (probe: string, callee: string): Promise<unknown> =>
  answerOf(await mesh.from("signed").fetch(at(probe, callee), outside(probe)));

const tooLarge = expect.objectContaining({ type: "https://tulle.dev/problems/body-too-large" });
/** A callee that wants every body signed has bodies read whole, up to a limit: there it cannot be as without the mesh. */
const toSigned: Readonly<Record<string, unknown>> = {
  "a body larger than is digested": [413, tooLarge],
  "a large request that is passed on": tooLarge,
};
/** This one would wait for itself there. */
const onlyUnsigned = "a request whose last chunk waits for the answer to its first";

test("every probe of the caller is looked at here", async () => {
  const names = await (await plain.dispatchFetch("http://caller/probes")).json();
  expect(names).toEqual(Object.keys(answers));
});

describe.each(Object.entries(answers))("%s", (probe, expected) => {
  test("is as without the mesh where the platform vouches for callers, and where a large body goes unsigned", async () => {
    const reference = await withoutMesh(probe);
    expect(reference).toEqual(expected);
    expect(await inMesh(probe, "STREAMED")).toEqual(reference);
    if (probe === "a Request with a body") {
      // Nobody can ask a Request whether its body is in memory, so it travels as a stream, whose length is unknown.
      expect(await inMesh(probe, "BOUND")).toEqual(echoed('"PUT"', '"length":null', "a text"));
    } else expect(await inMesh(probe, "BOUND")).toEqual(reference);
  });

  if (probe === onlyUnsigned) return;
  test("is so, within what is digested, where every body is signed", async () => {
    expect(await inMesh(probe, "SIGNED")).toEqual(toSigned[probe] ?? expected);
  });
});
