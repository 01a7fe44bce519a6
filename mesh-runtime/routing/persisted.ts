import type { Answer, Message } from "../foundation/exchange.ts";
import { layer, type Step } from "../foundation/layer.ts";
import type { Clock } from "../foundation/ports.ts";
import { ok } from "../foundation/result.ts";
import { pinnedIn, sessionHeader } from "./session.ts";
import type { Persisted, Routed, Session, SessionSettings } from "./words.ts";

interface Persisting extends Pick<Routed, "matched" | "backends" | "destination"> {
  readonly message: Message;
}

/**
 * After this layer it is known where the requests of this one's session went before, if its rule keeps sessions
 * (GEP-1619), and an answer from elsewhere begins the session anew. Never refuses: what a request says of its
 * session and cannot be read is as if it were not said.
 */
export const persisted = ({ clock }: { readonly clock: Clock }) => {
  return layer<Persisting, Persisted, Answer>("persisted", (next) => (exchange) => {
    const settings = exchange.matched?.rule.session;
    return settings === undefined
      ? next(exchange as typeof exchange & Persisted)
      : kept(exchange, settings, next);
  });

  async function kept<Known extends Persisting>(
    exchange: Known,
    settings: SessionSettings,
    next: Step<Known & Persisted, Answer>,
  ): Promise<Answer> {
    const { message, matched, backends, destination } = exchange;
    // Services without routes have a rule of one name each.
    const named = matched?.rule.name ?? "default";
    const rule = named === "default" ? destination : named;
    // Attempts change headers, and these are what the client said.
    const { headers } = message;
    const before = pinnedIn(headers, settings, rule, backends, clock.now());
    const session: Session = { pinned: before, taken: undefined };
    const answer = await next({ ...exchange, session });
    const { taken } = session;
    if (!answer.ok || taken === undefined) return answer;
    if (before?.backend.service === taken.service && before.isEndpoint(taken.endpoint)) return answer;
    const secure = message.url.protocol === "https:";
    const { name, value } = sessionHeader(headers, settings, rule, taken, clock.now(), secure);
    // Headers of a response that was fetched are immutable.
    const response = new Response(answer.value.body, answer.value);
    response.headers.append(name, value);
    return ok(response);
  }
};
