import type { Answer, Message } from "../foundation/exchange.ts";
import type { HeaderFields } from "../foundation/fields.ts";
import { header, identityHeaders } from "../foundation/headers.ts";
import { layer, type Step } from "../foundation/layer.ts";
import type { Clock, Endpoint } from "../foundation/ports.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { readUpTo, resumed } from "./body.ts";
import { contentDigest } from "./content-digest.ts";
import { signMessage } from "./proof.ts";
import { Watches } from "./watches.ts";
import type { Credential, Evidence, SpiffeId } from "./words.ts";

export interface SignedPorts {
  /** The credential in force, or the promise of one that this request fetches itself; undefined where there is none to be had. */
  readonly credential: () => Credential | undefined | Promise<Credential | undefined>;
  readonly clock: Clock;
  /** A text that this key has not signed yet: 1 to 64 characters of printable ASCII without quotes and backslashes. */
  readonly nonce: () => string;
}

/** What a proof has to know about whom it is for. */
export interface Recipient {
  readonly id: SpiffeId;
  readonly settings: {
    /** What the recipient demands. */
    readonly evidence: Evidence;
    /** Bodies above `maxDigestBytes`: refuse to send them, or send them without a digest. */
    readonly largeBody: "reject" | "unsigned";
    readonly maxDigestBytes: number;
    /** The trust domain of a recipient in another mesh; absent for those of this one. */
    readonly trustDomain?: string;
  };
  readonly endpoint?: { readonly address: Endpoint } | undefined;
}

interface Proving {
  readonly message: Message;
  readonly recipient: Recipient;
}

/**
 * Proves this attempt: digests the body, puts token and signature on the message, in the place of those that an
 * earlier attempt left there. Whatever else the application or an earlier hop put there that could be taken
 * for an identity is dropped; `authorization` is the application's own and stays, covered.
 *
 * A recipient that is strict about replays may answer that it has begun a new watch; the attempt is then signed and
 * sent once more, with the name of that.
 *
 * Where the recipient takes the platform's word and is reached by a service binding, there is no cryptography at all.
 * Refuses without a credential (`mesh-not-ready`), and bodies above the limit where the policy says so.
 */
export const signed = ({ credential, clock, nonce }: SignedPorts) => {
  const watches = new Watches();
  return layer<Proving, object, Answer>("signed", (next) => (exchange) => {
    const { message, recipient } = exchange;
    for (const name of identityHeaders) message.headers.delete(name);
    const bound = recipient.endpoint?.address.kind === "binding";
    return bound && recipient.settings.evidence === "binding" ? next(exchange) : proven(exchange, next);
  });

  async function proven<Known extends Proving>(exchange: Known, next: Step<Known, Answer>): Promise<Answer> {
    const { message, recipient } = exchange;
    const { headers } = message;
    // Which policy is in force here is no other mesh's business.
    if (recipient.settings.trustDomain !== undefined) headers.delete(header.epoch);
    const present = credential();
    const held = present instanceof Promise ? await present : present;
    if (held === undefined || held.expiresAt <= clock.now()) {
      return no({
        kind: "mesh-not-ready",
        detail: "this isolate has no credential to sign with",
        retryAfterMs: 1_000,
      });
    }
    const digested = await withDigest(message, recipient);
    if (!digested.ok) return digested;
    const ready = digested.value === message ? exchange : { ...exchange, message: digested.value };
    const answer = await sent(ready, held, next);
    // The application has seen nothing, and what was missing is known now: no try that any budget could want to save.
    if (!answer.ok || !isTold(answer.value, message, recipient)) return answer;
    if (digested.value.body instanceof ReadableStream) return answer;
    discard(answer.value);
    const second = await sent(ready, held, next);
    if (second.ok) isTold(second.value, message, recipient);
    return second;
  }

  /** Whether an answer tells of a watch that the message had not named. */
  function isTold({ status, headers }: Response, message: Message, { id }: Recipient): boolean {
    return status === 503 && watches.hear(id.uri, headers, message.headers);
  }

  /** Signs and sends. */
  async function sent<Known extends Proving>(
    exchange: Known,
    held: Credential,
    next: Step<Known, Answer>,
  ): Promise<Answer> {
    const { recipient } = exchange;
    const { headers, method, url } = exchange.message;
    const audience = recipient.id.uri;
    watches.mention(audience, headers);
    const proof = { audience, credential: held, now: clock.now(), nonce: nonce() };
    const signature = await signMessage({ method, url: url.href, headers }, proof);
    return signature.ok ? next(exchange) : no({ kind: "internal", detail: signature.reason });
  }
};

/** Lets an answer go unread. Whether its sender takes note that nobody reads it is its affair. */
const discard = ({ body }: Response): void => void body?.cancel().catch(() => undefined);

/** The message with `Content-Digest` for its body, which may have had to be read for that; without one where there is no body, or a large one may go unsigned. */
async function withDigest(message: Message, { settings }: Recipient): Promise<Result<Message, Refusal>> {
  const { headers, body } = message;
  const { maxDigestBytes: limitBytes, largeBody } = settings;
  // An earlier attempt's, or the application's own, of which we do not know whether it is true.
  headers.delete(header.contentDigest);
  if (body === null) return ok(message);

  let bytes: Uint8Array | undefined;
  let rest = body;
  // Where a stream is refused, whether its source takes note that we stop reading changes nothing.
  if (body instanceof Uint8Array) {
    if (body.byteLength <= limitBytes) bytes = body;
  } else if (isLarge(headers, settings)) {
    if (largeBody === "reject") body.cancel().catch(() => undefined);
  } else {
    let head: Awaited<ReturnType<typeof readUpTo>>;
    try {
      head = await readUpTo(body, limitBytes);
    } catch {
      // The body's own source failed, and no destination is to blame: whoever sends it has broken it off.
      return no({ kind: "cancelled" });
    }
    if (head.whole) bytes = head.bytes;
    else if (largeBody === "unsigned") rest = resumed(head.read, head.rest);
    else head.rest.cancel().catch(() => undefined);
  }
  if (bytes !== undefined) {
    headers.set(header.contentDigest, await contentDigest(bytes));
    return ok(bytes === body ? message : { ...message, body: bytes });
  }
  if (largeBody === "reject") return no({ kind: "body-too-large", limitBytes });
  return ok(rest === body ? message : { ...message, body: rest });
}

/**
 * Whether a stream need not be read to know that it gets no digest: it says itself that it is too long, or nothing
 * is short enough. It then goes on as it is, and keeps a length that the runtime knows of.
 */
const isLarge = (headers: HeaderFields, { maxDigestBytes, largeBody }: Recipient["settings"]): boolean =>
  Number(headers.get("content-length") ?? 0) > maxDigestBytes ||
  (maxDigestBytes === 0 && largeBody === "unsigned");
