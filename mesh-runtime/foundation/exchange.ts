import type { HeaderFields } from "./fields.ts";
import type { Background } from "./ports.ts";
import type { Refusal } from "./refusal.ts";
import type { Result } from "./result.ts";

/** What the layers below `rescued` answer: a response, or a complete reason why there is none. */
export type Answer = Result<Response, Refusal>;

/**
 * A request on its way out, taken apart so that filters and signing change it without making a new
 * `Request` each time. The transport makes exactly one `Request` an attempt from it.
 */
export interface Message {
  readonly url: URL;
  readonly method: string;
  /** Owned by this exchange: layers may change it. */
  readonly headers: HeaderFields;
  /** Bytes once they are buffered for replay or digest; otherwise the caller's stream. */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  /** Platform properties (`request.cf`) that travel beside the HTTP message, if the runtime has such. */
  readonly platform?: unknown;
}

/** What is known when a request leaves. */
export interface Departure {
  readonly message: Message;
  /** The caller's own abort signal; firing it ends every attempt. */
  readonly signal: AbortSignal | undefined;
  /** What the arriving request that caused this one passed on; absent for calls that nobody caused. */
  readonly cause: Cause | undefined;
  /** Milliseconds since the Unix epoch, read when the request left. */
  readonly startedAt: number;
  readonly background: Background;
}

/** What an arriving request passes on to the requests that it causes. */
export interface Cause {
  readonly trace: {
    readonly traceId: string;
    readonly spanId: string;
    readonly sampled: boolean;
    readonly state: string;
    readonly baggage: string;
  };
  /** Absolute, milliseconds since the Unix epoch; `undefined` without a limit. */
  readonly deadlineAt: number | undefined;
  /** Shared by everything that this arrival causes: attempts spend from it, nothing mints. */
  readonly credits: { left: number };
  readonly hops: number;
}

/**
 * What the mesh of an identified caller said on a request, each header as it stood there. Nobody else is
 * heard: without an identity all of it is null.
 */
export interface Said {
  readonly deadline: string | null;
  readonly credits: string | null;
  readonly hops: string | null;
  readonly epoch: string | null;
}

/** What the deployment of a caller says that it is. */
export interface BindingProps {
  readonly service?: unknown;
  readonly namespace?: unknown;
}

/** What is known when a request arrives. */
export interface Arrival {
  readonly request: Request;
  /** What the platform guarantees about the caller: the `props` of the service binding, `undefined` over HTTP. Read only where no signature tells. */
  readonly bindingProps: BindingProps | (() => BindingProps | undefined) | undefined;
  /** Fires when the caller goes away; absent where the runtime never tells. To listen costs microseconds a request. */
  readonly signal?: AbortSignal | undefined;
  readonly startedAt: number;
  readonly background: Background;
}

/** One try at one backend, as telemetry counts it. */
export interface Try {
  readonly backend: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Absent when the mesh refused or nothing was answered. */
  readonly status: number | undefined;
  readonly refusal: Refusal | undefined;
}

/**
 * What the layers tell about an exchange on the way. `traced` makes it, whoever knows something
 * writes it, and `traced` reads it when the exchange ends; nothing else decides by it.
 */
export interface Notes {
  /** Service, or gateway listener, that was asked for. */
  destination: string;
  route: string;
  /** ServiceKey that answered last. */
  backend: string;
  /** The endpoint of it, where it has several; otherwise empty. */
  endpoint: string;
  /** SPIFFE ID of the other side, as far as it is known. */
  peer: string;
  /** `namespace/name` of the caller for arrivals; empty while unknown. */
  source: string;
  evidence: string;
  /** The authorization rule that decided. */
  rule: string;
  /** The AUDIT rule that speaks of the request, where one does. */
  audited?: string;
  /** What would have been decided with the rules on a dry run, where there are such. */
  dryRun?: string;
  refusal: Refusal | undefined;
  readonly tries: Try[];
}

/** Notes on an exchange of which nothing is known yet. */
export const blankNotes = (): Notes => ({
  destination: "",
  route: "",
  backend: "",
  endpoint: "",
  peer: "",
  source: "",
  evidence: "",
  rule: "",
  refusal: undefined,
  tries: [],
});

export interface Noted {
  readonly notes: Notes;
}
