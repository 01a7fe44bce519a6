import { Sessions } from "../../../mesh-runtime/identity/sessions.ts";
import type { OutboundPorts } from "../../../mesh-runtime/outbound.ts";
import type { Loaded } from "../../../mesh-runtime/policy/loaded.ts";
import { InFlight } from "../../../mesh-runtime/resilience/admitted.ts";
import { CircuitBook } from "../../../mesh-runtime/resilience/circuit-book.ts";
import { RetryBudgets } from "../../../mesh-runtime/resilience/retried.ts";
import { EndpointLoads } from "../../../mesh-runtime/routing/balancing/endpoint-loads.ts";
import { Instruments } from "../../../mesh-runtime/telemetry/instruments.ts";
import { users } from "../identity/users.ts";

/**
 * What the outbound journey of one workload asks for where a test is about something else: an isolate that has seen
 * nothing yet, waits for nothing, writes nothing down, and hears nothing. A layer that throws fails the test.
 *
 * @param given in the place of the quiet ones; a clock, a credential and a transport there are none of
 */
export function quietPorts(
  loaded: Loaded,
  given: Pick<OutboundPorts, "clock" | "credential" | "transport"> & Partial<OutboundPorts>,
): OutboundPorts {
  const { clock, random = () => 0 } = given;
  return {
    random,
    wait: async () => undefined,
    tracing: {
      clock,
      ids: { traceId: () => "a".repeat(32), spanId: () => "b".repeat(16) },
      instruments: new Instruments(),
      workload: loaded.snapshot.workload,
      settings: () => ({ ...loaded.snapshot.telemetry, accessLog: false }),
      epoch: () => 1,
      log: () => undefined,
    },
    crashed: (error) => {
      throw error;
    },
    inFlight: new InFlight(),
    budgets: new RetryBudgets(random),
    book: new CircuitBook(random),
    askPermit: async () => undefined,
    loads: new EndpointLoads(random),
    here: () => undefined,
    users: users().ports,
    nonce: () => "nonce",
    sessions: new Sessions(),
    hear: () => undefined,
    ...given,
  };
}
