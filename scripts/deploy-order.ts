/** A worker, as far as the order of deploys goes. */
export interface Deployable {
  readonly name: string;
  /** Its service bindings. */
  readonly services: Readonly<Record<string, { readonly name: string }>>;
}

/**
 * Callees before callers: Cloudflare refuses a service binding to a worker that does not exist yet. So control, to
 * which all are bound, comes first, and the gateway, to which none is, after the services that it leads to. Bindings
 * to workers that are not among these say nothing about the order.
 * @throws Error that names the workers that wait for each other
 */
export function inDeployOrder<Worker extends Deployable>(workers: readonly Worker[]): Worker[] {
  const waiting = new Map(workers.map((worker) => [worker.name, worker]));
  const ordered: Worker[] = [];
  while (waiting.size > 0) {
    const ready = [...waiting.values()].filter(({ name, services }) =>
      Object.values(services).every((service) => service.name === name || !waiting.has(service.name)),
    );
    if (ready.length === 0) {
      throw new Error(
        `${[...waiting.keys()].join(", ")} are bound to each other in a circle: deploy one of them without that binding first, then all of them`,
      );
    }
    for (const worker of ready) waiting.delete(worker.name);
    ordered.push(...ready);
  }
  return ordered;
}
