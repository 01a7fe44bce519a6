import type { Context } from "hono";
import { digestOfChange } from "../audit/entry.ts";
import type { Env } from "../env.ts";
import { policyStore } from "../objects.ts";
import { fits, type Shape } from "../shape.ts";
import type { Route } from "./access.ts";
import type { Caller } from "./caller.ts";
import type { Actor, AuditAction } from "./contract.ts";
import { malformed } from "./problems.ts";

/** What the admin API's handlers find in Hono's context. */
export interface ApiEnv {
  readonly Bindings: Env;
  readonly Variables: { readonly caller: Caller };
}

export type ApiContext = Context<ApiEnv>;

export type Handler = (context: ApiContext) => Promise<Response>;

/** The handlers of some routes, one each. */
export type Handlers<Of extends Route> = { readonly [Each in Of]: Handler };

/** How history and the audit log name who calls. */
export const actorOf = (context: ApiContext): Actor => context.var.caller;

/**
 * Writes to the audit log what is about to be done in the issuer's object. Two objects share no transaction, so the
 * entry comes first: nothing is done without one, and one may stand for what then failed.
 * @param change what the entry's digest is made of; no secret
 */
export async function recordFirst(
  context: ApiContext,
  action: AuditAction,
  object: string,
  reason: string,
  change: unknown,
): Promise<void> {
  const digest = await digestOfChange(change);
  const actor = actorOf(context);
  await policyStore(context.env).record({ actor, action, objects: [object], reason, digest });
}

/** Reads a JSON body of a shape, or answers what is wrong with it. An empty body reads as `{}`. */
export async function bodyOf<T>(context: ApiContext, shape: Shape<T>): Promise<T | Response> {
  const text = await context.req.text();
  let body: unknown = {};
  try {
    if (text !== "") body = JSON.parse(text);
  } catch {
    // The parser's own message quotes the body.
    return malformed("The body is not JSON.");
  }
  const read = fits(shape, body);
  return read.ok ? read.value : malformed(`In the body, ${read.reason}.`);
}

/** Reads a whole number from the query; `undefined` if absent, a problem if it is something else. */
export function wholeInQuery(context: ApiContext, name: string): number | undefined | Response {
  const text = context.req.query(name);
  if (text === undefined) return undefined;
  return /^[0-9]{1,15}$/.test(text)
    ? Number(text)
    : malformed(`The query parameter ${name} must be a whole number.`);
}
