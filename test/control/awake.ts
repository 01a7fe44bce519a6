import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";

/**
 * Wakes all that stores something, the object behind KV too. `reset` empties only what is awake: an object that nobody has
 * asked for ten seconds is not, as while the next file of tests is still being loaded, and keeps all that it has.
 */
export async function allAwake(): Promise<void> {
  const namespaces = [env.POLICY, env.ISSUER, env.SERVICES, env.TRACES, env.REPLAYS];
  const all = await Promise.all(
    namespaces.map(async (namespace) => {
      const ids = await listDurableObjectIds(namespace);
      return ids.map((id) => runInDurableObject(namespace.get(id), () => undefined));
    }),
  );
  // One that a test has broken cannot be woken, and that is for the tests that meet it to say.
  await Promise.allSettled([...all.flat(), env.POLICIES.list({ limit: 1 })]);
}
