import type { Background } from "../../index.ts";

/** A Deno process lives on by itself: work in the background needs no keeping alive, only somebody who hears when it fails. */
export const background: Background = {
  run: (work) => void work.catch((error: unknown) => console.error(error)),
};

/** Resolves after `ms`; rejects when the signal fires, and then keeps no timer. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}
