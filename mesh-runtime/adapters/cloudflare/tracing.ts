import { type Context, type ContextManager, context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { registerTracing } from "../../telemetry/tracer.ts";
import { type HandlingContext, inContext, presentContext } from "../fetch/context.ts";

/**
 * Carries OpenTelemetry's context across awaits by workerd's `AsyncLocalStorage`, which needs no compatibility
 * flag. The context is the root one in callbacks that another worker calls back over RPC: workerd keeps no store
 * there. Without `attach`, which would need `enterWith`; workerd has none.
 */
export const contextManager: ContextManager = {
  active: () => (presentContext()?.telemetry as Context | undefined) ?? ROOT_CONTEXT,
  with: (telemetry, work, thisArg, ...args) =>
    inContext({ ...presentContext(), telemetry }, () => work.call(thisArg as never, ...args)),
  bind(telemetry: Context, target) {
    if (typeof target !== "function") return target;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return inContext({ ...presentContext(), telemetry }, () => Reflect.apply(target, this, args));
    };
    return bound as typeof target;
  },
  enable: () => contextManager,
  disable: () => contextManager,
};

/**
 * Runs a handler with what its calls inherit, and with the span of its hop active for `@opentelemetry/api`. Makes
 * the mesh's tracer the global one when the first request comes; where the application has registered an SDK of its
 * own, the span is active in that one's context.
 */
export function inHandling<Value>(within: HandlingContext, work: () => Value): Value {
  const span = within.handling?.span;
  if (span === undefined) return inContext(within, work);
  if (registerTracing(contextManager))
    return inContext({ ...within, telemetry: trace.setSpan(contextManager.active(), span) }, work);
  return inContext(within, () => context.with(trace.setSpan(context.active(), span), work));
}
