import { AsyncLocalStorage } from "node:async_hooks";
import type { EndUser, Handling, Loaded, Principal } from "../../index.ts";

/** What the calls of a handler inherit from the request that it handles. */
export interface HandlingContext {
  readonly handling?: Handling | undefined;
  /** The policy that the arriving request keeps; its calls keep the same, so that no request sees half a change. */
  readonly loaded?: Loaded;
  /** The context of the runtime's tracing, in the same store: to enter a second one costs as much as to route a request. */
  readonly telemetry?: object;
}

const storage = new AsyncLocalStorage<HandlingContext>();

/** Runs work so that everything it calls, across awaits, knows its context. */
export const inContext = <Value>(context: HandlingContext, work: () => Value): Value =>
  storage.run(context, work);

export const presentContext = (): HandlingContext | undefined => storage.getStore();

/**
 * The verified caller of the request that is being handled: undefined outside of a request, and in
 * PERMISSIVE mode for callers without identity.
 */
export const caller = (): Principal | undefined => storage.getStore()?.handling?.principal;

/**
 * The end user of the request that is being handled, whose token a RequestAuthentication has verified here: undefined
 * outside of a request, and without a token.
 */
export const endUser = (): EndUser | undefined => storage.getStore()?.handling?.user;
