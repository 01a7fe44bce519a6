import { policyStore, serviceObject } from "../objects.ts";
import { prometheusContentType, renderMetrics } from "../services/prometheus.ts";
import type { Handlers } from "./handler.ts";
import { askServices } from "./services.ts";

/** The mesh as Prometheus reads it. Behind a token as well: who calls whom is nobody else's business. */
export const metrics: Handlers<"GET /metrics"> = {
  "GET /metrics": async (context) => {
    const { env } = context;
    const [{ epoch }, tellings] = await Promise.all([
      policyStore(env).view(-1),
      askServices(env, (service) => serviceObject(env, service).sinceBeginning()),
    ]);
    const events: Record<string, number> = {};
    for (const { telling } of tellings) {
      for (const [name, count] of Object.entries(telling.events)) events[name] = (events[name] ?? 0) + count;
    }
    const text = renderMetrics({
      epoch,
      events,
      edges: tellings.flatMap(({ telling }) => telling.edges),
      circuits: tellings.flatMap(({ telling }) => (telling.circuit === undefined ? [] : [telling.circuit])),
      services: tellings
        .filter(({ virtual }) => !virtual)
        .map(({ service, telling: { seen } }) => ({
          service,
          isolates: seen.isolates,
          epoch: seen.oldestEpoch,
        })),
    });
    return new Response(text, {
      headers: { "content-type": prometheusContentType, "cache-control": "no-store" },
    });
  },
};
