import { type Answer, blankNotes, type Departure, type Message, type Noted } from "./foundation/exchange.ts";
import { header } from "./foundation/headers.ts";
import { journey, layer, type Step } from "./foundation/layer.ts";
import type { Clock } from "./foundation/ports.ts";
import { no } from "./foundation/result.ts";
import { meshTraffic } from "./policy/defaults.ts";
import type { LoadedDestination } from "./policy/loaded.ts";
import { admitted, type InFlight } from "./resilience/admitted.ts";
import { boundedDeparture } from "./resilience/bounded.ts";
import { formatRemaining } from "./resilience/deadline.ts";
import { after, discard } from "./resilience/limit.ts";
import type { TrafficSettings } from "./resilience/words.ts";
import type { Copy } from "./routing/mirrored.ts";
import { edgeOfCopy } from "./telemetry/ended-exchange.ts";
import type { TracedPorts } from "./telemetry/traced.ts";

/**
 * Copies under way from one isolate to one mirror; above it they are dropped. With `maxReplayBytes` as it is by
 * default a mirror that hangs holds 8 MiB of bodies, of the 128 MiB that an isolate has.
 */
export const mostCopies = 128;

/** How long a copy waits for the body of a request that has no limit of its own, milliseconds. */
const bodyPatienceMs = 60_000;

/** What is known of a copy, as of a try, when it is decided where it goes. */
export interface Underway extends Noted {
  readonly message: Message;
  readonly recipient: LoadedDestination;
  readonly signal: AbortSignal | undefined;
}

type Copying = Departure &
  Noted &
  Pick<Copy<LoadedDestination>, "recipient"> & {
    /** Whole; undefined where there is none to be had. */
    readonly body: Uint8Array | null | undefined;
    readonly traffic: TrafficSettings;
    readonly requestTimeoutMs: number;
  };

export interface CopiedPorts {
  readonly clock: Clock;
  readonly inFlight: InFlight;
  readonly tracing: Pick<TracedPorts, "instruments" | "workload">;
}

/**
 * Carries copies to their mirrors: one try each, within the mirror's own timeout, with neither credits nor budget
 * for another. The answer is let go of unread, and counts as one attempt at the mirror.
 *
 * Neither place nor limit begins before the body is here: whoever sends bodies slowly could otherwise take all places,
 * and the time, from copies of requests that he does not want to be seen.
 *
 * A copy that did not leave counts as `mirrors_dropped`. Never rejects.
 *
 * @param delivered the rest of the way, which copies share with tries: circuit, signature, wire
 */
export function copied(
  { clock, inFlight, tracing }: CopiedPorts,
  delivered: Step<Underway, Answer>,
): (copy: Copy<LoadedDestination>) => Promise<void> {
  const { instruments, workload } = tracing;
  const travel = journey<Copying, Answer>()
    // the body, as far as the request itself had one to give; 413 body-too-large
    .through(bodied())
    // a place among the copies under way to this mirror; 503 overloaded
    .through(admitted<Copying>({ clock, inFlight }, placeOf))
    // the mirror's own limit, whatever the request's is; 504 deadline-exceeded
    .through(boundedDeparture({ clock }))
    .to(delivered);

  return async (copy) => {
    const { recipient, ruleName } = copy;
    const backend = recipient.settings.key;
    const body = await wholeBody(copy, clock.now());
    const startedAt = clock.now();
    let answer: Answer;
    try {
      answer = await travel(copying(copy, body, startedAt));
    } catch (error) {
      answer = no({ kind: "internal", detail: error instanceof Error ? error.name : typeof error });
    }
    discard(answer);
    if (!leftUs(answer)) instruments.count("mirrors_dropped");
    const endedAt = clock.now();
    const ended = answer.ok
      ? { status: answer.value.status, refusal: undefined }
      : { status: undefined, refusal: answer.reason };
    instruments.edge(
      edgeOfCopy(workload, ruleName, { backend, startedAt, endedAt, ...ended }),
      endedAt - startedAt,
    );
  };
}

/** Places of copies are not those of requests: a mirror that hangs takes none away from them. */
const placeOf = ({ recipient }: Copying) => ({
  key: `copies to ${recipient.settings.key}`,
  limit: mostCopies,
});

/** The mirror's own limit for a copy, milliseconds. */
const limitOf = ({ settings }: LoadedDestination): number =>
  settings.traffic.timeoutMs || meshTraffic.timeoutMs;

/** What the request has read of its body, once that is all; undefined when it does not come while the request may last. */
function wholeBody(
  { body, recipient, deadlineAt }: Copy<LoadedDestination>,
  now: number,
): Uint8Array | null | Promise<Uint8Array | undefined> {
  if (!(body instanceof Promise)) return body;
  const lastsMs = deadlineAt === undefined ? bodyPatienceMs : deadlineAt - now;
  return new Promise((resolve) => {
    const callOff = after(Math.max(limitOf(recipient), lastsMs), () => resolve(undefined));
    body.then((whole) => {
      callOff();
      resolve(whole);
    });
  });
}

/** The copy as a departure of its own, which tells its mirror what it may still use: time, and no further tries. */
function copying(
  { message, recipient, cause, background }: Copy<LoadedDestination>,
  body: Copying["body"],
  startedAt: number,
): Copying {
  const { traffic } = recipient.settings;
  const limitMs = limitOf(recipient);
  const { headers } = message;
  headers.set(header.deadline, formatRemaining(limitMs));
  headers.set(header.credits, "0");
  headers.set(header.hops, String((cause?.hops ?? 0) + 1));
  return {
    message,
    body,
    recipient,
    traffic,
    requestTimeoutMs: limitMs,
    background,
    startedAt,
    notes: { ...blankNotes(), destination: recipient.settings.key, backend: recipient.settings.key },
    // Neither the caller's going away nor its deadline is the copy's.
    signal: undefined,
    cause: undefined,
  };
}

/** After this layer the message is whole. Refuses where its body is not to be had: `body-too-large`. */
const bodied = () =>
  layer<Pick<Copying, "message" | "body" | "traffic">, { readonly message: Message }, Answer>(
    "bodied",
    (next) => async (exchange) => {
      const { body } = exchange;
      if (body === undefined)
        return no({ kind: "body-too-large", limitBytes: exchange.traffic.retry.maxReplayBytes });
      return next({ ...exchange, message: { ...exchange.message, body } });
    },
  );

/** Whether a copy may have reached its mirror. */
function leftUs(answer: Answer): boolean {
  if (answer.ok) return true;
  const { reason } = answer;
  if (reason.kind === "answer-unverified") return true;
  return reason.kind === "deadline-exceeded" || (reason.kind === "unreachable" && reason.delivered);
}
