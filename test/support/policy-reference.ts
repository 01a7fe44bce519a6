import { writeFileSync } from "node:fs";
import { policyReference } from "../../mesh-runtime/policy/reference.ts";

/** Where the reference stands. */
export const referenceFile = new URL("../../docs/policy-reference.md", import.meta.url);

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(referenceFile, policyReference());
  console.log("docs/policy-reference.md is made anew");
}
