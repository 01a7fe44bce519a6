import { authorized } from "./authorization/authorized.ts";
import type { Arrival } from "./foundation/exchange.ts";
import { journey, type Step } from "./foundation/layer.ts";
import type { Clock } from "./foundation/ports.ts";
import { rescued } from "./foundation/rescued.ts";
import { type Handle, handled, type Tell } from "./handled.ts";
import { heard } from "./heard.ts";
import { authenticated } from "./identity/authenticated.ts";
import { type IdentifiedPorts, identified } from "./identity/identified.ts";
import { type AskAdmission, unrepeated } from "./identity/unrepeated.ts";
import type { AuthenticatedPorts } from "./identity/user-judgement.ts";
import type { Loaded } from "./policy/loaded.ts";
import { admitted, type InFlight } from "./resilience/admitted.ts";
import { boundedArrival } from "./resilience/bounded.ts";
import { type TracedPorts, tracedArrival } from "./telemetry/traced.ts";

/** What is known when a request arrives. */
export type Arriving = Arrival & {
  /** The policy that this request keeps to its end, whatever is swapped in meanwhile. */
  readonly policy: Loaded;
  /** The application. */
  readonly handle: Handle;
};

export interface InboundPorts {
  readonly clock: Clock;
  readonly tracing: TracedPorts;
  readonly crashed: (error: unknown) => void;
  readonly identity: IdentifiedPorts;
  /** Keys of issuers, and tokens that were verified with them. */
  readonly users: AuthenticatedPorts;
  /** Takes the policy epoch that an identified caller knows, as its header has it. */
  readonly hear: (epoch: string | null) => void;
  /** Asks control whether a proof is used for the first time, where policy wants to know. */
  readonly askAdmission?: AskAdmission;
  readonly inFlight: InFlight;
  readonly tell: Tell;
}

/**
 * The journey of a request that arrives. Read it from the top: each line says what is true after it, and
 * what it answers when it refuses. Identity comes before admission, so that a limit can be per caller;
 * the application comes last, so that it runs only for callers that are known and allowed.
 */
export function inbound(ports: InboundPorts): Step<Arriving, Response> {
  return (
    journey<Arriving, Response>()
      // the caller's trace goes on; never refuses
      .through(tracedArrival(ports.tracing))
      // below here a refusal is a value; here it becomes a problem (RFC 9457)
      .through(rescued(ports.crashed))
      // who calls, verified; 400 unidentified, 413 body-too-large, 503 mesh-not-ready
      .through(identified(ports.identity))
      // a policy epoch that the caller knows and we do not is fetched in the background; never refuses
      .through(heard(ports.hear))
      // a place among the requests under way in this isolate; 503 overloaded
      .through(
        admitted<Arriving>(ports, (arriving) => ({
          key: "inbound",
          limit: arriving.policy.inbound.maxInFlight,
        })),
      )
      // for which end user, if policy says how its token is verified; 401 invalid-token, 503 keys-unavailable
      .through(authenticated(ports.users))
      // a rule allows it and none denies it; 403 denied
      .through(authorized(ports.identity))
      // what is left of the caller's deadline and credits; 504 deadline-exceeded, 508 too-many-hops
      .through(boundedArrival(ports))
      // used once in the whole mesh, if policy is strict about replays; 400 unidentified, 503 replay-undecided
      .through(unrepeated(unrepeatedPorts(ports)))
      // your handler; 500 handler-failed
      .to(handled(ports))
  );
}

const unrepeatedPorts = ({ askAdmission, clock, identity }: InboundPorts) => ({
  clock,
  count: identity.count,
  ...(askAdmission === undefined ? {} : { askAdmission }),
});
