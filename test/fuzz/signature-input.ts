/**
 * Fuzzes the readers of a proof's headers with as many inputs as one likes, beside a reader of all of RFC 9651;
 * `npm test` runs a short one.
 *
 *     node test/fuzz/signature-input.ts [--runs 1000000] [--seed 1]
 */
import { parseArgs } from "node:util";
import { fuzzSignatureInput } from "./signature-input-cases.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } },
});
const runs = Number(values.runs);
/** Inputs at once, so that it can be seen to go on. */
const atOnce = 20_000;

const taken: Record<string, number> = {};
let seed = Number(values.seed);
for (let inputs = 0; inputs < runs; seed++) {
  const tally = fuzzSignatureInput({ seed, runs: Math.min(atOnce, runs - inputs) });
  inputs += tally.inputs;
  for (const [reader, count] of Object.entries(tally.taken)) taken[reader] = (taken[reader] ?? 0) + count;
  process.stdout.write(`\r${inputs} inputs, no difference; taken: ${JSON.stringify(taken)}`);
}
process.stdout.write("\n");
