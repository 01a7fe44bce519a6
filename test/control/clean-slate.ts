import { reset } from "cloudflare:test";
import { beforeAll, vi } from "vitest";

/**
 * Files of tests share one runtime, because to start one for each takes longer than most of them: each begins with
 * nothing stored, and with a worker that remembers nothing.
 */
beforeAll(async () => {
  vi.resetModules();
  await reset();
});
