import { latencyBoundsMs } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import type { Env } from "../env.ts";
import { policyStore, serviceObject } from "../objects.ts";
import { longestWindowMs } from "../services/golden-signals.ts";
import type { ServiceTelling } from "../services/service-object.ts";
import { inTurns } from "../turns.ts";
import type { ServicesAnswer } from "./contract.ts";
import { type Handlers, wholeInQuery } from "./handler.ts";

/** Window where none is asked for, milliseconds. */
const defaultWindowMs = 60_000;

/** Golden signals and circuits of all services. */
export const services: Handlers<"GET /api/services"> = {
  "GET /api/services": async (context) => {
    const asked = wholeInQuery(context, "windowMs");
    if (asked instanceof Response) return asked;
    const windowMs = windowOf(asked);
    const tellings = await askServices(context.env, (service) =>
      serviceObject(context.env, service).recent(windowMs),
    );
    const answer: ServicesAnswer = {
      windowMs,
      edges: tellings.flatMap(({ telling }) => telling.edges),
      circuits: tellings.flatMap(({ telling }) => (telling.circuit === undefined ? [] : [telling.circuit])),
      latencyBoundsMs,
    };
    return context.json(answer);
  },
};

/** The window that is told of: what was asked for, as far as is remembered. Milliseconds. */
export const windowOf = (asked: number | undefined): number =>
  Math.min(Math.max(asked ?? defaultWindowMs, 1_000), longestWindowMs);

/** Asks every service's object. One that does not answer is left out: the others' numbers are still true. */
export async function askServices(
  env: Env,
  ask: (service: string) => Promise<ServiceTelling>,
): Promise<{ readonly service: string; readonly virtual: boolean; readonly telling: ServiceTelling }[]> {
  const { services: known = [] } = await policyStore(env).view(-1);
  const answers = await inTurns(known, async ({ service, virtual }) => {
    try {
      return [{ service, virtual, telling: await ask(service) }];
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown reason";
      console.warn(`control: the object of ${service} did not answer: ${reason}`);
      return [];
    }
  });
  return answers.flat();
}
