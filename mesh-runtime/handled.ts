import type { Answer, Cause, Noted } from "./foundation/exchange.ts";
import { header, meshPrefix } from "./foundation/headers.ts";
import type { Step } from "./foundation/layer.ts";
import { no, ok } from "./foundation/result.ts";
import type { Identified, Principal } from "./identity/words.ts";
import type { Loaded } from "./policy/loaded.ts";
import type { Bounded } from "./resilience/words.ts";
import type { Traced } from "./telemetry/words.ts";

/** What the application can learn about the request that it handles, and what its own calls inherit. */
export interface Handling {
  readonly principal: Principal | undefined;
  readonly cause: Cause;
  /** The policy that this request keeps to its end, and that its calls keep with it: no request sees half a change. */
  readonly policy: Loaded;
}

/** The application, as the inbound journey calls it. */
export type Handle = (request: Request, handling: Handling) => Promise<Response>;

/** What the mesh says on a response to a caller that it knows. */
export type Tell = () => { readonly epoch: number; readonly circuits: string };

type Ready = Identified &
  Traced &
  Noted &
  Bounded & {
    readonly policy: Loaded;
    readonly credits: { left: number };
    readonly hops: number;
    readonly handle: Handle;
  };

/**
 * The last step in: gives the request to the application without any mesh header, and tells a known
 * caller the newest epoch, open circuits and the attempt credits that were not spent.
 */
export const handled =
  (ports: { readonly tell: Tell; readonly crashed: (error: unknown) => void }): Step<Ready, Answer> =>
  async (exchange) => {
    const { principal, trace, deadlineAt, credits, hops } = exchange;
    let response: Response;
    try {
      response = await exchange.handle(withoutMeshHeaders(exchange.request), {
        principal,
        cause: { trace, deadlineAt, credits, hops },
        policy: exchange.policy,
      });
    } catch (error) {
      ports.crashed(error);
      return no({ kind: "handler-failed", detail: error instanceof Error ? error.name : typeof error });
    }
    return ok(principal === undefined ? response : told(response, ports.tell(), credits.left));
  };

/** The same request when there is nothing to remove: copying costs microseconds and some platform properties. */
function withoutMeshHeaders(request: Request): Request {
  const ours = [...request.headers.keys()].filter((name) => name.startsWith(meshPrefix));
  if (ours.length === 0) return request;
  const headers = new Headers(request.headers);
  for (const name of ours) headers.delete(name);
  return new Request(request, { headers });
}

function told(response: Response, news: ReturnType<Tell>, creditsLeft: number): Response {
  const answer = new Response(response.body, response);
  answer.headers.set(header.epoch, String(news.epoch));
  answer.headers.set(header.credits, String(creditsLeft));
  if (news.circuits === "") answer.headers.delete(header.circuits);
  else answer.headers.set(header.circuits, news.circuits);
  return answer;
}
