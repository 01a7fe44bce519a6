import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { tulle } from "../cli/tulle.ts";
import { open, split, virtual } from "../support/policy-texts.ts";

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      "payments-v1": { fetch: () => new Response("v1") },
      "payments-v2": { fetch: () => new Response("v2") },
    },
    policies: [
      virtual("payments"),
      open("web", "payments-v2"),
      open("payments-v1"),
      split("payments", { "payments-v1": 1 }),
    ],
  });
});
afterAll(() => mesh.dispose());

const run = (words: readonly string[], stdin = "") =>
  tulle(words, { stdin, env: { TULLE_URL: mesh.operator.url, TULLE_TOKEN: mesh.operator.token } });
/** What a call to payments comes to. */
async function answer(): Promise<string> {
  const response = await mesh.from("web").fetch("http://payments/");
  return response.ok ? response.text() : `${response.status}`;
}
const columns = (line = "") => line.split(/ {2,}/);

test("a route is accepted before its backend is there, and its requests are refused meanwhile", async () => {
  const ended = await run(["apply", "-f", "-"], split("payments", { "payments-v3": 1 }));
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain(
    "warning  spec.rules[0].backendRefs[0].name: expected a Service that exists",
  );
  expect(ended.stderr).toContain("1 reference does not resolve");
  await mesh.settle();
  expect(await answer()).toBe("500");
  const [, route] = (await run(["get", "httproutes"])).stdout.split("\n");
  expect(columns(route).slice(-2)).toEqual(["True", "False (BackendNotFound)"]);
  expect((await run(["check"])).stdout).toContain(
    "HTTPRoute/default/payments: parent Service/payments: ResolvedRefs",
  );
});

test("what is printed with its status can be mended and applied again", async () => {
  const printed = (await run(["get", "httproute", "payments", "-o", "yaml"])).stdout;
  expect(parse(printed)).toMatchObject({
    kind: "HTTPRoute",
    status: { parents: [{ conditions: [{ type: "Accepted" }, { type: "ResolvedRefs", status: "False" }] }] },
  });
  const mended = printed.replace("payments-v3", "payments-v2");
  const ended = await run(["apply", "--strict", "-f", "-"], mended);
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stderr).toContain("what stands here is not read");
  await mesh.settle();
  expect(await answer()).toBe("v2");
});

test("a Service that a route refers to can be deleted, and that takes effect", async () => {
  await mesh.apply([split("payments", { "payments-v1": 1 })]);
  expect(await answer()).toBe("v1");
  const policy = await run(["delete", "authz", "open-payments-v1"]);
  expect(policy.code, policy.stderr).toBe(0);
  const ended = await run(["delete", "svc", "payments-v1"]);
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stderr).toContain("The Service default/payments-v1 does not exist");
  await mesh.settle();
  expect(await answer()).toBe("500");
  expect((await run(["undo"])).code).toBe(0);
  expect((await run(["get", "httproutes"])).stdout).toMatch(/payments +\d+ +True +True/);
});
