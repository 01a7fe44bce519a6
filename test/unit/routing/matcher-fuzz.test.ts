import { expect, test } from "vitest";
import { fuzzCrowds } from "../../fuzz/crowd-cases.ts";
import { fuzzMatcher } from "../../fuzz/matcher-cases.ts";

test("the table, the definition and a plain reference agree on whatever arrives, and none of them throws", () => {
  const { requests, decided } = fuzzMatcher({ seed: 22, runs: 1_500 });
  expect(requests).toBeGreaterThan(4_000);
  for (const type of ["Exact", "PathPrefix", "RegularExpression", "none"])
    expect(decided[type], JSON.stringify(decided)).toBeGreaterThan(100);
});

test("they agree where many rules of one shape share a path, whatever the automata have learned or forgotten", () => {
  const { requests, decided } = fuzzCrowds({ seed: 22, runs: 40 });
  expect(requests).toBeGreaterThan(300);
  for (const type of ["PathPrefix", "RegularExpression", "none"])
    expect(decided[type], JSON.stringify(decided)).toBeGreaterThan(20);
});
