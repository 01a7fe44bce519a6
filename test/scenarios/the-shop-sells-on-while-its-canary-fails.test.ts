import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/answers.ts";
import { circuitOf } from "../support/circuits.ts";

const shop = new URL("../../examples/shop/", import.meta.url);
const config = (name: string) => ({
  config: fileURLToPath(new URL(`workers/${name}/wrangler.toml`, shop)),
});
/** The shop's own policies; only that shipping runs here instead of on Deno. */
const policies = readdirSync(new URL("policies/", shop)).map((name) =>
  readFileSync(new URL(`policies/${name}`, shop), "utf8").replace(
    "{ url: http://127.0.0.1:8790 }",
    "{ binding: SHIPPING }",
  ),
);

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      storefront: config("storefront"),
      catalog: config("catalog"),
      cart: config("cart"),
      "payments-v1": config("payments-v1"),
      "payments-v2": config("payments-v2"),
      shipping: { fetch: () => Response.json({ shipment: "s-1", weightGrams: 20 }) },
    },
    policies,
    onLog: () => undefined,
  });
  await mesh.stopClock();
});
afterAll(() => mesh.dispose());

const outside = (path: string, method: string): Promise<Response> =>
  mesh.fetch(`http://127.0.0.1:8787${path}`, { method });

/** The demo's traffic of a second: ten orders, of which about one goes to version 2. */
async function second(lastsMs = 1_000): Promise<{
  readonly statuses: readonly number[];
  readonly state: string | undefined;
}> {
  const orders = await Promise.all(Array.from({ length: 10 }, () => outside("/api/orders", "POST")));
  const circuit = await circuitOf(mesh, "payments-v2");
  await mesh.advance(lastsMs);
  return { statuses: orders.map(({ status }) => status), state: circuit?.state };
}

test("orders go on while version 2 fails, its circuit opens, and closes by itself when it is mended", async () => {
  // The retries that the orders will need are a fifth of all requests: some come first.
  for (let warm = 0; warm < 3; warm++) expect(new Set((await second()).statuses)).toEqual(new Set([200]));

  const broken = await outside("/demo/payments-v2/switch?fail=1", "PUT");
  expect(await broken.json()).toMatchObject({ version: "v2", fail: 1, latency: 0 });
  const statuses: number[] = [];
  const look = (lastsMs: number) => async () => {
    const lived = await second(lastsMs);
    statuses.push(...lived.statuses);
    return lived;
  };
  expect((await until(look(1_000), ({ state }) => state === "open", 30)).state).toBe("open");
  expect(new Set(statuses)).toEqual(new Set([200]));

  // The hand that mends is not refused by the circuit.
  const mended = await outside("/demo/payments-v2/switch?fail=0", "PUT");
  expect(await mended.json()).toMatchObject({ version: "v2", fail: 0 });
  expect((await until(look(2_000), ({ state }) => state === "closed", 60)).state).toBe("closed");
  expect(new Set(statuses)).toEqual(new Set([200]));
});
