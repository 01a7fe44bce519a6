/**
 * Fuzzes the matcher with as many requests as one likes; `npm test` runs a short one.
 *
 *     node test/fuzz/matcher.ts [--runs 1000000] [--seed 1]
 */
import { parseArgs } from "node:util";
import { fuzzCrowds } from "./crowd-cases.ts";
import { fuzzMatcher } from "./matcher-cases.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } },
});
const runs = Number(values.runs);
/** Tables at once, so that it can be seen to go on. */
const tables = 1_000;

let seed = Number(values.seed);
for (let requests = 0; requests < runs; seed++) {
  requests += fuzzMatcher({ seed, runs: tables }).requests + fuzzCrowds({ seed, runs: tables / 10 }).requests;
  process.stdout.write(`\r${requests} requests, no difference`);
}
process.stdout.write("\n");
