import { type Outcome, runCase } from "./case.ts";
import { defaultPatienceMs } from "./failure.ts";
import type { Suite } from "./format.ts";
import { ConformanceMesh } from "./mesh.ts";

export interface RunOptions {
  /** Told of each case as it ends. */
  readonly onOutcome?: (outcome: Outcome) => void;
  /** Told of each document of the base that control does not take. @default it is thrown */
  readonly onBaseRefused?: (message: string) => void;
  /** Where lines that workers log go. @default nowhere */
  readonly onLog?: (line: string) => void;
  /** How long a step waits for what comes about in the end, milliseconds. @default {5_000} */
  readonly patienceMs?: number;
}

/**
 * Runs the cases of a suite, one after the other, in one mesh.
 * @throws Refused when control does not take the base and nobody is told
 */
export async function runSuite(suite: Suite, options: RunOptions = {}): Promise<readonly Outcome[]> {
  await using mesh = await ConformanceMesh.start(suite, options);
  const outcomes: Outcome[] = [];
  for (const test of suite.cases) {
    const outcome = await runCase(mesh, test, suite, options.patienceMs ?? defaultPatienceMs);
    options.onOutcome?.(outcome);
    outcomes.push(outcome);
  }
  return outcomes;
}
