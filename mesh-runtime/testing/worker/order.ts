/** What the Node side says to the worker that stands in front of a test mesh. */
export interface Order {
  /** Name of the worker. */
  readonly to: string;
  /** Its default export, or its driver. */
  readonly door: "worker" | "driver";
  /** Absent: a request goes through the door as it is. */
  readonly call?: { readonly method: string; readonly args: readonly unknown[] };
}

export const orderHeader = "x-tulle-harness";
