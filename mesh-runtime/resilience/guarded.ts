import { isWhole } from "../foundation/breaking-stream.ts";
import type { Answer, Message, Noted } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Clock } from "../foundation/ports.ts";
import { no } from "../foundation/result.ts";
import { type Acquired, askPatienceMs, type Permit } from "./circuit.ts";
import type { CircuitBook } from "./circuit-book.ts";
import { after, whenFired } from "./limit.ts";
import { outcomeOf, outcomeOfAbort } from "./outcome.ts";
import { fairMs } from "./patience.ts";
import type { CircuitAnswer, Outcome, TrafficSettings } from "./words.ts";

/** Asks the authority of a circuit for the permit to probe; `undefined` when it does not answer. */
export type AskPermit = (circuit: string) => Promise<CircuitAnswer | undefined>;

export interface GuardedPorts {
  readonly book: CircuitBook;
  readonly clock: Clock;
  readonly askPermit: AskPermit;
}

export interface Guarding extends Noted {
  readonly message: Pick<Message, "body">;
  readonly recipient: {
    readonly settings: {
      readonly key: string;
      readonly traffic: Pick<TrafficSettings, "circuit" | "timeoutMs" | "retry">;
      readonly stated?: readonly string[];
    };
  };
  readonly signal?: AbortSignal | undefined;
  /** Whether a caller gave so little time that its end says nothing about the backend. */
  readonly impatient?: boolean;
}

/**
 * After this layer the backend's circuit has let the attempt pass, and hears how it ended. Refuses with
 * `circuit-open`.
 *
 * An attempt that the circuit lets pass waits for nobody. One that it would refuse may ask the authority
 * whether it shall be the probe: once, for {@link askPatienceMs} at most, and not while another of this
 * isolate is asking. Silence is no permission: the attempt is refused, and the circuit is from then on
 * judged by this isolate alone.
 *
 * The outcome is settled when the answer's headers are here, or at the moment when the signal fires: what
 * runs after a torn-down request is not certain to run.
 *
 * A limit of time that ends while the body is still on its way says nothing about the destination: whoever
 * sends a body slower than that could otherwise have any circuit opened for everybody, from outside, with a
 * handful of connections. Nor does one that is shorter than the backend's policy allows (`patience.ts`), or the 504 of a backend that gave up on somebody else, where a caller had given so
 * little time that there was no other way.
 */
export const guarded = ({ book, clock, askPermit }: GuardedPorts) =>
  layer<Guarding, object, Answer>("guarded", (next) => async (exchange) => {
    const { settings } = exchange.recipient;
    const { key } = settings;
    const policy = settings.traffic.circuit;
    if (!policy.enabled) return next(exchange);

    const { signal, impatient = false } = exchange;
    const sentAt = clock.now();
    let acquired: Acquired = book.acquire(key, sentAt, policy);
    if (acquired.ask) acquired = await asked(acquired);
    const { permit } = acquired;
    if (permit === undefined) {
      return no({ kind: "circuit-open", circuit: key, retryAfterMs: Math.max(1, acquired.retryAfterMs) });
    }

    if (signal?.aborted) {
      // Gone while we asked: nothing was sent, so there is nothing to learn.
      book.settle(key, permit, "neutral", clock.now(), policy);
      return no({ kind: "cancelled" });
    }
    let settled = false;
    const settle = (outcome: Outcome): void => {
      if (settled) return;
      settled = true;
      book.settle(key, permit, outcome, clock.now(), policy);
    };
    const aborted = (fired: AbortSignal): Outcome =>
      isWhole(exchange.message.body) && clock.now() - sentAt >= fairMs(settings)
        ? outcomeOfAbort(fired)
        : "neutral";
    const callOff = signal === undefined ? undefined : whenFired(signal, () => settle(aborted(signal)));
    try {
      const answer = await next(exchange);
      const gaveUp = impatient && answer.ok && answer.value.status === 504;
      settle(signal?.aborted ? aborted(signal) : gaveUp ? "neutral" : outcomeOf(answer));
      return answer;
    } finally {
      // Only when something inside the mesh threw is it not settled yet: no fault of the destination.
      settle("neutral");
      callOff?.();
    }

    async function asked(before: Acquired): Promise<Acquired> {
      const answer = await withinPatience(askPermit(key));
      const now = clock.now();
      if (answer === undefined) {
        book.unanswered(key, now, policy);
        return book.acquire(key, now, policy);
      }
      book.learn(answer, now);
      const permit = probeOf(answer);
      if (permit !== undefined) return { ...before, ask: false, permit };
      return book.acquire(key, now, policy);
    }
  });

function probeOf({ permit, verdict }: CircuitAnswer): Permit | undefined {
  if (permit === undefined) return undefined;
  const { incarnation, epoch } = verdict;
  return { kind: "probe", id: permit.id, incarnation, epoch };
}

/** The answer, or `undefined` when it is not here in time or cannot be had. */
function withinPatience(asking: Promise<CircuitAnswer | undefined>): Promise<CircuitAnswer | undefined> {
  return new Promise((resolve) => {
    const callOff = after(askPatienceMs, () => resolve(undefined));
    const done = (answer: CircuitAnswer | undefined): void => {
      callOff();
      resolve(answer);
    };
    // An authority that breaks says as little as one that is silent.
    asking.then(done, () => done(undefined));
  });
}
