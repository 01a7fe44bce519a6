import type { Random } from "@tulle/mesh-runtime/foundation/ports.ts";
import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import type { BundleKey, FederatedKeys } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import type { ForeignBundle } from "./foreign-bundle.ts";

/** Another trust domain, as an operator configured it, and what is known of its keys. Times in milliseconds since the Unix epoch. */
export interface Federation {
  readonly trustDomain: string;
  /** Where its bundle is; SPIFFE's profile `https_web`. */
  readonly url: string;
  readonly by: string;
  readonly at: number;
  readonly held: HeldBundle | undefined;
  /** When the endpoint was asked last, and what was wrong then; empty where nothing was. */
  readonly triedAt: number | undefined;
  readonly error: string;
  /** In a row. */
  readonly failures: number;
  readonly nextAt: number;
}

/** The last bundle that was good. */
export interface HeldBundle {
  readonly sequence: number | undefined;
  readonly refreshMs: number;
  readonly keys: readonly BundleKey[];
  /** When it was seen last. */
  readonly seenAt: number;
}

/** `pending`: its keys have never been seen. `failing`: they were, and not lately. `expired`: too long ago to be believed. */
export type FederationState = "ok" | "pending" | "failing" | "expired";

/** Where a bundle does not say how often to look, milliseconds (SPIFFE Trust Domain and Bundle §4.1.2). */
const defaultRefreshMs = 300_000;
/** Whatever a bundle says: no more often than this, and no more rarely, milliseconds. */
export const minRefreshMs = 60_000;
export const maxRefreshMs = 3_600_000;
/** The first pause after a failure, milliseconds; it doubles with each, up to the usual one. */
const retryMs = 30_000;
/**
 * How long keys are believed that nobody has been able to look at again, milliseconds. As long as our own bundle: a
 * partner's outage of a night stops nobody, and a key that he has taken back is not believed for days.
 */
export const keptMs = 86_400_000;

export const newFederation = (trustDomain: string, url: string, by: string, now: number): Federation => ({
  trustDomain,
  url,
  by,
  at: now,
  held: undefined,
  triedAt: undefined,
  error: "",
  failures: 0,
  nextAt: now,
});

/**
 * What an attempt comes to. A bundle takes the place of the one before only if it is not older: a sequence never goes
 * back, nor does it vanish. What cannot be taken changes nothing but what is told, and when to look again.
 */
export function looked(
  federation: Federation,
  found: Result<ForeignBundle, string>,
  now: number,
  random: Random,
): Federation {
  const taken = found.ok ? notOlder(found.value, federation.held) : found;
  if (taken.ok) {
    const { sequence, keys, refreshHintMs = defaultRefreshMs } = taken.value;
    const refreshMs = Math.min(maxRefreshMs, Math.max(minRefreshMs, refreshHintMs));
    const held = { sequence, refreshMs, keys, seenAt: now };
    const nextAt = now + spread(refreshMs, random);
    return { ...federation, held, triedAt: now, error: "", failures: 0, nextAt };
  }
  const failures = federation.failures + 1;
  const usualMs = federation.held?.refreshMs ?? defaultRefreshMs;
  const pauseMs = Math.min(usualMs, retryMs * 2 ** Math.min(failures - 1, 20));
  const nextAt = now + spread(pauseMs, random);
  return { ...federation, triedAt: now, error: taken.reason, failures, nextAt };
}

/** ±10 %, so that many meshes do not ask one endpoint at the same time. */
const spread = (ms: number, random: Random): number => Math.round(ms * (0.9 + 0.2 * random()));

function notOlder(found: ForeignBundle, held: HeldBundle | undefined): Result<ForeignBundle, string> {
  if (held?.sequence === undefined) return ok(found);
  const again = "if its publisher has begun anew, remove the federation and add it again";
  if (found.sequence === undefined)
    return no(`it has no spiffe_sequence, and had ${held.sequence} before; ${again}`);
  if (found.sequence < held.sequence)
    return no(`its spiffe_sequence went back from ${held.sequence} to ${found.sequence}; ${again}`);
  return ok(found);
}

/** When the keys that are held stop being believed; absent where there are none. */
export const endsAt = ({ held }: Federation): number | undefined => held && held.seenAt + keptMs;

export function stateOf(federation: Federation, now: number): FederationState {
  const end = endsAt(federation);
  if (end === undefined) return "pending";
  if (end <= now) return "expired";
  return federation.error === "" ? "ok" : "failing";
}

/** What goes into the signed bundle: the keys of each domain for itself, and nothing of one whose keys are too old. */
export const published = (federations: readonly Federation[], now: number): readonly FederatedKeys[] =>
  federations.flatMap((federation) => {
    const { trustDomain, held } = federation;
    const isBelieved = held !== undefined && (endsAt(federation) ?? 0) > now;
    return isBelieved ? [{ trustDomain, keys: held.keys }] : [];
  });

/** When something is to be done next: an endpoint is to be asked, or keys end. Absent where there is nothing. */
export function wakeAt(federations: readonly Federation[], now: number): number | undefined {
  const times = federations.flatMap((federation) => {
    const end = endsAt(federation);
    return end === undefined || end <= now ? [federation.nextAt] : [federation.nextAt, end];
  });
  return times.length === 0 ? undefined : Math.min(...times);
}
