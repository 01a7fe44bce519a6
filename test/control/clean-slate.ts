import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, vi } from "vitest";
import { policyStore } from "../../control/objects.ts";
import { allAwake } from "./awake.ts";

/**
 * Files of tests share one runtime, because to start one for each takes longer than most of them: each begins with
 * nothing stored, and with a worker that remembers nothing. What a change of the file before still writes to KV is waited
 * for: a store that begins anew would find it there.
 */
beforeAll(async () => {
  await policyStore(env).publish();
  await allAwake();
  vi.resetModules();
  await reset();
});
