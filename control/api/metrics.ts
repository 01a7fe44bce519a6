import type { Env } from "../env.ts";
import { issuer, policyStore, serviceObject } from "../objects.ts";
import { type MeshMetrics, prometheusContentType, renderMetrics } from "../services/prometheus.ts";
import type { Handlers } from "./handler.ts";
import { askServices } from "./services.ts";

/** The mesh as Prometheus reads it. Behind a token as well: who calls whom is nobody else's business. */
export const metrics: Handlers<"GET /metrics"> = {
  "GET /metrics": async (context) => {
    const { env } = context;
    const [{ epoch }, refused, tellings] = await Promise.all([
      policyStore(env).view(-1),
      policyStore(env).refused(),
      askServices(env, (service) => serviceObject(env, service).sinceBeginning()),
    ]);
    // A map: workloads choose the names, and an object answers to "constructor" before anybody has counted it.
    const events = new Map<string, number>();
    for (const { telling } of tellings) {
      for (const [name, count] of Object.entries(telling.events))
        events.set(name, (events.get(name) ?? 0) + count);
    }
    const text = renderMetrics({
      epoch,
      refused: refused.length,
      events: Object.fromEntries(events),
      federations: await federationsOf(env),
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

async function federationsOf(env: Env): Promise<NonNullable<MeshMetrics["federations"]>> {
  try {
    const now = Date.now();
    const all = await issuer(env).federations();
    return all.map(({ trustDomain, held, failures }) => ({
      trustDomain,
      ageMs: held && Math.max(0, now - held.seenAt),
      failures,
    }));
  } catch {
    // An issuer that does not answer must not cost the scraper everything else.
    return [];
  }
}
