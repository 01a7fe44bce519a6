import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { word } from "../support/answers.ts";
import { Backend } from "../support/backend.ts";
import { treated } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";

const circle = fileURLToPath(new URL("workers/circle.ts", import.meta.url));
const small = new Backend();
const narrow = new Backend();
let mesh: TestMesh;

const smallService = `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: small }
spec: { maxInFlight: 2, endpoint: { binding: SMALL } }
`;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      small,
      narrow,
      web: { fetch: () => new Response("web") },
      app: { fetch: () => new Response("app") },
      ping: { entry: circle, vars: { NEXT: "pong" } },
      pong: { entry: circle, vars: { NEXT: "ping" } },
    },
    policies: [
      open("small", "narrow", "ping", "pong"),
      smallService,
      treated("narrow", "maxInFlight: 1", "retry: { budgetRatio: 1 }"),
    ],
  });
});
afterAll(() => mesh.dispose());

const ask = (from: string, service: string): Promise<Response> => mesh.from(from).fetch(`http://${service}/`);

test("a worker with as many requests under way as it may have refuses the next at once, whoever sends it", async () => {
  const release = small.hold();
  const served = [ask("web", "small"), ask("app", "small")];
  await small.reached(2);
  // The two are still under way while these are answered: nothing was queued, and nothing tried again.
  const refused = await Promise.all([ask("web", "small"), ask("app", "small"), ask("web", "small")]);
  for (const response of refused) {
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await word(response)).toBe("overloaded");
  }
  expect(small.received).toHaveLength(2);
  release();
  expect(await Promise.all(served.map(word))).toEqual(["200", "200"]);
  expect(await word(ask("web", "small"))).toBe("200");
});

test("being full is no failure: it opens no circuit", async () => {
  const release = small.hold();
  const served = [ask("web", "small"), ask("web", "small")];
  await small.reached(2);
  for (let round = 0; round < 8; round++) {
    await mesh.advance("200ms");
    expect(await word(ask("app", "small"))).toBe("overloaded");
  }
  release();
  await Promise.all(served);
  expect(await word(ask("app", "small"))).toBe("200");
  const { circuits } = await mesh.signals();
  expect(circuits.find(({ circuit }) => circuit === "default/small")?.state).toBe("closed");
});

test("a caller with as many requests under way to one destination as it may have refuses the next itself", async () => {
  const release = narrow.hold();
  const served = ask("web", "narrow");
  await narrow.reached(1);
  expect(await word(ask("web", "narrow"))).toBe("overloaded");
  // It is a limit of each isolate and each destination, and of nobody else.
  const others = ask("app", "narrow");
  await narrow.reached(2);
  expect(await word(ask("web", "small"))).toBe("200");
  release();
  expect([await word(served), await word(others)]).toEqual(["200", "200"]);
  expect(await word(ask("web", "narrow"))).toBe("200");
});

test("two services that call each other in a circle are stopped with 508 after sixteen hops", async () => {
  const response = await ask("gateway", "ping");
  expect(response.status).toBe(508);
  expect(await word(response)).toBe("too-many-hops");
  const { edges } = await mesh.signals();
  const arrived = edges.filter(
    ({ perspective, destination }) => perspective === "inbound" && /p[io]ng$/.test(destination),
  );
  expect(arrived.reduce((sum, { count }) => sum + count, 0)).toBe(17);
  const refused = arrived.filter((edge) => edge.class === "refused");
  expect(refused).toMatchObject([{ refusal: "too-many-hops", count: 1 }]);
});
