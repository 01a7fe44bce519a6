import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { harnessOver } from "@tulle/mesh-runtime/testing/harness-client.ts";
import { fetch, type Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test } from "vitest";

const server = createServer((_, response) => response.writeHead(201, { "x-app": "1" }).end("late"));
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => server.close());

/** Has everything collected that nobody holds, and whoever waits for that called. */
async function collected(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let round = 0; round < 3; round++) {
    collect();
    await setImmediate();
  }
}

test("a response of a mesh under test is read whole, however late a test gets to it", async () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  // As the runtime does it, with workerd in the server's place.
  const runtime = { dispatchFetch: () => fetch(url) } as unknown as Miniflare;
  const response = await harnessOver(runtime).send("web", "worker", new Request(url));
  await collected();
  expect([response.status, response.headers.get("x-app")]).toEqual([201, "1"]);
  expect(await response.text()).toBe("late");
});
