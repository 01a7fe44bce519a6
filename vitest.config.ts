import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** How long a test may take: far longer than any does, because no test says how fast a machine is. */
const patience = { testTimeout: 60_000, hookTimeout: 60_000 };

/** Judgement and layers run in workerd; whole meshes, the CLI and the guards are driven from Node. */
export default defineConfig({
  test: {
    // Tests wait for processes to start more than they compute: with one core to spare, two files at a time use both.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        plugins: [cloudflareTest({ miniflare: { cf: false, compatibilityDate: "2026-10-01" } })],
        test: {
          name: "workerd",
          isolate: false,
          include: ["test/{unit,attacks}/**/*.test.ts"],
          ...patience,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./control/wrangler.toml" },
            miniflare: {
              cf: false,
              bindings: {
                TULLE_OPERATOR_TOKEN: "operator-token-of-the-tests-0123456789",
                TULLE_VIEWER_TOKEN: "viewer-token-of-the-tests-0123456789",
                TULLE_KEY_SECRET: "key-secret-of-the-tests-0123456789abcdef",
              },
            },
          }),
        ],
        test: {
          name: "control",
          isolate: false,
          include: ["test/control/**/*.test.ts"],
          setupFiles: ["test/control/clean-slate.ts"],
          ...patience,
        },
      },
      {
        test: {
          name: "node",
          isolate: false,
          include: ["test/*.test.ts", "test/{scenarios,cli}/**/*.test.ts"],
          ...patience,
        },
      },
    ],
  },
});
