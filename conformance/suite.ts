import { type Outcome, runCase } from "./case.ts";
import type { Suite } from "./format.ts";
import { ConformanceMesh } from "./mesh.ts";

export interface RunOptions {
  /** Told of each case as it ends. */
  readonly onOutcome?: (outcome: Outcome) => void;
  /** Where lines that workers log go. @default nowhere */
  readonly onLog?: (line: string) => void;
}

/** Runs the cases of a suite, one after the other, in one mesh. @throws Refused when control does not take the base */
export async function runSuite(
  suite: Suite,
  { onOutcome, onLog }: RunOptions = {},
): Promise<readonly Outcome[]> {
  await using mesh = await ConformanceMesh.start(suite, onLog);
  const outcomes: Outcome[] = [];
  for (const test of suite.cases) {
    const outcome = await runCase(mesh, test, suite);
    onOutcome?.(outcome);
    outcomes.push(outcome);
  }
  return outcomes;
}
