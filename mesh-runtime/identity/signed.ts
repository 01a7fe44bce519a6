import type { Answer, Message } from "../foundation/exchange.ts";
import { header, identityHeaders } from "../foundation/headers.ts";
import { layer, type Step } from "../foundation/layer.ts";
import type { Clock, Endpoint } from "../foundation/ports.ts";
import { no } from "../foundation/result.ts";
import type { Asked } from "./answer-proof.ts";
import { type BelievedPorts, believed } from "./believed.ts";
import { withDigest } from "./digested.ts";
import { signMessage } from "./proof.ts";
import type { Session } from "./session-grant.ts";
import { Sessions } from "./sessions.ts";
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
  /** The sessions of this isolate: whatever policy comes into force, they go on. @default none yet, its own */
  readonly sessions?: Sessions;
  /** Adds one to a named counter. */
  readonly count?: (counter: string) => void;
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
    /** Whether each request has to be signed; absent: a session may prove several. */
    readonly sessionProofs?: "refused";
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
 * A recipient that is called often, and tells a key to agree sessions with, gets proofs by session: a MAC for a
 * signature. One that does not believe it is signed to at once, as whoever cannot be sent a request twice always is:
 * where the body is a stream, where answers must be signed (an unsigned one may not have anything sent again), where a
 * request may come once (a second one has another nonce), and in another mesh.
 *
 * Where the recipient's document says that answers are signed, one that it has not rightly signed for this very
 * attempt is refused with `answer-unverified`.
 *
 * Where the recipient takes the platform's word and is reached by a service binding, there is no cryptography at all.
 * Refuses without a credential (`mesh-not-ready`), and bodies above the limit where the policy says so.
 */
export const signed = ({
  credential,
  clock,
  nonce,
  answers,
  sessions = new Sessions(),
  count = () => undefined,
}: SignedPorts) => {
  const watches = new Watches();
  return layer<Proving, object, Answer>("signed", (next) => (exchange) => {
    const { message, recipient } = exchange;
    for (const name of identityHeaders) message.headers.delete(name);
    const bound = recipient.endpoint?.address.kind === "binding";
    return bound && recipient.settings.evidence === "binding" ? next(exchange) : proven(exchange, next);
  });

  /** @param why why this is sent once more: because of what the first answer told, or because it did not believe a session */
  async function proven<Known extends Proving>(
    exchange: Known,
    next: Step<Known, Answer>,
    why?: "told" | "disbelieved",
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
    const isSigned = signsEach(settings) || headers.has(header.replay) || isOnce(digested.value);
    const session = isSigned || why === "disbelieved" ? undefined : await sessionWith(audience, held, now);
    const proof = { audience, credential: held, now, nonce: asked.nonce, signResponse, session };
    const signature = await signMessage({ method, url: asked.url, headers }, proof);
    if (!signature.ok) return no({ kind: "internal", detail: signature.reason });
    const ready = digested.value === message ? exchange : { ...exchange, message: digested.value };
    const came = await next(ready);
    if (session !== undefined && isDisbelieved(came)) {
      sessions.refused(audience, session, clock.now());
      count("session_proofs_disbelieved");
      discard(came.value);
      return proven(ready, next, "disbelieved");
    }
    if (session === undefined && !isSigned && came.ok)
      sessions.signed(audience, came.value.headers.get(header.sessionKey), clock.now());
    const answer = signResponse && came.ok ? await believed(came.value, asked, recipient, answers) : came;
    // The application has seen nothing, and what was missing is known now: no try that any budget could want to save.
    const isTold =
      answer.ok && answer.value.status === 503 && watches.hear(audience, answer.value.headers, headers);
    if (!isTold || why === "told" || isOnce(ready.message)) return answer;
    discard(answer.value);
    return proven(ready, next, "told");
  }

  /** The session with a recipient, if there is one, or it is time to begin one. */
  async function sessionWith(audience: string, held: Credential, now: number): Promise<Session | undefined> {
    const next = sessions.next(audience, held, now);
    if (!(next instanceof Promise)) return next;
    const begun = await next;
    count(begun === undefined ? "session_proofs_failed" : "session_proofs_begun");
    return begun;
  }
};

/** Whether each request to a recipient has to be signed. An unsigned answer may not have a request sent again, where they are to be signed. */
const signsEach = ({ sessionProofs, responses, trustDomain }: Recipient["settings"]): boolean =>
  sessionProofs !== undefined || responses !== undefined || trustDomain !== undefined;

/** Whether a message can be sent only once: its body is read while it leaves. */
const isOnce = ({ body }: Pick<Message, "body">): boolean => body instanceof ReadableStream;

/** Whether the recipient's mesh does not know who calls, so that its application has seen nothing. */
const isDisbelieved = (answer: Answer): answer is { readonly ok: true; readonly value: Response } =>
  answer.ok && answer.value.status === 400 && answer.value.headers.get(header.problem) === "unidentified";

/** Lets an answer go unread. Whether its sender takes note that nobody reads it is its affair. */
const discard = ({ body }: Response): void => void body?.cancel().catch(() => undefined);
