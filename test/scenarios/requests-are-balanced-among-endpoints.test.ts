import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { open } from "../support/policy-texts.ts";

const echo = (endpoints: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: echo }
spec: { endpoints: [${endpoints}] }
`;
const balancing = (spec: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: echo }
spec: { targetRefs: [{ kind: Service, name: echo }], loadBalancing: ${spec} }
`;
/** A Service that demands no signature, beside others that do. */
const bound = `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: echo-v2 }
spec: { evidence: binding }
`;
const all = "{ service: echo-v1 }, { service: echo-v2 }, { service: echo-v3 }";

let mesh: TestMesh;

beforeAll(async () => {
  const version = (name: string) => ({ fetch: () => new Response(name) });
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web"), vars: { TULLE_REGION: "eu", TULLE_ZONE: "eu-1" } },
      "echo-v1": version("v1"),
      "echo-v2": version("v2"),
      "echo-v3": version("v3"),
    },
    policies: [echo(all), bound, open("echo-v1", "echo-v2", "echo-v3")],
  });
});
afterAll(() => mesh.dispose());

async function ask(headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const response = await mesh.from("web").fetch("http://echo/", { headers });
  return response.ok ? response.text() : `${response.status} ${await response.text()}`;
}
async function answers(times: number, headers: Readonly<Record<string, string>> = {}) {
  const found: string[] = [];
  for (let count = 0; count < times; count++) found.push(await ask(headers));
  return found;
}
const names = (found: readonly string[]): string => [...new Set(found)].sort().join(" ");

test("a Service whose endpoints are other Services is reached at all of them, each signed for as it demands", async () => {
  expect(names(await answers(40))).toBe("v1 v2 v3");
});

test("round robin goes by turns and weights", async () => {
  await mesh.apply([
    echo("{ service: echo-v1, weight: 2 }, { service: echo-v2 }, { service: echo-v3, weight: 0 }"),
    balancing("{ algorithm: RoundRobin }"),
  ]);
  const found = await answers(30);
  expect(found.filter((name) => name === "v1")).toHaveLength(20);
  expect(found.filter((name) => name === "v2")).toHaveLength(10);
});

test("a ring keeps what has one header at one endpoint, whoever comes and goes", async () => {
  await mesh.apply([echo(all), balancing("{ algorithm: RingHash, hashOn: { header: X-User } }")]);
  const users = Array.from({ length: 24 }, (_, index) => `user-${index}`);
  const homes = new Map<string, string>();
  for (const user of users) {
    const found = names(await answers(3, { "x-user": user }));
    expect(found).toMatch(/^v[123]$/);
    homes.set(user, found);
  }
  expect(names([...homes.values()])).toBe("v1 v2 v3");
  await mesh.apply([echo("{ service: echo-v1 }, { service: echo-v2 }")]);
  for (const [user, home] of homes) if (home !== "v3") expect(await ask({ "x-user": user })).toBe(home);
});

test("an endpoint nearby is preferred, and one of a later priority is used while the first cannot be reached", async () => {
  const dead = '{ name: dead, url: "http://127.0.0.1:9" }';
  await mesh.apply([
    echo(
      "{ service: echo-v1, locality: { region: us } }, { service: echo-v2, locality: { region: eu, zone: eu-1 } }, { service: echo-v3, locality: { region: eu } }",
    ),
    balancing("{}"),
  ]);
  expect(names(await answers(20))).toBe("v2");
  await mesh.apply([echo(`${dead}, { service: echo-v3, priority: 1 }`)]);
  // The first requests are tried again on the next level; then the dead endpoint is left out.
  expect(names(await answers(20))).toBe("v3");
});
