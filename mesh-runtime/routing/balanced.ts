import type { Answer, Message, Noted } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Random } from "../foundation/ports.ts";
import { no, ok } from "../foundation/result.ts";
import { corsAmong, isPreflight, preflightAnswer } from "./cors.ts";
import { applyRequestFilters, applyResponseFilters } from "./filter.ts";
import type { Mirrored } from "./mirrored.ts";
import { redirectAmong, redirectOf } from "./redirect.ts";
import { split } from "./split.ts";
import type { Balanced, Persisted, Routed, Target } from "./words.ts";

/** What `balanced` must know: the rule, where earlier attempts went, and who the backends are. */
export interface Balancing<Recipient extends object> extends Routed, Mirrored, Persisted, Noted {
  readonly message: Message;
  readonly target: Target;
  readonly tried: readonly string[];
  readonly policy: { readonly destination: (key: string) => Recipient | undefined };
}

/**
 * After this layer it is known which backend this attempt goes to (the one where its session is, otherwise one by
 * weight), and that backend's own filters have
 * been applied to the attempt and will be to its answer, its mirrors served. Filters of backends that
 * were not chosen do nothing, and the routes of the chosen one do not run again (GEP-1294).
 *
 * Refuses with `no-backend` when the choice falls on a backend that cannot be used or is unknown, and
 * when none has weight. A backend whose filter redirects answers at once, as does one with CORS to
 * preflights.
 */
export const balanced = <Recipient extends object>({ random }: { readonly random: Random }) =>
  layer<Balancing<Recipient>, Balanced & { recipient: Recipient; message: Message }, Answer>(
    "balanced",
    (next) => async (exchange) => {
      const { message, target, matched, notes, session } = exchange;
      const backend = session?.pinned?.backend ?? split(exchange.backends, exchange.tried, random());
      if (backend === undefined) return noBackend(exchange, "no backend of the rule has weight");
      const { service, filters, unusable } = backend;

      if (unusable !== undefined) return noBackend(exchange, `${service} cannot be used: ${unusable}`);
      if (isPreflight(message) && corsAmong(filters) !== undefined)
        return ok(applyResponseFilters(preflightAnswer(), filters, message));
      const redirect = redirectAmong(filters);
      if (redirect !== undefined)
        return ok(
          applyResponseFilters(
            redirectOf(redirect, message.url, matched, target.listenerPort),
            filters,
            message,
          ),
        );
      const recipient = exchange.policy.destination(service);
      if (recipient === undefined) return noBackend(exchange, `${service} is not known here`);

      notes.backend = service;
      if (session !== undefined) session.taken = { service, endpoint: "" };
      const filtered = applyRequestFilters(message, filters, matched);
      const answering = next({ ...exchange, backend, recipient, message: filtered });
      exchange.copyTo?.(filters, filtered);
      const answer = await answering;
      // Where the mesh could not take it, a session has ended: the next attempt begins one elsewhere.
      if (!answer.ok && session !== undefined) session.pinned = undefined;
      return answer.ok ? ok(applyResponseFilters(answer.value, filters, message)) : answer;
    },
  );

const noBackend = ({ destination, ruleName }: Routed, detail: string): Answer =>
  no({ kind: "no-backend", destination, rule: ruleName, detail });
