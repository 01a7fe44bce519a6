import type { Answer } from "./foundation/exchange.ts";
import { layer } from "./foundation/layer.ts";
import type { Loaded } from "./policy/loaded.ts";
import type { TrafficSettings } from "./resilience/words.ts";
import type { Matched } from "./routing/words.ts";

interface Governable {
  readonly matched: Matched | undefined;
  readonly policy: Pick<Loaded, "governing">;
  readonly traffic: TrafficSettings;
}

/** What `governed` adds to what is known. */
export interface Governed {
  /** The settings that hold for the request, whoever said them. */
  readonly traffic: TrafficSettings;
  /** Whose share retries are paid out of; absent: that of the destination. */
  readonly payer?: string | undefined;
}

/**
 * After this layer it is known whose settings hold for the request: those of the destination that it was addressed to,
 * or what the policies of the rule's backends say (`policy/governing.ts`). Never refuses.
 *
 * It stands behind the choice of the rule, because who is addressed at a gateway is nobody: a backend's policy would
 * otherwise hold for all its callers but those from outside.
 */
export const governed = () =>
  layer<Governable, Governed, Answer>("governed", (next) => (exchange) => {
    const { matched, policy } = exchange;
    const governing = matched && policy.governing?.get(matched.rule);
    if (governing === undefined) return next(exchange);
    const { traffic, payer } = governing;
    return next({ ...exchange, traffic, payer });
  });
