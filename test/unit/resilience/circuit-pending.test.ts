import { expect, test } from "vitest";
import { bare, sentAgain } from "../../../mesh-runtime/resilience/circuit-pending.ts";

const reports = [
  { ...bare("shop/pay", 1, 2), failure: 9, evidence: true },
  { ...bare("shop/pay", 1, 2), probe: { permit: "2.1", outcome: "success" as const } },
];

test("a report that is sent again at once is what it was", () => {
  expect(sentAgain(reports, 0)).toEqual(reports);
  expect(sentAgain(reports, 5_000)).toEqual(reports);
});

test("a report that is sent again late still counts, and is no evidence: the authority would take it for now", () => {
  const [counts, probe] = reports;
  expect(sentAgain(reports, 5_001)).toEqual([{ ...counts, evidence: false }, probe]);
});
