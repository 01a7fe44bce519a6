/** What an echo worker is told that it is. */
export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
}

/** What an echo worker tells of a request that reached it, as the Gateway API project's echo server does. */
export interface Echo {
  /** Path and query. */
  readonly path: string;
  readonly host: string;
  readonly method: string;
  readonly proto: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly httpPort: string;
  readonly namespace: string;
  readonly ingress: string;
  readonly service: string;
  readonly pod: string;
}

/** On a response of an echo worker: the relay in front of it breaks the connection off instead of passing it on. */
export const resetHeader = "x-conformance-reset";
