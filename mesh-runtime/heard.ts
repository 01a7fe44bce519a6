import type { Answer } from "./foundation/exchange.ts";
import { layer } from "./foundation/layer.ts";
import type { Identified } from "./identity/words.ts";

/**
 * Hears from an identified caller which policy epoch it knows. Never refuses.
 *
 * Only behind `identified`, which hears nobody else: a stranger who could name epochs
 * could make this isolate ask control for news as often as it pleases. Before `authorized`, because whom a
 * stale policy denies may be the very one who knows of the newer.
 */
export const heard = (hear: (epoch: string | null) => void) =>
  layer<Identified, object, Answer>("heard", (next) => (exchange) => {
    hear(exchange.said.epoch);
    return next(exchange);
  });
