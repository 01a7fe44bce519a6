import { freshAgreement, persistable, receive, revive } from "../../../control/services/agreement.ts";
import type { Acquired, Permit } from "../../../mesh-runtime/resilience/circuit.ts";
import { CircuitBook } from "../../../mesh-runtime/resilience/circuit-book.ts";
import type { CircuitAnswer, CircuitReport, CircuitState } from "../../../mesh-runtime/resilience/words.ts";
import { circuitPolicy as policy, randomFrom } from "../resilience/examples.ts";

/** What happens, in virtual milliseconds. */
export interface Incident {
  readonly seed: number;
  readonly untilMs: number;
  readonly isolates: number;
  /** Requests a second of each isolate: the first has the most, the last the least. */
  readonly rps: readonly [most: number, least: number];
  /** Share of requests that the backend fails at this moment. */
  readonly failing: (at: number) => number;
  readonly authorityDown?: (at: number) => boolean;
  /** The object forgets everything that it does not persist, so often. */
  readonly evictEveryMs?: number;
  /** Whether each request brings the header of another isolate along. */
  readonly gossip?: boolean;
  /** Whether the holder of the n-th global permit is torn down before its outcome is known. */
  readonly losesProbe?: (n: number) => boolean;
}

export interface Moment {
  readonly at: number;
  readonly isolate: number;
  readonly what: "sent" | "refused" | "probe" | "local-probe";
}

export interface Course {
  readonly moments: readonly Moment[];
  readonly transitions: readonly { readonly at: number; readonly to: CircuitState }[];
  /** Calls to the object. */
  readonly calls: number;
  /** What the circuit is to an isolate at the end. */
  readonly states: readonly (CircuitState | undefined)[];
}

/** One way between an isolate and the object, and the backend's answers, milliseconds. */
const wayMs = 30;
const okMs = 50;
const failMs = 20;
const patienceMs = 300;

const key = "default/payments";

interface Isolate {
  readonly index: number;
  readonly book: CircuitBook;
  nextReportAt: number;
  scheduled: boolean;
}

/**
 * Many isolates, one authority and one backend in virtual time: the judgement is the real one, the
 * network and the clock are not. Isolates behave as the mesh does: they report when told to, ask when
 * the circuit says so, and wait for nobody.
 */
export function live(incident: Incident): Course {
  const random = randomFrom(incident.seed);
  const moments: Moment[] = [];
  const transitions: { at: number; to: CircuitState }[] = [];
  const queue = new Agenda();
  let agreement = freshAgreement(key, 1, 0);
  let calls = 0;
  let reportIds = 0;
  let granted = 0;
  let evictedAt = 0;

  const down = (at: number) => incident.authorityDown?.(at) ?? false;

  function authority(
    now: number,
    isolate: number,
    reportId: string,
    rows: readonly CircuitReport[],
  ): CircuitAnswer | undefined {
    calls += 1;
    if (incident.evictEveryMs !== undefined && now - evictedAt >= incident.evictEveryMs) {
      evictedAt = now;
      agreement = revive(JSON.parse(JSON.stringify(persistable(agreement))), key, now, now);
    }
    let answer: CircuitAnswer | undefined;
    for (const row of rows) {
      const received = receive(
        agreement,
        { ...row, isolate: `isolate-${isolate}`, reportId },
        now,
        policy,
        random,
      );
      agreement = received.agreement;
      if (received.transition) transitions.push({ at: now, to: received.transition.to });
      answer = received.answer;
    }
    return answer;
  }

  function call(
    now: number,
    isolate: Isolate,
    rows: readonly CircuitReport[],
    done: (answer: CircuitAnswer | undefined, at: number) => void,
  ): void {
    reportIds += 1;
    const reportId = `report-${reportIds}`;
    queue.add(now + wayMs, (there) => {
      const answer = down(there) ? undefined : authority(there, isolate.index, reportId, rows);
      queue.add(there + (answer === undefined ? patienceMs - wayMs : wayMs), (back) => done(answer, back));
    });
  }

  function touch(isolate: Isolate, now: number): void {
    if (isolate.scheduled || isolate.book.quiet()) return;
    isolate.scheduled = true;
    queue.add(Math.max(now, isolate.nextReportAt), (at) => {
      const rows = isolate.book.drain();
      call(at, isolate, rows, (answer, back) => {
        isolate.scheduled = false;
        if (answer === undefined) isolate.book.restore(rows);
        else isolate.book.learn(answer, back);
        isolate.nextReportAt = back + (answer?.nextReportMs ?? 1_000);
        touch(isolate, back);
      });
    });
  }

  function attempt(isolate: Isolate, permit: Permit, now: number): void {
    moments.push({ at: now, isolate: isolate.index, what: permit.kind === "pass" ? "sent" : permit.kind });
    if (permit.kind === "probe") {
      granted += 1;
      if (incident.losesProbe?.(granted)) return;
    }
    const fails = random() < incident.failing(now);
    queue.add(now + (fails ? failMs : okMs), (at) => {
      isolate.book.settle(key, permit, fails ? "failure" : "success", at, policy);
      touch(isolate, at);
    });
  }

  function follow(isolate: Isolate, { permit }: Acquired, now: number): void {
    if (permit !== undefined) {
      attempt(isolate, permit, now);
      return;
    }
    moments.push({ at: now, isolate: isolate.index, what: "refused" });
    touch(isolate, now);
  }

  function arrive(isolate: Isolate, now: number): void {
    const other = fleet[Math.floor(random() * fleet.length)];
    if (incident.gossip && other) isolate.book.hear(other.book.gossip(now), now);
    const acquired = isolate.book.acquire(key, now, policy);
    if (!acquired.ask) {
      follow(isolate, acquired, now);
      return;
    }
    const question: CircuitReport = {
      circuit: key,
      success: 0,
      failure: 0,
      overload: 0,
      evidence: false,
      incarnation: 0,
      epoch: 0,
      ask: true,
    };
    call(now, isolate, [question], (answer, at) => {
      if (answer === undefined) isolate.book.unanswered(key, at, policy);
      else isolate.book.learn(answer, at);
      const id = answer?.permit?.id;
      if (answer === undefined || id === undefined) {
        follow(isolate, isolate.book.acquire(key, at, policy), at);
        return;
      }
      const { incarnation, epoch } = answer.verdict;
      attempt(isolate, { kind: "probe", id, incarnation, epoch }, at);
    });
  }

  const [most, least] = incident.rps;
  const fleet = Array.from(
    { length: incident.isolates },
    (_, index): Isolate => ({
      index,
      book: new CircuitBook(random),
      nextReportAt: 0,
      scheduled: false,
    }),
  );
  for (const isolate of fleet) {
    const rate = most * (least / most) ** (isolate.index / Math.max(1, incident.isolates - 1));
    const next = (now: number): void => {
      arrive(isolate, now);
      queue.add(now - (Math.log(1 - random()) * 1_000) / rate, next);
    };
    queue.add(random() * 1_000, next);
  }
  queue.runUntil(incident.untilMs);
  return { moments, transitions, calls, states: fleet.map(({ book }) => book.look(key)?.verdict?.state) };
}

/** What is to happen, soonest first. */
class Agenda {
  readonly #slots = new Map<number, ((at: number) => void)[]>();
  #now = 0;

  add(at: number, work: (at: number) => void): void {
    const slot = Math.max(this.#now, Math.ceil(at));
    const planned = this.#slots.get(slot);
    if (planned === undefined) this.#slots.set(slot, [work]);
    else planned.push(work);
  }

  runUntil(end: number): void {
    for (this.#now = 0; this.#now < end; this.#now++) {
      const planned = this.#slots.get(this.#now);
      if (planned === undefined) continue;
      // Work may plan more for this very moment.
      for (const work of planned) work(this.#now);
      this.#slots.delete(this.#now);
    }
  }
}
