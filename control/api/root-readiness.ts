import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import type { Env } from "../env.ts";
import type { PublicKeys } from "../issuer/issuer-object.ts";
import { bundleLifeMs } from "../issuer/keyring.ts";
import { policyStore, serviceObject } from "../objects.ts";
import type { RootStanding } from "../services/service-object.ts";
import { inTurns } from "../turns.ts";

/**
 * How long a root key is published before it may sign, milliseconds: as long as a bundle lives. What any isolate then
 * holds names the key, or has expired.
 */
export const rootKnownAfterMs = bundleLifeMs;

/** Services that are named one by one; the others are counted. */
const maxNamed = 10;

/**
 * Why the next root key shall not sign yet, one sentence each; none if nobody who is known would be locked out. A
 * service that never reported has nobody to be locked out.
 */
export async function notReadyFor(env: Env, keys: PublicKeys, now: number): Promise<readonly string[]> {
  const { nextRootJwk, nextRootAt = now } = keys;
  const reasons: string[] = [];
  if (now - nextRootAt < rootKnownAfterMs)
    reasons.push(
      `It is published since ${iso(nextRootAt)}; by ${iso(nextRootAt + rootKnownAfterMs)} every trust bundle that does not name it has ended.`,
    );
  if (nextRootJwk === undefined) return reasons;
  const { services = [] } = await policyStore(env).view(-1);
  const real = services.filter(({ virtual }) => !virtual);
  const standings = await inTurns(real, async ({ service }) => ({
    service,
    standing: await standingOf(env, service, nextRootJwk.x),
  }));
  return [...reasons, ...sentences(standings, nextRootAt)];
}

/** Pure: what the services' own reports say against it. */
export function sentences(
  standings: readonly { readonly service: ServiceKey; readonly standing: RootStanding | undefined }[],
  nextRootAt: number,
): readonly string[] {
  const isSilent = ({ standing }: (typeof standings)[number]): boolean =>
    standing?.lastSeenAt !== undefined && standing.lastSeenAt < nextRootAt;
  const lacking = standings.filter(({ standing }) => standing !== undefined && standing.lacking > 0);
  const [silent, unbelieving] = [lacking.filter(isSilent), lacking.filter((one) => !isSilent(one))];
  const unknown = standings.filter(({ standing }) => standing === undefined);
  return [
    ...sentence(
      unbelieving,
      "report that they run and not that they believe it",
      "If TULLE_ROOT is set there, it must name both root keys (tulle check -o json: rootKeys); otherwise they learn of it with their next report. Deploy them anew if they run an older Tulle.",
    ),
    ...sentence(silent, "have not reported since it was published", "Send each a request."),
    ...sentence(unknown, "could not be asked about: their objects do not answer", "Try again."),
  ];
}

function sentence(
  of: readonly { readonly service: ServiceKey }[],
  what: string,
  remedy: string,
): readonly string[] {
  if (of.length === 0) return [];
  const names = of.slice(0, maxNamed).map(({ service }) => service);
  const more = of.length > maxNamed ? [`${of.length - maxNamed} more`] : [];
  return [`${[...names, ...more].join(", ")} ${what}. ${remedy}`];
}

async function standingOf(env: Env, service: ServiceKey, root: string): Promise<RootStanding | undefined> {
  try {
    return await serviceObject(env, service).standingOn(root);
  } catch {
    // An object that is being moved: nobody can tell what runs there, which the operator is told.
    return undefined;
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
