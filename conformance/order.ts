/** What the runner says to the worker that stands where the platform's edge does. */
export interface Order {
  /** Name of the worker that gets the request. */
  readonly to: string;
  /** Its default export, or the runner's own entrypoint of it. */
  readonly door: "worker" | "runner";
  /** The address that the worker sees. */
  readonly url: string;
  /** Instead of a request: a method of the door. */
  readonly call?: { readonly method: string; readonly args: readonly unknown[] };
}

/** Carries the order, JSON; the worker behind never sees it. */
export const orderHeader = "x-conformance-order";
