/**
 * All benches, one after the other: together they would disturb each other.
 *
 *     npm run bench                 all
 *     npm run bench -- hop start    these
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const benches = ["hop", "proof", "footprint", "route-match", "route-work", "load", "start"] as const;

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !benches.some((bench) => bench === name));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(", ")}; there are ${benches.join(", ")}`);
  process.exit(2);
}

for (const name of benches.filter((bench) => asked.length === 0 || asked.includes(bench))) {
  console.log(`\n${name}\n${"─".repeat(name.length)}`);
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const [code] = (await once(spawn(process.execPath, [file], { stdio: "inherit" }), "exit")) as [
    number | null,
  ];
  // The others say something all the same.
  if (code !== 0) process.exitCode = 1;
}
