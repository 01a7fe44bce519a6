import type { Random } from "../../foundation/ports.ts";
import type { BalancingSettings } from "../words.ts";
import { drawn } from "./draw.ts";
import { eligible, type Standing } from "./eligible.ts";
import { costOf, type EndpointLoad, standingOf } from "./endpoint-load.ts";
import { leastRequest } from "./least-request.ts";
import { ringHash } from "./ring-hash.ts";
import { roundRobin } from "./round-robin.ts";
import { rampedWeight } from "./slow-start.ts";

/** All that the choice of an endpoint depends on. */
export interface Choosing extends Omit<Standing, "preferLocal"> {
  readonly settings: BalancingSettings;
  /** Hash of what requests are kept together by; undefined where this one does not say it. */
  readonly key: number | undefined;
  readonly random: Random;
}

/**
 * Chooses an endpoint.
 *
 * One that was left out and may be probed goes first, once, so that it comes back as soon as it works; with RingHash
 * by a request that belongs there, so that no other loses its place.
 *
 * @returns its position; -1 where none has weight
 */
export function chooseEndpoint(choosing: Choosing): number {
  const { settings, loads, placements, now, random, key } = choosing;
  const positions = eligible({ ...choosing, preferLocal: settings.preferLocal });
  const own = positions.map((position) => loads[position]).filter((load) => load !== undefined);
  const hashing = settings.algorithm === "RingHash" && key !== undefined;

  const due = hashing ? -1 : own.findIndex((load) => standingOf(load, now) === "due");
  if (due !== -1) return positions[due] ?? -1;

  const weights = positions.map((position, index) => {
    const weight = placements[position]?.weight ?? 0;
    // A weight that grows would move keys from where they belong.
    return settings.algorithm === "RingHash"
      ? weight
      : rampedWeight(weight, own[index]?.since ?? 0, now, settings.slowStartMs);
  });
  return positions[chosen(settings.algorithm, own, weights, key, now, random)] ?? -1;
}

function chosen(
  algorithm: BalancingSettings["algorithm"],
  loads: readonly EndpointLoad[],
  weights: readonly number[],
  key: number | undefined,
  now: number,
  random: Random,
): number {
  switch (algorithm) {
    case "LeastRequest":
      return leastRequest(weights, (position) => cost(loads[position], now), random);
    case "RoundRobin":
      return roundRobin(loads, weights);
    case "Random":
      return drawn(weights, random());
    case "RingHash":
      // Without a key a request belongs nowhere (Envoy: any).
      return key === undefined
        ? drawn(weights, random())
        : ringHash(
            key,
            loads.map(({ hash }) => hash),
            weights,
          );
  }
}

const cost = (load: EndpointLoad | undefined, now: number): number =>
  load === undefined ? 0 : costOf(load, now);
