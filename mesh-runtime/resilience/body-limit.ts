import type { Answer } from "../foundation/exchange.ts";
import { ok } from "../foundation/result.ts";
import { timeout } from "../foundation/time-limit.ts";
import { after } from "./limit.ts";

/** What a route itself says about time; 0 and `undefined` are no limit. */
export interface RouteTimeouts {
  /** When the request left, milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly requestTimeoutMs: number | undefined;
  readonly backendTimeoutMs: number | undefined;
}

/**
 * The same answer, whose body breaks off when a timeout of its route has passed: those are for the full response
 * (Gateway API `HTTPRouteTimeouts`). Its headers have left by then, so nobody can be told 504 any more; but whoever
 * reads learns that it is not whole (measured in workerd: over a service binding the reader gets the error, over HTTP
 * the connection is closed in the middle).
 *
 * Only what a route bounds is wrapped. A body that is read here chunk by chunk costs time that one which passes
 * through does not, and a stream of events must be able to last where nobody has bounded it.
 *
 * @param attemptAt when the attempt that was answered so began
 */
export function bodyLimited(answer: Answer, route: RouteTimeouts, attemptAt: number, now: number): Answer {
  const { startedAt, requestTimeoutMs = 0, backendTimeoutMs = 0 } = route;
  if (requestTimeoutMs <= 0 && backendTimeoutMs <= 0) return answer;
  if (!answer.ok || answer.value.body === null) return answer;
  const requestEnds = requestTimeoutMs > 0 ? startedAt + requestTimeoutMs : Number.POSITIVE_INFINITY;
  const attemptEnds = backendTimeoutMs > 0 ? attemptAt + backendTimeoutMs : Number.POSITIVE_INFINITY;
  const leftMs = Math.max(0, Math.min(requestEnds, attemptEnds) - now);
  return ok(new Response(endingIn(answer.value.body, leftMs), answer.value));
}

function endingIn(body: ReadableStream<Uint8Array>, ms: number): ReadableStream<Uint8Array> {
  const source = body.getReader();
  let callOff = (): void => undefined;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        callOff = after(ms, () => {
          const error = timeout();
          controller.error(error);
          // A source that is broken already needs no cancelling.
          source.cancel(error).catch(() => undefined);
        });
      },
      async pull(controller) {
        try {
          const { done, value } = await source.read();
          if (!done) return controller.enqueue(value);
          callOff();
          controller.close();
        } catch (error) {
          // The source's own. Or its end came too late for a reader who has been told: the stream keeps its first error.
          callOff();
          controller.error(error);
        }
      },
      cancel(reason) {
        callOff();
        return source.cancel(reason);
      },
    },
    // Nothing is read before somebody asks for it.
    { highWaterMark: 0 },
  );
}
