import { meshOf } from "@tulle/mesh-runtime/cloudflare/isolate";

/** How often and how soon it is asked whether a report that is under way is through. */
const mostRounds = 1_000;
const roundMs = 5;

/** Joins if need be, reports what is due, and tells the epoch in force. */
export async function report(env: object): Promise<number> {
  const mesh = meshOf(env);
  const loaded = await mesh.ready();
  if (loaded instanceof Response) throw new Error(await loaded.text());
  // One that is under way left before this was asked for; what is due now goes with the next.
  for (let round = 0; round < mostRounds && !(await mesh.report()); round++) await scheduler.wait(roundMs);
  return mesh.loaded()?.epoch ?? 0;
}
