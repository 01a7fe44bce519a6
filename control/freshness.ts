import type { CircuitAnswer, Verdict } from "@tulle/mesh-runtime/resilience/words.ts";
import type { Env } from "./env.ts";
import { issuer, policyStore } from "./objects.ts";
import type { ServiceView } from "./policy-store/shelf.ts";

/** How long what an isolate of control knows of the mesh may be used without asking again, milliseconds. */
export const freshForMs = 250;
/** How long a circuit that is not closed is told to those who join, milliseconds; then it is asked for again. */
const circuitForMs = 30_000;
const maxCircuits = 256;

/** What an isolate of control knows of the mesh: plain data with a deadline, replaced whole. */
export interface MeshKnowledge {
  readonly epoch: number;
  readonly services: ReadonlyMap<string, ServiceView>;
  readonly bundleSequence: number;
  readonly readAt: number;
}

/**
 * Keeps what the objects said last, so that many reports cost them few questions. Nobody waits for another's
 * question: whoever finds the knowledge too old asks, and the newest answer stays.
 */
export class Freshness {
  #known: MeshKnowledge | undefined;
  /** Until when no epoch that is told has anybody asked out of turn, milliseconds since the Unix epoch: who was believed last is yet to be shown right. */
  #doubtsUntil = 0;
  #lost = 0;
  readonly #circuits = new Map<string, { readonly verdict: Verdict; readonly at: number }>();

  /**
   * The mesh as it was at most 250 ms ago, or as it was last known if the objects do not answer.
   * @param atLeast an epoch that somebody says he has seen: knowledge older than that is too old at any age. Who says
   * so may lie, so one of them is believed at a time, and while he is not shown right nobody for as long as knowledge
   * is fresh: made-up epochs cost one question more in that time, however many come
   * @throws if nothing is known yet and the store does not answer
   */
  async mesh(env: Env, now: number, atLeast = 0): Promise<MeshKnowledge> {
    const known = this.#known;
    const isFresh = known !== undefined && now - known.readAt < freshForMs;
    const isHurried = isFresh && known.epoch < atLeast && now >= this.#doubtsUntil;
    if (isFresh && !isHurried) return known;
    if (isHurried) this.#doubtsUntil = now + freshForMs;
    const [view, bundle] = await Promise.allSettled([
      policyStore(env).view(known?.epoch ?? -1),
      issuer(env).bundleSequence(),
    ]);
    if (view.status === "rejected") {
      if (known !== undefined) return known;
      throw view.reason;
    }
    const { epoch, services } = view.value;
    if (isHurried && epoch >= atLeast) this.#doubtsUntil = now;
    const next: MeshKnowledge = {
      epoch,
      services: services === undefined ? (known?.services ?? new Map()) : byName(services),
      bundleSequence: bundle.status === "fulfilled" ? bundle.value : (known?.bundleSequence ?? 0),
      readAt: now,
    };
    if (this.#known === undefined || this.#known.epoch <= next.epoch) this.#known = next;
    return next;
  }

  /** Parts of reports that no object took. */
  lose(parts: number): void {
    this.#lost += parts;
  }

  /** How many were lost since this was asked last; to be counted with the next report. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Remembers circuits that are not closed, for those who join next. */
  hear(answers: readonly CircuitAnswer[], now: number): void {
    for (const { verdict } of answers) {
      this.#circuits.delete(verdict.circuit);
      if (verdict.state !== "closed" && this.#circuits.size < maxCircuits) {
        this.#circuits.set(verdict.circuit, { verdict, at: now });
      }
    }
  }

  /** Verdicts on circuits that were not closed lately, with their age. */
  circuits(now: number): Verdict[] {
    for (const [circuit, { at }] of this.#circuits) {
      if (now - at > circuitForMs) this.#circuits.delete(circuit);
    }
    return [...this.#circuits.values()].map(({ verdict, at }) => ({
      ...verdict,
      ageMs: verdict.ageMs + Math.max(0, now - at),
    }));
  }
}

const byName = (services: readonly ServiceView[]): ReadonlyMap<string, ServiceView> =>
  new Map(services.map((each) => [each.service, each]));
