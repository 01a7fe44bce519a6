import { journey, layer } from "../../../mesh-runtime/foundation/layer.ts";
import { ok, type Result } from "../../../mesh-runtime/foundation/result.ts";

/*
 * Compiled, never run: `tsc -p tsconfig.cloudflare.json` fails when one of the wrong orders below
 * begins to compile, because the expectation of an error then stands unused.
 */

interface Start {
  readonly request: Request;
}
interface Identified {
  readonly principal: string;
}
interface Authorized {
  readonly rule: string;
}
type Inner = Result<Response, string>;

const rescued = layer<object, object, Inner, Response>("rescued", (next) => async (exchange) => {
  const answer = await next(exchange);
  return answer.ok ? answer.value : new Response(answer.reason, { status: 500 });
});
const identified = layer<Start, Identified, Inner>(
  "identified",
  (next) => (exchange) => next({ ...exchange, principal: exchange.request.method }),
);
const authorized = layer<Identified, Authorized, Inner>(
  "authorized",
  (next) => (exchange) => next({ ...exchange, rule: exchange.principal }),
);
const handler = async (exchange: Start & Identified & Authorized): Promise<Inner> =>
  ok(new Response(exchange.principal + exchange.rule));

/** The right order compiles, and is one step from a request to a response. */
export const right: (start: Start) => Promise<Response> = journey<Start, Response>()
  .through(rescued)
  .through(identified)
  .through(authorized)
  .to(handler);

/** Authorization needs the principal, which nothing has established yet. */
export const authorizedTooEarly = journey<Start, Response>()
  .through(rescued)
  // @ts-expect-error: "principal" is not known here
  .through(authorized)
  .through(identified);

/** Identification is left out altogether. */
export const neverIdentified = journey<Start, Response>()
  .through(rescued)
  // @ts-expect-error: "principal" is not known here
  .through(authorized);

/** A layer of refusals outside of the one that turns refusals into responses. */
export const refusalsToTheOutside = journey<Start, Response>()
  // @ts-expect-error: this journey answers a Response, this layer a Result
  .through(identified);

/** Nothing turns refusals into responses, so the journey cannot end in a handler that may refuse. */
// @ts-expect-error: the last step answers a Result, the journey a Response
export const neverRescued = journey<Start, Response>().to(handler);

/** The last step needs a rule, and no layer has decided one. */
export const handlerTooEarly = journey<Start, Response>()
  .through(rescued)
  .through(identified)
  // @ts-expect-error: "rule" is not known here
  .to(handler);

/** A layer that keeps to itself what it promised to add. */
export const brokenPromise = layer<Start, Identified, Inner>(
  "identified",
  // @ts-expect-error: "principal" is promised and not passed on
  (next) => (exchange) => next(exchange),
);
