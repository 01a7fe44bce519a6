import type { Answer, Cause, Message } from "../foundation/exchange.ts";
import { Fields } from "../foundation/fields.ts";
import { layer } from "../foundation/layer.ts";
import type { Background, Random } from "../foundation/ports.ts";
import { asksForWebSocket } from "../foundation/web-socket.ts";
import { bodyToShare, type SharedBody } from "./shared-body.ts";
import type { Filter, Matched, Mirror } from "./words.ts";

/** A copy of a request on its way to a mirror. */
export interface Copy<Recipient> {
  /** Its headers are its own; its body is null. */
  readonly message: Message;
  /** The whole body, once it is here; undefined when there will be none to send. */
  readonly body: SharedBody;
  readonly recipient: Recipient;
  /** When the request must be over, which brings the body: absolute; undefined without a limit. */
  readonly deadlineAt: number | undefined;
  /** The rule that asks for it. */
  readonly ruleName: string;
  readonly cause: Cause | undefined;
  readonly background: Background;
}

/** Sends copies of a message to the mirrors among filters; see {@link mirrored}. */
export type CopyTo = (filters: readonly Filter[], message: Message) => void;

/** What `mirrored` adds: with what `balanced` serves the mirrors of the backend that it chooses. */
export interface Mirrored {
  /** Undefined where nothing of the rule is mirrored this time. */
  readonly copyTo: CopyTo | undefined;
}

/** What `mirrored` must know: the rule, the body that it shares, and who the mirrors are. */
export interface Mirroring<Recipient> {
  readonly message: Message;
  readonly matched: Matched | undefined;
  readonly ruleName: string;
  readonly deadlineAt: number | undefined;
  readonly cause: Cause | undefined;
  readonly background: Background;
  readonly traffic: { readonly retry: { readonly maxReplayBytes: number } };
  readonly policy: { readonly destination: (key: string) => Recipient | undefined };
}

export interface MirroredPorts<Recipient> {
  readonly random: Random;
  /** Carries a copy to its mirror. Never rejects: what becomes of a copy is nobody's business here. */
  readonly carry: (copy: Copy<Recipient>) => Promise<void>;
  /** A copy that was due could not even be made. */
  readonly dropped: () => void;
}

/**
 * After this layer the mirrors of the rule have been sent their copies: of the message after the rule's request
 * filters, once, however often the request is tried. Those of a backend get theirs when `balanced` chooses it.
 * Each is drawn for itself; all that are drawn are served (Gateway API `HTTPRequestMirrorFilter`).
 *
 * Never refuses, and no mirror can make the request fail or wait: the request goes first, copies travel in the
 * background by a journey of their own, and their bodies are what the request itself has read, up to
 * `maxReplayBytes` of its destination. A copy that cannot be made is dropped and counted: its mirror is unusable or
 * unknown, its body is larger or breaks off, or it became a WebSocket, which a copy could not answer for. Whether it
 * did is known by the answer alone: who asks for one and is answered otherwise has sent an ordinary request, and a copy
 * of it leaves then. Otherwise a header would be enough to keep a request from its mirrors.
 *
 * A request under a rule without mirrors passes as it is.
 */
export const mirrored = <Recipient>({ random, carry, dropped }: MirroredPorts<Recipient>) =>
  layer<Mirroring<Recipient>, Mirrored, Answer>("mirrored", (next) => (exchange) => {
    const due = drawn(exchange.matched, random);
    // An absent member reads as undefined: for most requests there is nothing to add, and no object is made.
    if (due === undefined) return next(exchange as typeof exchange & Mirrored);

    const { message, policy, background, cause, ruleName, deadlineAt } = exchange;
    const { main, shared } = bodyToShare(message, exchange.traffic.retry.maxReplayBytes);
    const held = asksForWebSocket(message) ? untilAnswered() : undefined;

    const copyTo: CopyTo = (filters, from) => {
      for (const mirror of filters) {
        if (mirror.type !== "RequestMirror" || !due.delete(mirror)) continue;
        const recipient = mirror.unusable === undefined ? policy.destination(mirror.service) : undefined;
        if (recipient === undefined || shared === undefined) {
          dropped();
          continue;
        }
        const own: Message = { ...from, headers: new Fields(from.headers), body: null };
        const copy = { message: own, body: shared, recipient, deadlineAt, ruleName, cause, background };
        if (held !== undefined) own.headers.delete("upgrade");
        try {
          background.run(held?.became.then((socket) => (socket ? dropped() : carry(copy))) ?? carry(copy));
        } catch {
          // The runtime takes no more work for this request, which is on its way and must not hear of it.
          dropped();
        }
      }
    };
    const answer = next({ ...exchange, message: { ...message, body: main }, copyTo });
    copyTo(exchange.matched?.rule.filters ?? [], message);
    held?.answeredBy(answer);
    return answer;
  });

/** What holds copies back until it is known whether a WebSocket came of their request. */
function untilAnswered() {
  let tell: (socket: boolean) => void = () => undefined;
  const became = new Promise<boolean>((resolve) => {
    tell = resolve;
  });
  const answeredBy = (answer: Promise<Answer>): void => {
    answer.then(
      (ended) => tell(ended.ok && ended.value.status === 101),
      () => tell(false),
    );
  };
  return { became, answeredBy };
}

/** The mirrors of a rule and its backends to which this request goes; undefined for none. */
function drawn(matched: Matched | undefined, random: Random): Set<Mirror> | undefined {
  if (matched === undefined) return undefined;
  let due: Set<Mirror> | undefined;
  const draw = (filters: readonly Filter[]): void => {
    for (const filter of filters) {
      if (filter.type !== "RequestMirror" || random() * filter.denominator >= filter.numerator) continue;
      due ??= new Set();
      due.add(filter);
    }
  };
  const { filters, backends } = matched.rule;
  draw(filters);
  for (const backend of backends) draw(backend.filters);
  return due;
}
