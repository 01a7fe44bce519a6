import { expect, test } from "vitest";
import { held, told } from "../../../mesh-runtime/resilience/circuit-verdict.ts";
import type { Verdict } from "../../../mesh-runtime/resilience/words.ts";

const said = { circuit: "shop/pay", incarnation: 1, epoch: 2, ageMs: 100 };

test.each<Verdict>([
  { ...said, state: "closed" },
  { ...said, state: "open", probeInMs: 900 },
  { ...said, state: "half-open", probeInMs: 0 },
  { ...said, state: "ramp", rampElapsedMs: 1_000, rampMs: 5_000 },
])("a verdict ($state) is passed on as it was said, older by the time that it was kept", (verdict) => {
  expect(told("shop/pay", held(verdict, 10_000, true), 10_250)).toEqual({ ...verdict, ageMs: 350 });
});
