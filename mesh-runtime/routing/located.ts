import { isWhole } from "../foundation/breaking-stream.ts";
import type { Answer, Message, Noted } from "../foundation/exchange.ts";
import { layer, type Step } from "../foundation/layer.ts";
import type { Clock, Endpoint, Random } from "../foundation/ports.ts";
import { timedOut } from "../foundation/time-limit.ts";
import { chooseEndpoint } from "./balancing/choose.ts";
import { begun, type End, type EndpointLoad, ended, standingOf } from "./balancing/endpoint-load.ts";
import type { EndpointLoads } from "./balancing/endpoint-loads.ts";
import { hashKeyOf } from "./balancing/hash-key.ts";
import type { BalancingSettings, Here, Persisted, Placement, Session } from "./words.ts";

type Place = Placement & { readonly address: Endpoint };

/** What `located` must know: a destination, and its endpoints where it has several. */
export interface Locating<Recipient extends { readonly endpoint: Place | undefined }>
  extends Noted,
    Persisted {
  readonly message: Message;
  readonly signal: AbortSignal | undefined;
  readonly recipient: Recipient & {
    readonly settings: { readonly key: string };
    readonly balancing: BalancingSettings;
    readonly choice: readonly (Recipient & { readonly endpoint: Place })[];
  };
  /** What earlier attempts went to: keys of backends, and for an endpoint of several `key name`. */
  readonly tried?: readonly string[];
}

export interface LocatedPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly loads: EndpointLoads;
  /** Where this isolate runs, as far as it knows. */
  readonly here: () => Here | undefined;
}

/**
 * After this layer it is known which endpoint of the backend this attempt goes to, and that endpoint's load hears how
 * it ended. Most destinations have one, and nothing is chosen. Never refuses.
 *
 * A session stays at its endpoint as long as that one can be used, whatever its weight.
 */
export const located = <Recipient extends { readonly endpoint: Place | undefined }>({
  clock,
  random,
  loads,
  here,
}: LocatedPorts) => {
  return layer<Locating<Recipient>, { readonly recipient: Recipient }, Answer>(
    "located",
    (next) => (exchange) => {
      const { recipient, notes, session } = exchange;
      if (recipient.choice.length > 0) return chosen(exchange, next);
      notes.endpoint = "";
      if (session?.taken !== undefined) session.taken.endpoint = recipient.endpoint?.name ?? "";
      return next(exchange);
    },
  );

  async function chosen<Known extends Locating<Recipient>>(
    exchange: Known,
    next: Step<Known & { readonly recipient: Recipient }, Answer>,
  ): Promise<Answer> {
    const { message, recipient, notes, session, signal } = exchange;
    const { choice, settings } = recipient;
    const now = clock.now();
    const known = loads.of(settings.key, choice, now);
    const position = pinned(session, choice, known, now) ?? balanced(exchange, known, now);
    const load = known[position];
    const to = choice[position];
    // The schema sees to it that an endpoint has weight.
    if (load === undefined || to === undefined) return next(exchange);

    notes.endpoint = to.endpoint.name;
    if (session?.taken !== undefined) session.taken.endpoint = to.endpoint.name;
    const flight = begun(load, now);
    let end: End = "neutral";
    try {
      const answer = await next({ ...exchange, recipient: to });
      end = endOf(answer, to.endpoint.address, isWhole(message.body) ? signal : undefined);
      return answer;
    } finally {
      ended(load, flight, end, clock.now());
    }
  }

  function balanced(exchange: Locating<Recipient>, known: readonly EndpointLoad[], now: number): number {
    const { recipient, message, tried = [] } = exchange;
    const { balancing: settings } = recipient;
    const mark = `${recipient.settings.key} `;
    return chooseEndpoint({
      placements: recipient.choice.map(({ endpoint }) => endpoint),
      loads: known,
      settings,
      tried: tried.flatMap((each) => (each.startsWith(mark) ? [each.slice(mark.length)] : [])),
      key: settings.hashOn === undefined ? undefined : hashKeyOf(message, settings.hashOn),
      here: here(),
      now,
      random,
    });
  }
};

/** Where an endpoint fails, or is gone, a session moves to another of its backend. */
function pinned(
  session: Session | undefined,
  choice: readonly { readonly endpoint: Place }[],
  known: readonly EndpointLoad[],
  now: number,
): number | undefined {
  const { pinned: to } = session ?? {};
  if (to === undefined) return undefined;
  const position = choice.findIndex(({ endpoint }) => to.isEndpoint(endpoint.name));
  const load = known[position];
  return load === undefined || standingOf(load, now) === "ejected" ? undefined : position;
}

/** Statuses with which Cloudflare's `fetch` says that an origin could not be reached, where others throw. */
const unreached: ReadonlySet<number> = new Set([521, 522, 523, 525, 526, 530]);

/**
 * What an attempt's end says about its endpoint. Answers of an application are its own affair; the circuit judges
 * them. A limit of time that ended says something only where the whole request had been sent: see `guarded`.
 */
function endOf(answer: Answer, { kind }: Endpoint, signal: AbortSignal | undefined): End {
  if (answer.ok) {
    const { status } = answer.value;
    if (kind === "url" && unreached.has(status)) return "failed";
    return status === 429 || status >= 502 ? "laboured" : "answered";
  }
  const { kind: reason } = answer.reason;
  // Who cannot answer as the destination is not it, or cannot be reached behind somebody who answers in its place.
  if (
    reason === "unreachable" ||
    reason === "answer-unverified" ||
    (reason === "cancelled" && signal !== undefined && timedOut(signal))
  )
    return "failed";
  return "neutral";
}
