import type { Background, Clock, FetchDocument } from "../foundation/ports.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { readUpTo } from "./body.ts";
import type { KeySource } from "./end-user.ts";
import { type KeySet, maxKeySetSize, parseKeySet } from "./key-set.ts";

export interface KeySetPorts {
  readonly clock: Clock;
  readonly fetch: FetchDocument;
  /** Resolves after `ms`; rejects when the signal fires. */
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Adds one to a named counter. */
  readonly count: (counter: string) => void;
}

/** How long keys are fresh where their answer does not say, milliseconds. */
const defaultFreshMs = 300_000;
/** Least and most of what `max-age` may say, milliseconds: an issuer is neither asked all the time, nor is a key that it has withdrawn believed for a day. */
const leastFreshMs = 60_000;
const mostFreshMs = 3_600_000;
/** How long keys stay in use while their issuer does not answer, milliseconds. */
export const lastGoodMs = 86_400_000;
/** From which part of their life on fresh keys are fetched in the background. */
const refreshFrom = 0.75;
/** How long an issuer is left alone after it has not answered: doubles from one to the other, milliseconds. */
const firstPauseMs = 1_000;
const lastPauseMs = 30_000;
/** How often tokens with unknown keys may have an issuer asked: once in this time, milliseconds. Anybody can make such tokens. */
export const forcedGapMs = 30_000;
/** Requests that may ask at once for the same reason, before the first has its answer: none waits for another. */
const mostForced = 8;
/** Most issuers whose keys are held; the one that was used least lately goes first. */
const maxSets = 128;

/** What is known of one source of keys. Plain data with deadlines, whoever reads it. */
interface Slot {
  /** The text that the keys were made of: the same text is the same set. */
  text: string;
  keys: KeySet | undefined;
  freshUntil: number;
  refreshAt: number;
  usableUntil: number;
  /** A lease: somebody is asking. */
  askingUntil: number;
  /** After a failure nobody asks before. */
  pauseUntil: number;
  failures: number;
  /** Why there are no newer keys. */
  why: string;
  forced: { count: number; until: number };
}

/** Why there are no keys, and when it is worth another try. */
export interface NoKeys {
  readonly why: string;
  readonly retryAfterMs: number;
}

/**
 * The keys of issuers, for all requests of an isolate. They are fetched in the background before they are no longer fresh; a request
 * fetches them itself only where there are none, or where nobody has done it in time; then it does so on its own,
 * because no request waits for another's promise. While an issuer does not answer, the last good keys stay in use
 * for a day.
 */
export class KeySets {
  readonly #ports: KeySetPorts;
  readonly #slots = new Map<string, Slot>();

  constructor(ports: KeySetPorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The keys to verify with now. */
  async keysOf(source: KeySource, background: Background): Promise<Result<KeySet, NoKeys>> {
    const slot = this.#slotOf(source);
    const now = this.#ports.clock.now();
    if (source.type === "inline") return inForce(slot, now);
    const mayAsk = slot.askingUntil <= now && slot.pauseUntil <= now;
    if (slot.keys !== undefined && now < slot.freshUntil) {
      if (now >= slot.refreshAt && mayAsk) background.run(this.#ask(source, slot));
      return ok(slot.keys);
    }
    // Before anything has failed everybody asks for himself; afterwards one at a time, so that not all hang on one that is silent.
    const first = slot.keys === undefined && slot.failures === 0;
    if (mayAsk || first) await this.#ask(source, slot);
    return inForce(slot, this.#ports.clock.now());
  }

  /**
   * Newer keys than those, for a token whose key is not among them: an issuer may just have begun to sign with another.
   * Undefined when there are none, or when the issuer was asked for this reason a moment ago.
   */
  async newerThan(keys: KeySet, source: KeySource): Promise<KeySet | undefined> {
    if (source.type === "inline") return undefined;
    const slot = this.#slotOf(source);
    const now = this.#ports.clock.now();
    if (slot.keys !== keys) return slot.keys;
    if (now >= slot.forced.until) slot.forced = { count: 0, until: now + forcedGapMs };
    if (slot.forced.count >= mostForced) return undefined;
    slot.forced.count++;
    await this.#ask(source, slot);
    // Whoever comes after the answer has it; he need not ask again.
    slot.forced = { count: mostForced, until: this.#ports.clock.now() + forcedGapMs };
    return slot.keys === keys ? undefined : slot.keys;
  }

  #slotOf(source: KeySource): Slot {
    const name = source.type === "url" ? source.url : source.jwks;
    const known = this.#slots.get(name);
    if (known !== undefined) {
      this.#slots.delete(name);
      this.#slots.set(name, known);
      return known;
    }
    const slot = source.type === "url" ? emptySlot() : written(source.jwks);
    this.#slots.set(name, slot);
    const oldest = this.#slots.size > maxSets ? this.#slots.keys().next() : undefined;
    if (oldest?.done === false) this.#slots.delete(oldest.value);
    return slot;
  }

  /** Asks the issuer, and takes in what it answers. What is no key set changes nothing. */
  async #ask(source: KeySource & { readonly type: "url" }, slot: Slot): Promise<void> {
    const { clock, count } = this.#ports;
    const lease = clock.now() + source.timeoutMs;
    slot.askingUntil = lease;
    const answer = await this.#answerOf(source);
    const now = clock.now();
    if (slot.askingUntil === lease) slot.askingUntil = 0;
    const keys = answer.ok ? read(answer.value.text, slot) : answer;
    if (!answer.ok || !keys.ok) {
      count("key_set_failed");
      slot.why = keys.ok ? "" : keys.reason;
      slot.pauseUntil = now + Math.min(lastPauseMs, firstPauseMs * 2 ** Math.min(slot.failures, 10));
      slot.failures++;
      return;
    }
    count("key_set_fetched");
    const { text, freshMs } = answer.value;
    Object.assign(slot, {
      text,
      keys: keys.value,
      freshUntil: now + freshMs,
      refreshAt: now + freshMs * refreshFrom,
      usableUntil: now + lastGoodMs,
      pauseUntil: 0,
      failures: 0,
      why: "",
    });
  }

  /** What the issuer answers within the time limit, its body included. */
  async #answerOf({
    url,
    timeoutMs,
  }: KeySource & { readonly type: "url" }): Promise<
    Result<{ readonly text: string; readonly freshMs: number }, string>
  > {
    const { fetch, wait } = this.#ports;
    const tooLong = new AbortController();
    const answered = new AbortController();
    const limit = wait(timeoutMs, answered.signal).then(
      () => {
        tooLong.abort();
        return no("its address did not answer in time");
      },
      () => no("its address did not answer"),
    );
    const asked = {
      headers: { accept: "application/json", "cache-control": "no-cache" },
      signal: tooLong.signal,
    };
    const reading = fetch(url, asked)
      .then(textOf)
      // What the platform says of an address is not for callers, and names it in many ways.
      .catch(() => no("its address could not be reached"));
    const first = await Promise.race([reading, limit]);
    answered.abort();
    return first;
  }
}

const emptySlot = (): Slot => ({
  text: "",
  keys: undefined,
  freshUntil: 0,
  refreshAt: 0,
  usableUntil: 0,
  askingUntil: 0,
  pauseUntil: 0,
  failures: 0,
  why: "its keys were not fetched yet",
  forced: { count: 0, until: 0 },
});

/** Keys that stand in a document hold as long as the document does. */
function written(jwks: string): Slot {
  const keys = parseKeySet(jwks);
  return {
    ...emptySlot(),
    keys: keys.ok ? keys.value : undefined,
    usableUntil: Number.POSITIVE_INFINITY,
    why: keys.ok ? "" : keys.reason,
  };
}

function inForce({ keys, usableUntil, pauseUntil, why }: Slot, now: number): Result<KeySet, NoKeys> {
  if (keys !== undefined && now < usableUntil) return ok(keys);
  return no({ why, retryAfterMs: Math.max(firstPauseMs, pauseUntil - now) });
}

/** The keys of a text; those that are held where it is the same text, so that what was verified with them still is. */
const read = (text: string, { text: held, keys }: Slot): Result<KeySet, string> =>
  keys !== undefined && text === held ? ok(keys) : parseKeySet(text);

async function textOf(response: Response): Promise<Result<{ text: string; freshMs: number }, string>> {
  const { status, body, headers } = response;
  if (status !== 200 || body === null) {
    // Nobody reads it; whether the sender takes note of that is its affair.
    body?.cancel().catch(() => undefined);
    return no(`its address answered ${status}`);
  }
  const head = await readUpTo(body, maxKeySetSize);
  if (!head.whole) {
    head.rest.cancel().catch(() => undefined);
    return no(`its address answered with more than ${maxKeySetSize} bytes`);
  }
  return ok({ text: new TextDecoder().decode(head.bytes), freshMs: freshMsOf(headers) });
}

/** How long an answer is fresh (RFC 9111 §5.2.2.1), within our bounds. */
function freshMsOf(headers: Headers): number {
  const control = headers.get("cache-control")?.toLowerCase() ?? "";
  if (/(?:^|[,\s])no-(?:store|cache)(?:$|[,\s])/.test(control)) return leastFreshMs;
  const seconds = /(?:^|[,\s])max-age="?([0-9]{1,9})/.exec(control)?.[1];
  if (seconds === undefined) return defaultFreshMs;
  return Math.min(mostFreshMs, Math.max(leastFreshMs, Number(seconds) * 1_000));
}
