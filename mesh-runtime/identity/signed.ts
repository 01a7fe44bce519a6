import type { Answer, Message } from "../foundation/exchange.ts";
import { header, identityHeaders } from "../foundation/headers.ts";
import { layer, type Step } from "../foundation/layer.ts";
import type { Clock, Endpoint } from "../foundation/ports.ts";
import { no } from "../foundation/result.ts";
import type { Asked } from "./answer-proof.ts";
import { type BelievedPorts, believed } from "./believed.ts";
import { withDigest } from "./digested.ts";
import { signMessage } from "./proof.ts";
import { Watches } from "./watches.ts";
import type { Credential, Evidence, SpiffeId } from "./words.ts";

export interface SignedPorts {
  /** The credential in force, or the promise of one that this request fetches itself; undefined where there is none to be had. */
  readonly credential: () => Credential | undefined | Promise<Credential | undefined>;
  readonly clock: Clock;
  /** A text that this key has not signed yet: 1 to 64 characters of printable ASCII without quotes and backslashes. */
  readonly nonce: () => string;
  /** By what signed answers are judged. Absent: none is believed. */
  readonly answers?: BelievedPorts;
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
    /** Whether answers must be signed by the recipient; absent: not. */
    readonly responses?: "signed";
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
 * Where the recipient's document says that answers are signed, one that it has not rightly signed for this very
 * attempt is refused with `answer-unverified`.
 *
 * Where the recipient takes the platform's word and is reached by a service binding, there is no cryptography at all.
 * Refuses without a credential (`mesh-not-ready`), and bodies above the limit where the policy says so.
 */
export const signed = ({ credential, clock, nonce, answers }: SignedPorts) => {
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
    const digested = await withDigest(message, recipient.settings);
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
    const asked: Asked = { method, url: url.href, nonce: nonce() };
    const signResponse = recipient.settings.responses === "signed";
    const proof = { audience, credential: held, now: clock.now(), nonce: asked.nonce, signResponse };
    const signature = await signMessage({ ...asked, headers }, proof);
    if (!signature.ok) return no({ kind: "internal", detail: signature.reason });
    if (!signResponse) return next(exchange);
    const answer = await next(exchange);
    return answer.ok ? believed(answer.value, asked, recipient, answers) : answer;
  }
};

/** Lets an answer go unread. Whether its sender takes note that nobody reads it is its affair. */
const discard = ({ body }: Response): void => void body?.cancel().catch(() => undefined);
