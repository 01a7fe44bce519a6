import type { Choosing } from "../../../../mesh-runtime/routing/balancing/choose.ts";
import { chooseEndpoint } from "../../../../mesh-runtime/routing/balancing/choose.ts";
import { type EndpointLoad, newLoad } from "../../../../mesh-runtime/routing/balancing/endpoint-load.ts";
import type { BalancingSettings, Placement } from "../../../../mesh-runtime/routing/words.ts";

/** Random numbers of which every run has the same (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
  };
}

/** An endpoint called so. */
export const place = (name: string, more: Partial<Placement> = {}): Placement => ({
  name,
  weight: 1,
  priority: 0,
  ...more,
});

export const settings = (more: Partial<BalancingSettings> = {}): BalancingSettings => ({
  algorithm: "LeastRequest",
  slowStartMs: 0,
  preferLocal: true,
  ...more,
});

/** A destination's endpoints with their loads, and a choice among them. */
export interface Pool {
  readonly placements: readonly Placement[];
  readonly loads: readonly EndpointLoad[];
  /** The name of the endpoint that is chosen. */
  choose(more?: Partial<Choosing>): string;
  load(name: string): EndpointLoad;
}

export function pool(
  placements: readonly Placement[],
  balancing: Partial<BalancingSettings> = {},
  random: () => number = seeded(7),
): Pool {
  const loads = placements.map(({ name }) => newLoad(name, 0));
  return {
    placements,
    loads,
    choose(more = {}) {
      const position = chooseEndpoint({
        placements,
        loads,
        settings: settings(balancing),
        tried: [],
        here: undefined,
        key: undefined,
        now: 0,
        random,
        ...more,
      });
      return placements[position]?.name ?? "";
    },
    load(name) {
      const load = loads[placements.findIndex((each) => each.name === name)];
      if (load === undefined) throw new Error(`no endpoint ${name}`);
      return load;
    },
  };
}

/** How often each name was chosen. */
export function tally(times: number, choose: (index: number) => string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < times; index++) {
    const name = choose(index);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
