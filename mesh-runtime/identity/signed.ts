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

  /** @param again whether this is sent because of what the first answer told */
  async function proven<Known extends Proving>(
    exchange: Known,
    next: Step<Known, Answer>,
    again = false,
  ): Promise<Answer> {
    const { message, recipient } = exchange;
    const { headers, method, url } = message;
    const { settings } = recipient;
    const audience = recipient.id.uri;
    // Which policy is in force here is no other mesh's business.
    if (settings.trustDomain !== undefined) headers.delete(header.epoch);
    const present = credential();
    const held = present instanceof Promise ? await present : present;
    const now = clock.now();
    if (held === undefined || held.expiresAt <= now) {
      return no({
        kind: "mesh-not-ready",
        detail: "this isolate has no credential to sign with",
        retryAfterMs: 1_000,
      });
    }
    const digested = await withDigest(message, settings);
    if (!digested.ok) return digested;
    watches.mention(audience, headers);
    const signResponse = settings.responses === "signed";
    const asked: Asked = { method, url: url.href, nonce: nonce(), token: held.wit };
    const proof = { audience, credential: held, now, nonce: asked.nonce, signResponse };
    const signature = await signMessage({ method, url: asked.url, headers }, proof);
    if (!signature.ok) return no({ kind: "internal", detail: signature.reason });
    const ready = digested.value === message ? exchange : { ...exchange, message: digested.value };
    const came = await next(ready);
    const answer = signResponse && came.ok ? await believed(came.value, asked, recipient, answers) : came;
    // The application has seen nothing, and what was missing is known now: no try that any budget could want to save.
    const isTold =
      answer.ok && answer.value.status === 503 && watches.hear(audience, answer.value.headers, headers);
    if (!isTold || again || ready.message.body instanceof ReadableStream) return answer;
    discard(answer.value);
    return proven(ready, next, true);
  }
};

/** Lets an answer go unread. Whether its sender takes note that nobody reads it is its affair. */
const discard = ({ body }: Response): void => void body?.cancel().catch(() => undefined);
