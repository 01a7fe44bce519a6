import { readUpTo } from "@tulle/mesh-runtime/identity/body.ts";
import { importJWK, type JWK } from "jose";

/** How long a set of keys is used before it is asked for again, milliseconds. */
const freshMs = 600_000;
/** How long the last set that came is believed while no other does, milliseconds. */
const lastGoodMs = 86_400_000;
/** How often the provider is asked at most, in each window: who sends invented `kid`s could have it asked. */
const mostFetches = 4;
const windowMs = 60_000;
const timeoutMs = 3_000;
/** Bytes of a key set, and keys in it. */
const maxBytes = 65_536;
const maxKeys = 64;

/** The algorithms that are believed, and the kind of key that each wants. */
const kindOf = { RS256: "RSA", ES256: "EC" } as const;
export type ProviderAlgorithm = keyof typeof kindOf;

/** Whether a token names an algorithm that is believed. */
export const isProviderAlgorithm = (alg: unknown): alg is ProviderAlgorithm =>
  typeof alg === "string" && Object.hasOwn(kindOf, alg);

interface KeySet {
  readonly keys: readonly JWK[];
  readonly at: number;
}

/**
 * The public keys of an identity provider, as one isolate of control knows them: plain data with a deadline. Nobody
 * waits for another's question; a provider that does not answer costs freshness for a day, then its tokens.
 */
export class ProviderKeys {
  readonly #url: string;
  readonly #fetch: typeof fetch;
  #held: KeySet | undefined;
  #asked = { count: 0, until: 0 };

  /** @param issuer of the tokens; nothing else says where keys come from, least of all a token */
  constructor(issuer: string, ask: typeof fetch) {
    this.#url = `${issuer}/.well-known/jwks.json`;
    this.#fetch = ask;
  }

  /**
   * The key of a `kid` for an algorithm; `unknown` where the provider has none, `unavailable` where it cannot be
   * asked and nothing is known of it.
   */
  async find(
    kid: string,
    alg: ProviderAlgorithm,
    now: number,
  ): Promise<CryptoKey | "unknown" | "unavailable"> {
    const held = this.#believed(now);
    const isFresh = held !== undefined && now - held.at < freshMs;
    const found = isFresh ? keyOf(held, kid, alg) : undefined;
    if (found !== undefined) return imported(found, alg);
    await this.#refresh(now);
    const newest = this.#believed(now);
    if (newest === undefined) return "unavailable";
    const key = keyOf(newest, kid, alg);
    return key === undefined ? "unknown" : imported(key, alg);
  }

  #believed(now: number): KeySet | undefined {
    return this.#held !== undefined && now - this.#held.at < lastGoodMs ? this.#held : undefined;
  }

  async #refresh(now: number): Promise<void> {
    if (now >= this.#asked.until) this.#asked = { count: 0, until: now + windowMs };
    if (this.#asked.count >= mostFetches) return;
    this.#asked = { ...this.#asked, count: this.#asked.count + 1 };
    try {
      const keys = await this.#ask();
      if (keys !== undefined) this.#held = { keys, at: now };
    } catch (error) {
      // The last good keys stay; whoever asked is told when there are none.
      const why = error instanceof Error ? error.message : typeof error;
      console.warn(`control: the keys of ${this.#url} could not be had: ${why}`);
    }
  }

  async #ask(): Promise<readonly JWK[] | undefined> {
    const ask = this.#fetch;
    const response = await ask(this.#url, {
      redirect: "manual",
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      throw new Error(`it answered ${response.status}`);
    }
    const head = await readUpTo(response.body, maxBytes);
    if (!head.whole) {
      await head.rest.cancel();
      throw new Error(`it is larger than ${maxBytes} bytes`);
    }
    return keysIn(JSON.parse(new TextDecoder().decode(head.bytes)));
  }
}

function keysIn(document: unknown): readonly JWK[] {
  const keys = typeof document === "object" && document !== null && "keys" in document ? document.keys : 0;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > maxKeys)
    throw new Error(`it must hold 1 to ${maxKeys} keys`);
  return keys.filter((key): key is JWK => typeof key === "object" && key !== null);
}

/** The only key that fits; of two with one `kid` neither can be chosen. */
function keyOf({ keys }: KeySet, kid: string, alg: ProviderAlgorithm): JWK | undefined {
  const fitting = keys.filter(
    (key) =>
      key.kid === kid &&
      key.kty === kindOf[alg] &&
      (key.alg === undefined || key.alg === alg) &&
      (key.use === undefined || key.use === "sig") &&
      (alg !== "ES256" || key.crv === "P-256"),
  );
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** Only the public members go in: whatever else stands in the set stays outside. */
async function imported(
  { kty, crv, x, y, n, e }: JWK,
  alg: ProviderAlgorithm,
): Promise<CryptoKey | "unknown"> {
  try {
    const key = await importJWK((kty === "RSA" ? { kty, n, e } : { kty, crv, x, y }) as JWK, alg);
    return key instanceof Uint8Array ? "unknown" : key;
  } catch {
    // A key that cannot be read verifies nothing.
    return "unknown";
  }
}
