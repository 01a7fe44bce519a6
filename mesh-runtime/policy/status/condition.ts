import type { Condition, Observed, Verdict } from "./words.ts";

/** A condition that is as it should be, or says what it is. */
export const holds = (type: string, reason: string = type, message = ""): Verdict => ({
  type,
  status: "True",
  reason,
  message,
});

/** A condition that is not met, and why. */
export const fails = (type: string, reason: string, message: string): Verdict => ({
  type,
  status: "False",
  reason,
  message,
});

/** Verdicts as conditions of one text of a document. */
export const conditionsOf = (
  verdicts: readonly Verdict[],
  { generation, at }: Observed,
): readonly Condition[] =>
  verdicts.map((verdict) => ({ ...verdict, observedGeneration: generation, lastTransitionTime: at }));
