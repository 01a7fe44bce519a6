import { startMesh } from "@tulle/mesh-runtime/testing";
import { expect, test } from "vitest";
import { alive, below } from "../support/processes.ts";

const services = { web: { fetch: () => new Response("hi") } };

const workerds = (): number[] =>
  below(process.pid)
    .filter(({ name }) => name === "workerd")
    .map(({ pid }) => pid);

test("one workerd runs a whole mesh, and it is gone when dispose() returns", async () => {
  const before = workerds();
  const mesh = await startMesh({ services });
  const own = workerds().filter((pid) => !before.includes(pid));
  expect(own).toHaveLength(1);
  await mesh.dispose();
  expect(own.filter(alive)).toEqual([]);
});

test("`await using` ends it as well, whatever happens in the block", async () => {
  const before = workerds();
  let own: number[] = [];
  const block = async (): Promise<void> => {
    await using mesh = await startMesh({ services });
    own = workerds().filter((pid) => !before.includes(pid));
    throw new Error(`thrown while ${await (await mesh.raw("web").fetch("http://web/")).text()} runs`);
  };
  await expect(block()).rejects.toThrow("runs");
  expect(own).toHaveLength(1);
  expect(own.filter(alive)).toEqual([]);
});

test.each([
  ["policies are refused", { services, policies: ["kind: Service\nspec: 7\n"] }, /policies are refused/],
  ["a worker does not build", { services: { web: { entry: "test/no-such-worker.ts" } } }, /no-such-worker/],
])("a mesh that does not start because %s leaves nothing either", async (_, options, message) => {
  const before = workerds();
  await expect(startMesh(options)).rejects.toThrow(message);
  expect(workerds().filter((pid) => !before.includes(pid))).toEqual([]);
});
