import type { BindingProps } from "../../foundation/exchange.ts";
import type { HeaderFields } from "../../foundation/fields.ts";
import { header } from "../../foundation/headers.ts";
import { parseContentDigest } from "../content-digest.ts";
import type { IdentityPolicy } from "../identified.ts";
import type { TrustBundle } from "../trust-bundle.ts";

/** A request as somebody kept it. */
export interface Captured {
  readonly method: string;
  /** The whole URL, as a worker's `Request` has it. */
  readonly url: string;
  readonly headers: HeaderFields;
  /** Undefined: nobody kept it. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /** The names of headers that stood there more than once. */
  readonly repeated: readonly string[];
  /** What the binding says that the request came by; undefined: it came by none, or nobody knows. */
  readonly props: BindingProps | undefined;
}

/** Who judges it, and when. */
export interface Judge {
  readonly policy: IdentityPolicy;
  readonly bundle: TrustBundle;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** The body as a worker gets it; where nobody kept it and no digest speaks of it, one byte stands for those that the headers tell of. */
export function bodyOf({ body, headers }: Captured): Request["body"] {
  const wasThere =
    !headers.has(header.contentDigest) &&
    (Number(headers.get("content-length") ?? 0) > 0 || headers.has("transfer-encoding"));
  const bytes = body ?? new Uint8Array(wasThere ? 1 : 0);
  return bytes.length === 0 ? null : new Response(bytes).body;
}

/** Whether there is a digest that could be compared, and nothing to compare it with. */
export function lacksBody({ body, headers }: Captured): boolean {
  const digest = headers.get(header.contentDigest);
  return body === undefined && digest !== null && parseContentDigest(digest).ok;
}

/** What a service wants to know of its callers. */
export function demandText({ inbound, self }: IdentityPolicy): string {
  const enough = inbound.evidence === "binding" ? "a binding's word or a signature" : "a signature";
  return `${self.uri} is ${inbound.mode} and demands ${enough}`;
}
