/**
 * Deploys control, the workers of the demo and the gateway with wrangler, callees before callers, and stops at the
 * first that fails.
 *
 *     npm run build                     builds all of them into dist/, and deploys nothing
 *     npm run deploy                    deploys all of them
 *     npm run deploy -- a/wrangler.toml b/wrangler.toml    only these
 */
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readWranglerConfig, type WorkerConfig } from "@tulle/mesh-runtime/testing/wrangler-config.ts";
import { inDeployOrder } from "./deploy-order.ts";
import { wrangler } from "./wrangler.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const everything = [
  "control/wrangler.toml",
  ...["catalog", "payments-v1", "payments-v2", "cart", "storefront"].map(
    (name) => `examples/shop/workers/${name}/wrangler.toml`,
  ),
  "wrangler.toml",
];

interface Worker extends WorkerConfig {
  readonly file: string;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { "dry-run": { type: "boolean", default: false } },
  });
  const files = positionals.length > 0 ? positionals : everything.map((file) => path.join(root, file));
  const workers = inDeployOrder(files.map((file) => ({ ...readWranglerConfig(file), file })));
  if (values["dry-run"]) return inLanes(workers, availableParallelism(), build);
  for (const worker of workers) assertFinished(worker);
  // One after the other: who comes next may be bound to this one.
  return inLanes(workers, 1, deploy);
}

const build = ({ name, file }: Worker): Promise<void> =>
  told("built", name, ["deploy", "--dry-run", "--outdir", path.join(root, "dist", name), "-c", file]);

const deploy = ({ name, file }: Worker): Promise<void> => told("deployed", name, ["deploy", "-c", file]);

/** Runs wrangler and says in a line what came of it. @throws Error with all that it printed, if it failed */
async function told(done: string, name: string, words: readonly string[]): Promise<void> {
  const { ok, printed, seconds } = await wrangler(words, root);
  if (!ok) throw new Error(`${name} could not be ${done}:\n\n${printed.trim()}`);
  const size = /^Total Upload: (.+)$/m.exec(printed)?.[1] ?? "";
  const address = /^ {2}(https:\/\/\S+)$/m.exec(printed)?.[1] ?? "";
  console.log(`${done}  ${name.padEnd(14)} ${seconds.padStart(5)} s  ${`${size}  ${address}`.trim()}`);
}

/** A namespace id is for the operator to fill in: with another one wrangler would only fail half way. */
function assertFinished({ file, kv }: Worker): void {
  for (const [binding, id] of Object.entries(kv)) {
    if (/^[0-9a-f]{32}$/.test(id)) continue;
    throw new Error(
      `${path.relative(root, file)}: ${binding} has the id ${id}, and no KV namespace has such a one. Make the namespace with "npx wrangler kv namespace create ${binding}", and write the id that it prints here (docs/deploy.md, step 2)`,
    );
  }
}

/** Does the work so many at a time, in order. Once one has failed nothing more is begun. */
async function inLanes<Item>(
  items: readonly Item[],
  lanes: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await work(item);
      } catch (error) {
        waiting.length = 0;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(lanes, items.length)) }, lane));
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
