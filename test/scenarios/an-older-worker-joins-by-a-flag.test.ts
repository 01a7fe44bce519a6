import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startMesh } from "@tulle/mesh-runtime/testing";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../cli/tulle.ts";
import { open } from "../support/policy-texts.ts";

const main = fileURLToPath(new URL("workers/relay.ts", import.meta.url));

/** As docs/deploy.md and the README say: the oldest date, and the first one that needs no flag. */
test.each([
  ["2025-03-01", 'compatibility_flags = ["nodejs_als"]'],
  ["2025-03-01", 'compatibility_flags = ["nodejs_compat"]'],
  ["2026-09-01", ""],
])("a worker with compatibility date %s and %j is called in the mesh, and calls", async (date, flags) => {
  using directory = temporaryDirectory();
  const config = join(directory.path, "wrangler.toml");
  writeFileSync(
    config,
    `name = "older"\nmain = ${JSON.stringify(main)}\ncompatibility_date = "${date}"\n${flags}\n`,
  );
  await using mesh = await startMesh({
    services: {
      older: { config },
      client: { fetch: () => new Response("client") },
      last: { fetch: () => Response.json({ caller: "of the last" }) },
    },
    policies: [open("older", "client", "last")],
  });
  const response = await mesh.from("client").fetch("http://older/last");
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    caller: "spiffe://mesh.local/ns/default/sa/client",
    next: { caller: "of the last" },
  });
});
