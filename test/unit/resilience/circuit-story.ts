import {
  type Acquired,
  acquire,
  type Circuit,
  freshCircuit,
  merge,
  type Permit,
  settle,
  unanswered,
} from "../../../mesh-runtime/resilience/circuit.ts";
import type { Outcome, Verdict } from "../../../mesh-runtime/resilience/words.ts";
import { circuitPolicy as policy } from "./examples.ts";

const still = () => 0;

/** A closed verdict; each case changes what it is about. */
export const verdict = (changed: Partial<Verdict> = {}): Verdict => ({
  circuit: "default/payments",
  incarnation: 1,
  epoch: 2,
  state: "closed",
  ageMs: 0,
  ...changed,
});
export const openVerdict = (changed: Partial<Verdict> = {}) =>
  verdict({ state: "open", probeInMs: 1_000, ...changed });

/** Follows one circuit through a story. */
export function story(start: Circuit = freshCircuit(), random = still) {
  let circuit = start;
  return {
    at: () => circuit,
    ask(now: number): Acquired {
      const acquired = acquire(circuit, now, policy, random);
      circuit = acquired.circuit;
      return acquired;
    },
    end(permit: Permit | undefined, outcome: Outcome, now: number) {
      if (permit === undefined) throw new Error("there was no permit");
      circuit = settle(circuit, permit, outcome, now, policy, random);
    },
    /** One request that passes and ends at once. */
    send(outcome: Outcome, now: number) {
      this.end(this.ask(now).permit, outcome, now);
    },
    hear(come: Verdict, now: number, direct = true) {
      circuit = merge(circuit, come, now, direct);
    },
    silence(now: number) {
      circuit = unanswered(circuit, now, policy, random);
    },
    passes(now: number): boolean {
      return acquire(circuit, now, policy, random).permit !== undefined;
    },
  };
}

/** A circuit that its own failures opened at 1,000, until 2,000. */
export function tripped() {
  const it = story();
  for (const now of [0, 250, 500, 750, 1_000]) it.send("failure", now);
  return it;
}
