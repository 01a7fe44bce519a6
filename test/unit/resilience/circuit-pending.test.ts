import { expect, test } from "vitest";
import type { Permit } from "../../../mesh-runtime/resilience/circuit.ts";
import {
  bare,
  count,
  countProbe,
  isPending,
  nothingPending,
  putBack,
  sentAgain,
  takeOut,
} from "../../../mesh-runtime/resilience/circuit-pending.ts";

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

const key = "shop/pay";
const pass: Permit = { kind: "pass", era: 0, incarnation: 1, epoch: 2 };
const probe = (id: string) => ({ kind: "probe", id, incarnation: 1, epoch: 2 }) as const;
const named = (ids: readonly number[]) => ids.map((id) => expect.objectContaining({ probe: told(id) }));
const told = (id: number) => ({ permit: `p${id}`, outcome: "failure" });

test("outcomes of probes are kept of the last six, those that come back included", () => {
  const pending = nothingPending();
  for (let id = 0; id < 8; id++) countProbe(pending, key, probe(`p${id}`), "failure");
  const reports = takeOut(pending, key, 0);
  expect(reports).toEqual(named([2, 3, 4, 5, 6, 7]));
  countProbe(pending, key, probe("p8"), "failure");
  for (const report of reports) putBack(pending, report, 0);
  expect(takeOut(pending, key, 0)).toHaveLength(6);
});

test("a question that comes back leaves nothing to count", () => {
  const pending = nothingPending();
  putBack(pending, bare(key, 1, 2), 0);
  expect(isPending(pending)).toBe(false);
});

test("counts are as old as the oldest of them, in whatever order they come", () => {
  const lateFirst = nothingPending();
  count(lateFirst, pass, "failure", true, 4_000);
  putBack(lateFirst, { ...bare(key, 1, 2), failure: 1, evidence: true }, 0);
  const lateLast = nothingPending();
  count(lateLast, pass, "failure", true, 0);
  count(lateLast, pass, "failure", true, 4_000);
  const expected = (evidence: boolean) => [{ ...bare(key, 1, 2), failure: 2, evidence }];
  expect([lateFirst, lateLast].map((one) => takeOut(structuredClone(one), key, 5_000))).toEqual([
    expected(true),
    expected(true),
  ]);
  expect([lateFirst, lateLast].map((one) => takeOut(one, key, 5_001))).toEqual([
    expected(false),
    expected(false),
  ]);
});
