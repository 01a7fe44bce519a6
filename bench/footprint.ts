/**
 * What the mesh adds to a worker's bundle, and to the memory of an isolate.
 *
 *     node bench/footprint.ts
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { runInWorkerd, type WorkerToRun } from "@tulle/mesh-runtime/testing";
import { bundle } from "../mesh-runtime/testing/bundle.ts";
import { textWorker } from "./support.ts";

const runtimeFile = fileURLToPath(import.meta.resolve("@tulle/mesh-runtime/cloudflare"));
const folder = fileURLToPath(new URL(".", import.meta.url));
const app = "{ fetch: () => new Response('hi') }";
const bare = `export default ${app};`;
const meshed = `import { mesh } from ${JSON.stringify(runtimeFile)}; export default mesh(${app});`;

async function sizes(): Promise<void> {
  const [without, withMesh] = await Promise.all(
    [bare, meshed].map((text) => bundle({ entry: { text, folder }, minify: true })),
  );
  const added = (measure: (text: string) => number): string =>
    `${((measure(withMesh ?? "") - measure(without ?? "")) / 1_024).toFixed(1)} KB`;
  console.log(`bundle, minified   ${added((text) => Buffer.byteLength(text))}`);
  console.log(`bundle, gzip       ${added((text) => gzipSync(text, { level: 9 }).byteLength)}`);
}

const copies = 20;

/** Resident memory of workerd with so many isolates of one worker, each called once, bytes. */
async function resident(text: string): Promise<number> {
  const workers = Array.from({ length: copies }, (_, index) => textWorker(`copy-${index}`, text));
  const callsAll = `export default { async fetch(request, env) {
    for (const copy of Object.values(env)) await (await copy.fetch(request.clone())).text();
    return new Response("called");
  } };`;
  const door: WorkerToRun = {
    ...textWorker("door", callsAll),
    services: Object.fromEntries(workers.map(({ config }) => [config.name, config.name])),
  };
  const before = new Set(workerds());
  const runtime = await runInWorkerd([door, ...workers], { onLog: () => undefined });
  try {
    for (let round = 0; round < 5; round++) await (await runtime.dispatchFetch("http://door/")).text();
    const own = workerds().filter((pid) => !before.has(pid));
    return Math.max(...own.map(residentOf));
  } finally {
    await runtime.dispose();
  }
}

const workerds = (): readonly string[] =>
  execFileSync("ps", ["-eo", "pid=,comm="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const [pid, name] = line.trim().split(/\s+/);
      return name === "workerd" && pid !== undefined ? [pid] : [];
    });

function residentOf(pid: string): number {
  const [, kilobytes = "0"] = /VmRSS:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1_024;
}

await sizes();
const [first, second, withMesh] = [await resident(bare), await resident(bare), await resident(meshed)];
const perIsolate = (bytes: number): string => `${(bytes / copies / 1_024).toFixed(0)} KB`;
console.log(
  `memory per isolate ${perIsolate(withMesh - first)} (the same worker twice differs by ${perIsolate(second - first)})`,
);
