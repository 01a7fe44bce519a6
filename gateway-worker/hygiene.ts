import { BreakingStream, outsideHeaders, type Refusal, watching } from "@tulle/mesh-runtime";
import type { Limits } from "./env.ts";

/** The headers with which a request from outside goes on: see `outsideHeaders`; without a length where there is no body. */
export function cleanHeaders(request: Request): Headers {
  const client = request.headers.get("cf-connecting-ip");
  const headers = outsideHeaders(request.headers, new URL(request.url), client);
  if (!mayHaveBody(request)) headers.delete("content-length");
  return headers;
}

/** Content of a GET or HEAD means nothing (RFC 9110 §9.3.1, §9.3.2), hides a second request at best, and no `fetch` sends it on. */
export const mayHaveBody = ({ method }: Request): boolean => method !== "GET" && method !== "HEAD";

/** Why a request is too large to be let in, as far as its header section tells. */
export function tooLarge(request: Request, limits: Limits): Refusal | undefined {
  let headerBytes = 0;
  for (const [name, value] of request.headers) headerBytes += name.length + value.length + 4;
  if (headerBytes > limits.headerBytes) return { kind: "headers-too-large", limitBytes: limits.headerBytes };
  if (request.url.length > limits.headerBytes)
    return { kind: "headers-too-large", limitBytes: limits.headerBytes };
  const declared = request.headers.get("content-length");
  if (mayHaveBody(request)) return above(limits.bodyBytes, Number(declared ?? 0));
  // Without a length, that there is a body at all says enough.
  return above(0, declared === null && request.body !== null ? 1 : Number(declared ?? 0));
}

const above = (limitBytes: number, bytes: number): Refusal | undefined =>
  bytes > limitBytes ? { kind: "body-too-large", limitBytes } : undefined;

/** A body that is counted while it passes, for requests that do not declare a length. */
export interface CountedBody {
  readonly body: BreakingStream;
  /** Whether the limit was passed; the stream has then broken. */
  readonly exceeded: () => boolean;
}

/** Breaks a body off as soon as it is larger than allowed. */
export function countedBody(body: ReadableStream<Uint8Array>, limitBytes: number): CountedBody {
  const source = body.getReader();
  let seen = 0;
  const next = async (): Promise<Uint8Array | undefined> => {
    const { value } = await source.read();
    seen += value?.byteLength ?? 0;
    if (seen > limitBytes) throw new RangeError("The request body is larger than the gateway lets in");
    return value;
  };
  return {
    body: new BreakingStream(next, (reason) => source.cancel(reason)),
    exceeded: () => seen > limitBytes,
  };
}

/**
 * A body of a declared length, which it keeps on the way. That it breaks is known here before anybody behind the
 * gateway can fail at it: who reads an upload that its client leaves unfinished answers 500, and a handful of those
 * would otherwise open the circuit of a service for everybody, from outside.
 */
export function declaredBody(body: ReadableStream<Uint8Array>, length: number): ReadableStream<Uint8Array> {
  const { readable, writable } = new FixedLengthStream(length);
  const breaking = new AbortController();
  const progress = { ended: false, broken: breaking.signal };
  body.pipeTo(writable, { preventCancel: true }).then(
    () => {
      progress.ended = true;
    },
    (reason: unknown) => {
      // Either nobody reads any further, and the source is let go of; or it is the source that failed, which then says so.
      body.cancel(reason).catch((error: unknown) => breaking.abort(error));
    },
  );
  return watching(readable, progress);
}

/** What `content-length` says, as far as it is a number. */
export function declaredLength({ headers }: Request): number | undefined {
  const text = headers.get("content-length") ?? "";
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
