/**
 * How long a mesh under test takes to start and to end: control, gateway and four services in one workerd.
 * `cold` bundles every worker, as after an installation or a change to the runtime; `warm` finds the bundles of
 * an earlier run. Both are measured in processes of their own, whose first mesh counts, in turns.
 *
 *     node bench/start.ts [--rounds 5]
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startMesh } from "@tulle/mesh-runtime/testing";
import { quantile, shuffled } from "./support.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, once: { type: "boolean", default: false } },
});

interface Times {
  readonly start: number;
  readonly again: number;
  readonly dispose: number;
}

const entry = fileURLToPath(new URL("../examples/shop/workers/catalog/index.ts", import.meta.url));
const services = Object.fromEntries(["one", "two", "three", "four"].map((name) => [name, { entry }]));

/** One mesh after another in this process. */
async function once(): Promise<Times> {
  const begun = performance.now();
  const first = await startMesh({ services });
  const started = performance.now();
  await first.dispose();
  const ended = performance.now();
  const second = await startMesh({ services });
  const again = performance.now();
  await second.dispose();
  return { start: started - begun, dispose: ended - started, again: again - ended };
}

const bundles = fileURLToPath(new URL("../node_modules/.cache/tulle", import.meta.url));

function measured(cold: boolean): Times {
  if (cold) rmSync(bundles, { recursive: true, force: true });
  const printed = execFileSync(process.execPath, [fileURLToPath(import.meta.url), "--once"], {
    encoding: "utf8",
  });
  return JSON.parse(printed) as Times;
}

function print(name: string, all: readonly number[]): void {
  const cells = [0, 0.5, 1].map((share) => quantile(all, share).toFixed(0).padStart(8)).join("");
  console.log(`${name.padEnd(24)}${cells}`);
}

if (values.once) console.log(JSON.stringify(await once()));
else {
  measured(true);
  const rounds = Array.from({ length: Number(values.rounds) }, () =>
    shuffled([true, false]).map((cold) => ({ cold, ...measured(cold) })),
  ).flat();
  const of = (cold: boolean) => rounds.filter((round) => round.cold === cold);
  console.log(`a mesh of four services, milliseconds; ${values.rounds} rounds, each in a new process`);
  console.log(`${"".padEnd(24)}${["best", "median", "worst"].map((head) => head.padStart(8)).join("")}`);
  print(
    "start, cold",
    of(true).map(({ start }) => start),
  );
  print(
    "start, warm",
    of(false).map(({ start }) => start),
  );
  print(
    "start, second mesh",
    rounds.map(({ again }) => again),
  );
  print(
    "dispose",
    rounds.map(({ dispose }) => dispose),
  );
}
