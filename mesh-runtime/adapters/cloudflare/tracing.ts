import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, type ContextManager, ROOT_CONTEXT, type Span } from "@opentelemetry/api";
import { registerTracing, runWithSpan as runBelow } from "../../telemetry/tracer.ts";
import type { TraceContext } from "../../telemetry/words.ts";

const storage = new AsyncLocalStorage<Context>();

/**
 * Carries OpenTelemetry's context across awaits by workerd's `AsyncLocalStorage`, which needs no compatibility
 * flag. The context is the root one in callbacks that another worker calls back over RPC: workerd keeps no store
 * there. Without `attach`, which would need `enterWith`; workerd has none.
 */
export const contextManager: ContextManager = {
  active: () => storage.getStore() ?? ROOT_CONTEXT,
  with: (context, work, thisArg, ...args) => storage.run(context, () => work.call(thisArg as never, ...args)),
  bind(context, target) {
    if (typeof target !== "function") return target;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return storage.run(context, () => Reflect.apply(target, this, args));
    };
    return bound as typeof target;
  },
  enable: () => contextManager,
  disable: () => contextManager,
};

/**
 * Runs the work of a hop with its span active for `@opentelemetry/api`, and makes the mesh's tracer the global one
 * when the first request comes.
 */
export function runWithSpan<Value>(
  hop: TraceContext,
  work: () => Promise<Value>,
  span?: Span,
): Promise<Value> {
  registerTracing(contextManager);
  return runBelow(hop, work, span);
}
