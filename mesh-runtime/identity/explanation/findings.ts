import type { IdentityStep, Refusal } from "../../foundation/refusal.ts";
import type { Result } from "../../foundation/result.ts";
import type { Unverified } from "../svid.ts";

/** One check of a request's identity, and what came of it. */
export interface IdentityCheck {
  readonly name: string;
  /** The clause that it answers; empty where it is the mesh's own. */
  readonly standard: string;
  /** `not reached`: an earlier one had failed. `not known`: it cannot be made with what is there. */
  readonly outcome: "passed" | "failed" | "not reached" | "not known";
  /** What was found: never a token, a signature or a body. */
  readonly seen: readonly string[];
  /** Where it failed: the step and the reason, as the access log of a worker has them; or why it is not known. */
  readonly detail?: string;
}

/** A step of the identity and the reason, where a check failed. */
type Fault = readonly [step: IdentityStep, detail: string];

/** Longest text of one value that a caller chose. */
const maxStated = 160;

/** A value that a caller chose, in a form that cannot be taken for another. */
export function stated(value: unknown): string {
  const text = typeof value === "string" && plain.test(value) ? value : (JSON.stringify(value) ?? "absent");
  return text.length > maxStated ? `${text.slice(0, maxStated)}… (${text.length} characters)` : text;
}

const plain = /^[\x21\x23-\x7e]+$/;

/** A time, and how far it is from the one that is judged by. */
export function timeText(what: string, at: number, now: number): string {
  const when = Math.abs(at) <= maxTimeMs ? new Date(at).toISOString() : stated(at / 1_000);
  if (at === now) return `${what} ${when}, just then`;
  return `${what} ${when}, ${spanText(Math.abs(at - now))} ${at < now ? "before" : "after"}`;
}

/** The last time that a `Date` can tell, milliseconds since the Unix epoch. */
const maxTimeMs = 8.64e15;

/** A span in the unit that people would say it in: `3 min`, `2 h`. */
export function spanText(ms: number): string {
  const [unit, size] = units.find(([, size]) => ms >= size) ?? ["ms", 1];
  return `${Math.floor(ms / size)} ${unit}`;
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** The checks of one request in their order; after the first that fails none is reached. */
export class Findings {
  readonly #checks: IdentityCheck[] = [];
  #fault: Fault | undefined;

  get checks(): readonly IdentityCheck[] {
    return this.#checks;
  }

  /** The first check that failed, as a worker would refuse it. */
  get refusal(): Refusal | undefined {
    if (this.#fault === undefined) return undefined;
    const [step, detail] = this.#fault;
    return { kind: "unidentified", step, detail };
  }

  /** @param fault undefined where the check passes */
  tell(name: string, standard: string, seen: readonly string[], fault: Fault | undefined): void {
    if (this.#fault !== undefined) this.#checks.push({ name, standard, outcome: "not reached", seen });
    else if (fault === undefined) this.#checks.push({ name, standard, outcome: "passed", seen });
    else this.#checks.push({ name, standard, outcome: "failed", seen, detail: detailOf(fault) });
    this.#fault ??= fault;
  }

  /** @param result undefined where the check could not be made, because an earlier one failed */
  tellResult(
    name: string,
    standard: string,
    seen: readonly string[],
    result: Result<unknown, Unverified> | undefined,
  ): void {
    const fault = result === undefined || result.ok ? undefined : result.reason;
    this.tell(name, standard, seen, fault && [fault.step, fault.detail]);
  }

  tellRefusal(
    name: string,
    standard: string,
    seen: readonly string[],
    result: Result<unknown, Refusal>,
  ): void {
    this.tell(name, standard, seen, result.ok ? undefined : faultOf(result.reason));
  }

  /** A check that cannot be made here. */
  unknown(name: string, standard: string, why: string): void {
    const outcome = this.#fault === undefined ? "not known" : "not reached";
    this.#checks.push({ name, standard, outcome, seen: [], detail: why });
  }

  /** Holds what was found against what a worker says; the worker is right, and a difference is shown as one. */
  settle(refusal: Refusal | undefined): void {
    const fault = refusal && faultOf(refusal);
    if (fault?.join() === this.#fault?.join()) return;
    this.#fault = undefined;
    this.tell("the worker's own verdict, which differs", "", [], fault);
  }
}

const detailOf = ([step, detail]: Fault): string => `${step}: ${detail}`;

function faultOf(refusal: Refusal): Fault {
  switch (refusal.kind) {
    case "unidentified":
      return [refusal.step, refusal.detail];
    case "body-too-large":
      return [
        "digest",
        `the body is larger than ${refusal.limitBytes} bytes, which is the most that is compared`,
      ];
    default:
      return ["missing", refusal.kind];
  }
}
