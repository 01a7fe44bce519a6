import { authorizedEntry } from "./authorization/authorized.ts";
import type { Decide } from "./authorization/decide.ts";
import { copied, type Underway } from "./copied.ts";
import type { Answer, Departure, Noted } from "./foundation/exchange.ts";
import { journey, type Step } from "./foundation/layer.ts";
import type { Clock, Random, Transport } from "./foundation/ports.ts";
import { rescued } from "./foundation/rescued.ts";
import { governed } from "./governed.ts";
import { authenticatedEntry } from "./identity/authenticated.ts";
import type { BelievedPorts } from "./identity/believed.ts";
import type { Authenticated, TokenRules } from "./identity/end-user.ts";
import type { Sessions } from "./identity/sessions.ts";
import { type SignedPorts, signed } from "./identity/signed.ts";
import type { AuthenticatedPorts } from "./identity/user-judgement.ts";
import { placesOf } from "./policy/governing.ts";
import type { Loaded, LoadedDestination, LoadedRecipient } from "./policy/loaded.ts";
import { admitted, type InFlight } from "./resilience/admitted.ts";
import { boundedDeparture } from "./resilience/bounded.ts";
import { budgeted } from "./resilience/budgeted.ts";
import type { CircuitBook } from "./resilience/circuit-book.ts";
import { type AskPermit, guarded } from "./resilience/guarded.ts";
import { type RetryBudgets, retried, type Wait } from "./resilience/retried.ts";
import type { TrafficSettings } from "./resilience/words.ts";
import { balanced } from "./routing/balanced.ts";
import type { EndpointLoads } from "./routing/balancing/endpoint-loads.ts";
import { located } from "./routing/located.ts";
import { mirrored } from "./routing/mirrored.ts";
import { persisted } from "./routing/persisted.ts";
import { preflighted, refusedAtEntry } from "./routing/preflighted.ts";
import { routed } from "./routing/routed.ts";
import type { Here, Target } from "./routing/words.ts";
import { type TracedPorts, tracedDeparture } from "./telemetry/traced.ts";
import { type Hear, transported } from "./transported.ts";

/** What is known when a request begins to leave. */
export type Leaving = Departure & {
  /** Where it is addressed, and the routes that are attached there. */
  readonly target: Target;
  /** The settings of that destination: timeouts, retries, limits. */
  readonly traffic: TrafficSettings;
  /** The policy that this request keeps to its end, whatever is swapped in meanwhile. */
  readonly policy: Loaded;
  /** The rules for requests from outside, if it is one and there are any. */
  readonly entry?: Decide | undefined;
  /** How the tokens of its end user are verified, if it is from outside and policy says so. */
  readonly entryUsers?: TokenRules | undefined;
};

/** All effects and all memory that the journey has. Everything else in it is judgement. */
export interface OutboundPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** The pause between two tries. */
  readonly wait: Wait;
  /** Where spans and counts go. */
  readonly tracing: TracedPorts;
  /** Told of what a layer threw, which none should. */
  readonly crashed: (error: unknown) => void;
  /** This isolate's requests under way, by destination. */
  readonly inFlight: InFlight;
  /** What this isolate may still spend on retries, by destination. */
  readonly budgets: RetryBudgets;
  /** This isolate's circuits. */
  readonly book: CircuitBook;
  /** Asks the control plane for the permit to probe, where a circuit is half-open. */
  readonly askPermit: AskPermit;
  /** What this isolate knows of the endpoints of destinations that have several. */
  readonly loads: EndpointLoads;
  /** Where this isolate runs, as far as it knows. */
  readonly here: () => Here | undefined;
  /** Keys of issuers, and tokens of end users that were verified with them. */
  readonly users: AuthenticatedPorts;
  readonly credential: SignedPorts["credential"];
  readonly answers?: BelievedPorts;
  readonly nonce: () => string;
  /** What this isolate has agreed with destinations, for proofs that cost less than a signature. */
  readonly sessions: Sessions;
  /** Service bindings and HTTPS. */
  readonly transport: Transport;
  /** Takes what an answer tells of the mesh: a newer policy, circuits that are not closed. */
  readonly hear: Hear;
}

/**
 * The journey of a request that leaves. Read it from the top: each line says what is true after it, and
 * what it answers when it refuses. The compiler holds the order, because every layer states what it needs.
 * Each layer is in a file of its name (see the imports). Not said in each line: whoever waits for something answers
 * 499 cancelled when the caller has gone.
 *
 * Why this order: retry is outside balance and circuit, so that a second try may go elsewhere and every
 * try is judged; the deadline is outside retry, so that all tries share one budget; signing is inside
 * retry, because a proof is never used twice. Copies are made once, whatever is tried how often, and of
 * nothing that is refused for want of a place.
 */
export function outbound(ports: OutboundPorts): Step<Leaving, Response> {
  const { random, tracing, users } = ports;
  const { instruments } = tracing;
  const carry = copied(ports, delivered(ports));
  return (
    journey<Leaving, Response>()
      // one trace over every hop, without the application's help; never refuses
      .through(tracedDeparture(ports.tracing))
      // below here a refusal is a value; here it becomes a problem (RFC 9457)
      .through(rescued(ports.crashed))
      // from outside: a preflight is told what its route says of CORS, whoever asks; never refuses
      .through(preflighted())
      // from outside: for which end user, if policy says how its token is verified; 401 invalid-token, 503 keys-unavailable
      .through(authenticatedEntry<Leaving & Noted>({ ...users, refuse: refusedAtEntry }))
      // from outside: the gateway's rules let it in; 403 denied. Before routes, which could change what is judged
      .through(
        authorizedEntry<Leaving & Noted & Authenticated>({
          count: (counter) => instruments.count(counter),
          refuse: refusedAtEntry,
        }),
      )
      // the rule that wins and its backends; 404 no-route, 500 no-backend; redirects and preflights are answered here
      .through(routed())
      // whose settings hold: of whom it was addressed to, or of the rule's backends; never refuses
      .through(governed())
      // one deadline for all tries; 504 deadline-exceeded
      .through(boundedDeparture(ports))
      // a place among the requests under way to this destination; 503 overloaded
      .through(admitted(ports, limitOf))
      // the rule's mirrors have been sent their copies, by a journey of their own; never refuses
      .through(mirrored({ random, carry, dropped: () => instruments.count("mirrors_dropped") }))
      // where the requests of its session went before, if the rule keeps sessions (GEP-1619); never refuses
      .through(persisted(ports))
      // further tries, where another try is safe and budget and credits allow; passes on the last answer
      .through(retried(ports))
      // one backend by weight; 500 no-backend
      .through(balanced<LoadedDestination>(ports))
      // a place among the requests under way to the backend, where its policy counts them; 503 overloaded
      .through(admitted(ports, placesOfBackend))
      // a first try, or a retry within the budget that the backend's document gives; 503 overloaded
      .through(budgeted(ports))
      // and the rest of the way
      .to(delivered(ports))
  );
}

/** The way from a chosen backend to the wire, which every try goes, and every copy to a mirror. */
function delivered(ports: OutboundPorts): Step<Underway, Answer> {
  return (
    journey<Underway, Answer>()
      // the backend's circuit lets it pass; 503 circuit-open
      .through(guarded(ports))
      // one endpoint, if the backend has several: after the circuit, which is the whole backend's, so that what it
      // refuses counts at none of them; never refuses
      .through(located<LoadedDestination>(ports))
      // our credential and a fresh proof, and one of the answer if its document says so; 503 mesh-not-ready,
      // 413 body-too-large, 502 answer-unverified
      .through(signed({ ...ports, count: (counter) => ports.tracing.instruments.count(counter) }))
      // one try on the wire; 503 unreachable
      .to(transported(ports))
  );
}

const limitOf = (leaving: Leaving) => ({
  key: leaving.target.destination,
  limit: leaving.traffic.maxInFlight,
});

const placesOfBackend = ({
  recipient,
  target,
}: {
  readonly recipient: LoadedRecipient;
  readonly target: Target;
}) => placesOf(recipient.settings, target.destination);
