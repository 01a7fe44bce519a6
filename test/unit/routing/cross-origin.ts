import { type Answer, blankNotes } from "../../../mesh-runtime/foundation/exchange.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import { routed } from "../../../mesh-runtime/routing/routed.ts";
import type { Cors, Rule } from "../../../mesh-runtime/routing/words.ts";
import { match, prefix, request, rule } from "./examples.ts";

const nothingSaid: Cors = {
  type: "CORS",
  allowOrigins: [],
  allowCredentials: false,
  allowMethods: [],
  allowHeaders: [],
  exposeHeaders: [],
  maxAgeSeconds: 5,
};

/** A CORS filter that says this, and nothing else. */
export const cors = (more: Partial<Cors>): Cors => ({ ...nothingSaid, ...more });

/** A rule for the paths under one, with this filter. */
export const at = (path: string, filter: Cors, more: Partial<Rule> = {}): Rule =>
  rule(path, [match(prefix(path))], { filters: [filter], ...more });

/** A request as a browser sends it. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends a request through the rules; `reached` tells whether a backend was asked. */
export async function send(
  rules: readonly Rule[],
  { method, path, headers }: Sent,
  answering: () => Answer = () => ok(new Response("from the backend")),
) {
  let reached = 0;
  const notes = blankNotes();
  const step = routed().wrap(async () => {
    reached++;
    return answering();
  });
  const message = { ...request(path, { method, headers }), body: null };
  const answer = await step({
    message,
    target: { destination: "shop/cart", table: routeTable(rules) },
    notes,
  });
  if (!answer.ok) throw new Error(`refused: ${answer.reason.kind}`);
  return { response: answer.value, reached, notes, said: corsOf(answer.value) };
}

const corsOf = ({ headers }: Response): Readonly<Record<string, string>> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-")));

/** Headers of a preflight. */
export const asks = (origin: string, method: string, headers?: string) => ({
  origin,
  "access-control-request-method": method,
  ...(headers === undefined ? {} : { "access-control-request-headers": headers }),
});
