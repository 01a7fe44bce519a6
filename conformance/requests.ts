import { once } from "./exchange.ts";
import { eventually, repeatedly } from "./failure.ts";
import type { Step } from "./format.ts";
import { mirrored } from "./mirrors.ts";
import type { Running } from "./running.ts";

/** Successes in a row that upstream asks for before it believes one. */
const successesInARow = 3;

/** Sends the request of a step until it is answered as it must be, and does so again. */
export async function request(run: Running, step: Step): Promise<void> {
  await eventually(run.patienceMs, async () => {
    await once(run, step);
    await repeatedly(successesInARow - 1, successesInARow - 1, () => once(run, step));
  });
  if (concerns(step, "mirroredTo")) await mirrored(run, step);
}

const concerns = ({ expect = {}, upstream }: Step, field: keyof NonNullable<Step["expect"]>): boolean =>
  expect[field] !== undefined &&
  (upstream?.asserts === undefined || upstream.asserts.includes(String(field)));
