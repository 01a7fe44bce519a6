/** Milliseconds since the Unix epoch. Judgement never reads a clock; it is given the time. */
export interface Clock {
  now(): number;
}

/** A number in [0, 1). */
export type Random = () => number;

/** Work that goes on after the answer has left; the runtime keeps the isolate alive for it. */
export interface Background {
  run(work: Promise<unknown>): void;
}

/** Where an endpoint of a destination lives, as a transport understands it. */
export type Endpoint =
  /** `url`: the address for callers that have no service bindings, if it has one. */
  | { readonly kind: "binding"; readonly binding: string; readonly url?: string }
  | { readonly kind: "url"; readonly url: string }
  /** A worker of a dispatch namespace (Workers for Platforms): `env[binding].get(worker)`. */
  | { readonly kind: "dispatch"; readonly binding: string; readonly worker: string };

/** Carries one attempt to one endpoint. Redirects come back as they are; nothing is retried here. */
export interface Transport {
  /**
   * @param endpoint where to
   * @param request the finished attempt: signed, its URL the one the callee shall see
   * @returns what the callee answered
   * @throws what the runtime throws when nothing was answered; {@link TransportFailure} when it is known that nothing was delivered
   */
  send(endpoint: Endpoint, request: Request): Promise<Response>;
  /**
   * Whether the runtime itself vouches for who answers at this endpoint, as it does for a service binding.
   * What an answer says about the mesh is heard from nobody else: an answer carries no signature, and a server
   * behind an address could open every circuit of its callers.
   */
  vouchesFor(endpoint: Endpoint): boolean;
}

/** An attempt that provably never reached its destination, so that it may be tried again whatever its method. */
export class TransportFailure extends Error {
  override readonly name = "TransportFailure";
  readonly delivered = false;
}

/**
 * Fetches a document from an address that policy names. Redirects come back as they are; nothing is added that
 * would tell who asks.
 *
 * @throws what the runtime throws when nothing was answered, or when the signal fires
 */
export type FetchDocument = (
  address: string,
  asked: { readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
) => Promise<Response>;
