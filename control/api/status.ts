import type { Env } from "../env.ts";
import { policyStore, serviceObject } from "../objects.ts";
import type { ServiceView } from "../policy-store/shelf.ts";
import type { Seen } from "../services/seen.ts";
import { inTurns } from "../turns.ts";
import type { StatusAnswer, SyncState } from "./contract.ts";
import type { Handlers } from "./handler.ts";

/** Which services run which epoch. */
export const status: Handlers<"GET /api/status"> = {
  "GET /api/status": async (context) => context.json(await statusOf(context.env, Date.now())),
};

/** Asks every service's object what it has seen. An object that does not answer has seen nothing. */
export async function statusOf(env: Env, now: number): Promise<StatusAnswer> {
  const { epoch, services = [] } = await policyStore(env).view(-1);
  const refused = await policyStore(env).refused();
  const lines = await inTurns(services, async (service) =>
    line(service, epoch, service.virtual ? undefined : await seenOf(env, service.service)),
  );
  return {
    trustDomain: env.TRUST_DOMAIN,
    revision: epoch,
    epoch,
    time: new Date(now).toISOString(),
    services: lines,
    ...(refused.length === 0 ? {} : { refused }),
  };
}

async function seenOf(env: Env, service: string): Promise<Seen | undefined> {
  try {
    return await serviceObject(env, service).seen();
  } catch {
    // An object that is being moved or is overloaded must not cost the operator the rest of the table.
    return undefined;
  }
}

function line(view: ServiceView, epoch: number, seen: Seen | undefined): StatusAnswer["services"][number] {
  const { service, spiffeId, virtual } = view;
  return {
    service,
    spiffeId,
    virtual,
    state: virtual ? "SYNCED" : stateOf(seen, epoch),
    epoch: virtual ? epoch : (seen?.oldestEpoch ?? 0),
    isolates: seen?.isolates ?? 0,
    ...(seen?.lastSeenMs === undefined ? {} : { lastSeenMs: seen.lastSeenMs }),
    ...(seen?.refused === undefined ? {} : { refused: seen.refused }),
  };
}

/** What an operator reads: whether all that was seen lately runs the newest epoch. */
export function stateOf(seen: Seen | undefined, epoch: number): SyncState {
  if (seen === undefined || seen.isolates === 0) return "NOT SEEN";
  return seen.oldestEpoch >= epoch ? "SYNCED" : "STALE";
}
