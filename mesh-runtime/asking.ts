import type { Admission, OneUse } from "./identity/words.ts";
import type { Member } from "./member.ts";
import type { CircuitAnswer } from "./resilience/words.ts";
import { type ControlPort, contractVersion, type ReportRequest } from "./workload-contract.ts";

/** How long control is waited for where nothing else is said, milliseconds: a cold call into a Durable Object with room to spare. */
export const answerTimeoutMs = 5_000;

/** Resolves after `ms`; rejects when the signal fires. */
type Wait = (ms: number, signal?: AbortSignal) => Promise<void>;

/** An answer within a limit of time, or undefined, whatever went wrong; `failed` is told what. */
export type Answered = <Answer>(
  asked: Promise<Answer>,
  failed?: (error: unknown) => void,
  limitMs?: number,
) => Promise<Answer | undefined>;

/** Bounds whatever control is asked: one that cannot be reached costs freshness, never a request. */
export const answeredWithin =
  (wait: Wait): Answered =>
  async (asked, failed = () => undefined, limitMs = answerTimeoutMs) => {
    const end = new AbortController();
    const tooLate = wait(limitMs, end.signal).then(
      () => undefined,
      () => undefined,
    );
    try {
      return await Promise.race([asked, tooLate]);
    } catch (error) {
      // Whatever broke between us and control, the caller treats it as silence and counts it.
      failed(error);
      return undefined;
    } finally {
      end.abort();
    }
  };

export interface AskingPorts {
  readonly control: ControlPort | undefined;
  readonly answered: Answered;
  readonly member: () => Member | undefined;
  /** A report that says no more than who speaks and what runs here. */
  readonly emptyReport: (from: Member) => ReportRequest;
}

/** What a request may have to ask control on its way, each bounded, so that the request is not held up. */
export interface Asking {
  /** Asks the authority of one circuit for the permit to probe. */
  askPermit(circuit: string): Promise<CircuitAnswer | undefined>;
  /** Whether a proof is used for the first time in the whole mesh; undefined where control does not say so in time. */
  askAdmission(proof: OneUse, limitMs: number): Promise<Admission | undefined>;
}

export function asking({ control, answered, member, emptyReport }: AskingPorts): Asking {
  return {
    async askPermit(circuit) {
      const from = member();
      if (control === undefined || from === undefined) return undefined;
      const nothingToTell = {
        success: 0,
        failure: 0,
        overload: 0,
        evidence: false,
        incarnation: 0,
        epoch: 0,
      };
      const ask = { circuit, ...nothingToTell, ask: true };
      const answer = await answered(control.report({ ...emptyReport(from), circuits: [ask] }));
      return answer?.ok ? answer.circuits.find((each) => each.verdict.circuit === circuit) : undefined;
    },

    async askAdmission(proof, limitMs) {
      const from = member();
      if (control === undefined || from === undefined) return undefined;
      const { workload } = from.loaded.snapshot;
      const request = { version: contractVersion, workload, ...proof };
      const answer = await answered(control.admit(request), undefined, limitMs);
      return answer?.ok ? answer : undefined;
    },
  };
}
