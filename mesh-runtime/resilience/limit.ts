import type { Answer } from "../foundation/exchange.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { no } from "../foundation/result.ts";
import { timeout } from "../foundation/time-limit.ts";

/** Resolves after `ms`; when the signal fires before, it settles at once, either way. */
export type Wait = (ms: number, signal?: AbortSignal) => Promise<void>;

/** Calls `work` after `ms` within the request that asked for it; returns what calls it off. */
export function after(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}

/** What is to be done when a signal of ours fires. */
const hooks = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Does `work` at the moment when a signal fires, before anybody who listens to it can go on. To listen to a signal
 * costs more than to make one, so that one whose only source is a limit of ours is not listened to: the limit itself
 * does the work.
 * @returns what calls it off
 */
export function whenFired(signal: AbortSignal, work: () => void): () => void {
  const ours = hooks.get(signal);
  if (ours !== undefined) {
    ours.add(work);
    return () => ours.delete(work);
  }
  signal.addEventListener("abort", work, { once: true });
  return () => signal.removeEventListener("abort", work);
}

/**
 * What the work answers, or why the signal fired, whichever comes first. The work is not trusted to
 * notice the signal; a response that comes too late is let go of.
 */
export function untilAborted(
  signal: AbortSignal,
  why: (signal: AbortSignal) => Refusal,
  work: () => Promise<Answer>,
): Promise<Answer> {
  if (signal.aborted) return Promise.resolve(no(why(signal)));
  return new Promise((resolve, reject) => {
    const callOff = whenFired(signal, () => resolve(no(why(signal))));
    settling(work(), signal, callOff, resolve, reject);
  });
}

/**
 * What the work answers within `ms`, or why not: the limit has passed, or the outer signal has fired. Either way
 * the signal that the work is given fires. Without an outer signal nobody listens to it here, and the timer itself
 * ends the waiting: a listener costs as much as the timer.
 *
 * @param over with what reason it fires when the limit has passed
 */
export function withinLimit(
  ms: number,
  outer: AbortSignal | undefined,
  why: (signal: AbortSignal) => Refusal,
  work: (signal: AbortSignal) => Promise<Answer>,
  over: () => DOMException = timeout,
): Promise<Answer> {
  const limit = new AbortController();
  if (outer === undefined) {
    const { signal } = limit;
    const fired = new Set<() => void>();
    hooks.set(signal, fired);
    return new Promise((resolve, reject) => {
      const callOff = after(ms, () => {
        limit.abort(over());
        for (const work of fired) work();
        resolve(no(why(signal)));
      });
      settling(work(signal), signal, callOff, resolve, reject);
    });
  }
  const signal = AbortSignal.any([outer, limit.signal]);
  const callOff = after(ms, () => limit.abort(over()));
  return untilAborted(signal, why, () => work(signal)).finally(callOff);
}

/** Passes on how the work ended, after `done`; lets go of a response that came after the signal had fired. */
function settling(
  work: Promise<Answer>,
  signal: AbortSignal,
  done: () => void,
  resolve: (answer: Answer) => void,
  reject: (error: unknown) => void,
): void {
  work.then(
    (answer) => {
      done();
      if (signal.aborted) discard(answer);
      resolve(answer);
    },
    (error: unknown) => {
      done();
      reject(error);
    },
  );
}

/** Lets go of a response that nobody will read, so that its connection is free. */
export function discard(answer: Answer): void {
  if (!answer.ok) return;
  // A body that is broken already needs no cancelling, and one that somebody reads is not ours: it says so here.
  answer.value.body?.cancel().catch(() => undefined);
}
