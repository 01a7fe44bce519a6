import type { Random } from "@tulle/mesh-runtime/foundation/ports.ts";
import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { isTrustDomain } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import {
  type BundleKey,
  type FederatedKeys,
  maxFederated,
} from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { fetchBundle, readEndpoint } from "./bundle-endpoint.ts";
import { type Federation, looked, newFederation, published, wakeAt } from "./federation.ts";
import { FederationBook } from "./federation-book.ts";
import { type ForeignBundle, readForeignBundle } from "./foreign-bundle.ts";

/** What an operator wants federated. */
export interface NewFederation {
  readonly trustDomain: string;
  readonly url: string;
  /** Its bundle, where it came by another way than the endpoint: the first keys then need no answer from there. */
  readonly bundle?: string;
  readonly by: string;
}

/** Why nothing was configured. */
export interface NotFederated {
  readonly kind: "malformed" | "taken" | "full";
  readonly detail: string;
}

/** How often operators may have endpoints asked out of turn, in each {@link forcedWithinMs}. */
const mostForced = 8;
const forcedWithinMs = 10_000;
/** Endpoints that are asked at once. */
const atOnce = 4;

/** The keys of this trust domain, which nobody else may call his; while they cannot be had no others are taken. */
export type OwnKeys = () => Promise<Result<readonly BundleKey[], string>>;

/**
 * Judges what was written, before anything is done about it.
 * @returns the address in its canonical form, or what is wrong
 */
export function readWanted(
  { trustDomain, url }: Pick<NewFederation, "trustDomain" | "url">,
  own: string,
): Result<string, string> {
  if (!isTrustDomain(trustDomain))
    return no("trustDomain must be one of lower-case letters, digits, dots, hyphens and underscores");
  if (trustDomain === own) return no(`${trustDomain} is this mesh's own trust domain`);
  const endpoint = readEndpoint(url);
  return endpoint.ok ? endpoint : no(`url must be ${endpoint.reason}`);
}

/** What the issuer knows of other trust domains, and how it learns more. */
export class Federations {
  readonly #book: FederationBook;
  readonly #own: string;
  readonly #ownKeys: OwnKeys;
  readonly #random: Random;
  #forced = { count: 0, until: 0 };

  constructor(sql: SqlStorage, own: string, ownKeys: OwnKeys, random: Random) {
    this.#book = new FederationBook(sql);
    this.#own = own;
    this.#ownKeys = ownKeys;
    this.#random = random;
  }

  all(): Federation[] {
    return this.#book.all();
  }

  /** What goes into the signed bundle. */
  published(now: number): readonly FederatedKeys[] {
    return published(this.#book.all(), now);
  }

  /** When to be called again; absent: never, as there is nobody to ask. */
  wakeAt(now: number): number | undefined {
    return wakeAt(this.#book.all(), now);
  }

  /** Configures one, and asks its endpoint. An endpoint that does not answer is asked again; it is configured all the same. */
  async add(wanted: NewFederation, now: number): Promise<Result<Federation, NotFederated>> {
    const { trustDomain, bundle, by } = wanted;
    const wrong = (detail: string) => no<NotFederated>({ kind: "malformed", detail });
    const endpoint = readWanted(wanted, this.#own);
    if (!endpoint.ok) return wrong(endpoint.reason);
    const given = bundle === undefined ? undefined : await this.#read(bundle);
    if (given?.ok === false) return wrong(`The bundle cannot be taken: ${given.reason}`);
    // From here on nothing is waited for until it is written, so that two at once make one.
    const there = this.#book.all();
    if (there.some((each) => each.trustDomain === trustDomain))
      return no({ kind: "taken", detail: `${trustDomain} is federated already; remove it first` });
    if (there.length >= maxFederated)
      return no({ kind: "full", detail: `At most ${maxFederated} trust domains can be federated` });
    const made = newFederation(trustDomain, endpoint.value, by, now);
    this.#book.put(given === undefined ? made : looked(made, given, now, this.#random));
    await this.#ask(trustDomain, now);
    return ok(this.#book.get(trustDomain) ?? made);
  }

  /** Whether there was one. Its callers are not believed any more once the bundle is signed anew. */
  remove(trustDomain: string): boolean {
    return this.#book.delete(trustDomain);
  }

  /** Asks an endpoint out of turn; `undefined` where there is no such federation. */
  async refresh(trustDomain: string, now: number): Promise<Federation | "busy" | undefined> {
    if (this.#book.get(trustDomain) === undefined) return undefined;
    if (now >= this.#forced.until) this.#forced = { count: 0, until: now + forcedWithinMs };
    if (this.#forced.count >= mostForced) return "busy";
    this.#forced = { ...this.#forced, count: this.#forced.count + 1 };
    await this.#ask(trustDomain, now);
    return this.#book.get(trustDomain);
  }

  /** Asks all whose turn it is. */
  async refreshDue(now: number): Promise<void> {
    const due = this.#book.all().filter(({ nextAt }) => nextAt <= now);
    for (let from = 0; from < due.length; from += atOnce)
      await Promise.all(due.slice(from, from + atOnce).map(({ trustDomain }) => this.#ask(trustDomain, now)));
  }

  async #read(text: string): Promise<Result<ForeignBundle, string>> {
    const own = await this.#ownKeys();
    return own.ok ? readForeignBundle(text, own.value) : no(`our own keys cannot be had: ${own.reason}`);
  }

  async #ask(trustDomain: string, now: number): Promise<void> {
    const asked = this.#book.get(trustDomain);
    if (asked === undefined) return;
    const text = await fetchBundle(asked.url);
    const found = text.ok ? await this.#read(text.value) : text;
    // Meanwhile it may have been removed, or added anew with another address: this answer is not about that one.
    const present = this.#book.get(trustDomain);
    if (present?.url !== asked.url || present.at !== asked.at) return;
    this.#book.put(looked(present, found, now, this.#random));
  }
}
