import {
  type Agreement,
  freshAgreement,
  persistable,
  type Received,
  type ReceivedReport,
  receive,
  revive,
} from "../../../control/services/agreement.ts";
import type { CircuitState, Outcome } from "../../../mesh-runtime/resilience/words.ts";
import { circuitPolicy as policy } from "../resilience/examples.ts";

export const circuit = "default/payments";
/** Draws that are always in the middle. */
export const even = () => 0.5;

/** Follows one agreement through a story. Reports carry the epoch in force unless told otherwise. */
export function story(start: Agreement = freshAgreement(circuit, 1_000, 0), random = even) {
  let agreement = start;
  let serial = 0;
  const transitions: CircuitState[] = [];
  const it = {
    at: () => agreement,
    transitions,
    report(now: number, changed: Partial<ReceivedReport> = {}): Received {
      serial += 1;
      const { incarnation, epoch } = agreement;
      const report: ReceivedReport = {
        circuit,
        success: 0,
        failure: 0,
        overload: 0,
        evidence: true,
        incarnation,
        epoch,
        isolate: "isolate-1",
        reportId: `report-${serial}`,
        ...changed,
      };
      const received = receive(agreement, report, now, policy, random);
      agreement = received.agreement;
      if (received.transition) transitions.push(received.transition.to);
      return received;
    },
    ask: (now: number) => it.report(now, { ask: true }).answer.permit,
    /** The outcome of a probe. */
    result: (now: number, permit: string, outcome: Outcome) => it.report(now, { probe: { permit, outcome } }),
    evict(now: number) {
      agreement = revive(JSON.parse(JSON.stringify(persistable(agreement))), circuit, 9_999, now);
    },
  };
  return it;
}

/** A circuit that failures opened at 1,000; its probe is due at 2,000. */
export function opened() {
  const it = story();
  for (const now of [0, 500]) it.report(now, { success: 10 });
  it.report(1_000, { failure: 30 });
  return it;
}

/** Lets three probes succeed from `now` on, 100 ms apart. */
export function mend(it: ReturnType<typeof story>, now: number): void {
  for (let i = 0; i < 3; i++) it.result(now + i * 100 + 50, it.ask(now + i * 100)?.id ?? "", "success");
}
