import type { Answer } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Clock } from "../foundation/ports.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { no } from "../foundation/result.ts";
import type { Admission, Identified, OneUse } from "./words.ts";

/** Asks whoever remembers proofs for the whole mesh; undefined where no answer comes within `limitMs`. */
export type AskAdmission = (proof: OneUse, limitMs: number) => Promise<Admission | undefined>;

export interface UnrepeatedPorts {
  /** Absent: nobody can be asked, and no proof that must be used once is admitted. */
  readonly askAdmission?: AskAdmission;
  readonly clock: Clock;
  /** Adds one to a named counter. */
  readonly count: (counter: string) => void;
}

/** How long an answer is waited for, milliseconds: a cold call into a Durable Object with room to spare. */
export const longestAskMs = 2_000;

/** Whether a text can name a memory of proofs. */
export const isWatch = (text: string): boolean => /^[A-Za-z0-9-]{1,64}$/.test(text);

/**
 * After this layer a proof that policy wants used once is used for the first time in the whole mesh. The last check
 * before the application: who is denied anyway costs no question.
 *
 * Closed in doubt: refuses with `unidentified` what was here before, and with `replay-undecided` what nobody can
 * tell of, within {@link longestAskMs} and the caller's deadline. Asks nothing for requests that policy does not
 * speak of, nor for callers that the platform vouches for: they bring nothing that could be sent again.
 */
export const unrepeated = (ports: UnrepeatedPorts) =>
  layer<Pick<Identified, "oneUse"> & { readonly deadlineAt: number | undefined }, object, Answer>(
    "unrepeated",
    (next) => (exchange) => {
      const { oneUse, deadlineAt } = exchange;
      if (oneUse === undefined) return next(exchange);
      return admission(oneUse, deadlineAt, ports).then((refusal) =>
        refusal === undefined ? next(exchange) : no(refusal),
      );
    },
  );

async function admission(
  oneUse: OneUse,
  deadlineAt: number | undefined,
  { askAdmission, clock, count }: UnrepeatedPorts,
): Promise<Refusal | undefined> {
  const leftMs = deadlineAt === undefined ? longestAskMs : deadlineAt - clock.now();
  const admitted = await askAdmission?.(oneUse, Math.min(longestAskMs, leftMs));
  const refusal = refusalOf(admitted);
  if (refusal?.kind === "replay-undecided") count("replays_undecided");
  return refusal;
}

function refusalOf(admitted: Admission | undefined): Refusal | undefined {
  switch (admitted?.verdict) {
    case "fresh":
      return undefined;
    case "repeated":
      return { kind: "unidentified", step: "replay", detail: "this nonce has been used in the mesh" };
    case "untimely":
      return { kind: "unidentified", step: "clock", detail: "the proof is not valid by control's clock" };
    case "unknown":
      return {
        kind: "replay-undecided",
        detail: "the proof was signed before the watch began that remembers proofs",
        ...(isWatch(admitted.watch) ? { watch: admitted.watch } : { retryAfterMs: 10_000 }),
      };
    case "full":
      return { ...undecided, detail: "too many proofs are remembered" };
    // No answer, or one that this runtime does not know.
    default:
      return { ...undecided, detail: "control did not answer whether this proof was used" };
  }
}

const undecided = { kind: "replay-undecided", retryAfterMs: 1_000 } as const;
