import type { Opener } from "./identity/sealed-keys.ts";
import { importSessionKeys, type SessionKey } from "./identity/session-keys.ts";
import type { Root } from "./member.ts";
import type { Instruments } from "./telemetry/instruments.ts";
import type { JoinAnswer } from "./workload-contract.ts";

/** By what keys are taken out of an answer. */
export interface TakingKeys {
  /** Present where joins go over a network; plain keys are then never taken. */
  readonly sealing?: unknown;
  /** What this join's keys were to be sealed for. */
  readonly opener: Opener | undefined;
  readonly instruments: Instruments;
}

/**
 * The keys for sessions that a join brought: over a binding as they are, since that is no network; over one sealed, and
 * signed by a root key that is believed. What cannot be believed or opened is none and is counted: without keys callers
 * sign each request, and nothing else fails.
 */
export async function sessionKeysIn(
  { sessionKeys, sealedSessionKeys, wit }: JoinAnswer,
  roots: readonly Root[],
  { sealing, opener, instruments }: TakingKeys,
): Promise<readonly SessionKey[]> {
  if (sealing === undefined) return importSessionKeys(sessionKeys);
  if (opener === undefined || sealedSessionKeys === undefined) return [];
  const keys = roots.map(({ key }) => key);
  const opened = await opener.open(sealedSessionKeys, wit, keys);
  if (opened.ok) return opened.value;
  instruments.count("session_keys_refused");
  return [];
}
