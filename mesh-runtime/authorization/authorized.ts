import type { Answer, Noted } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import { no } from "../foundation/result.ts";
import type { Identified } from "../identity/words.ts";
import type { Decide } from "./decide.ts";
import type { Authorized } from "./words.ts";

/** What must be known before access can be judged: who calls, what for, and the rules. */
export type NeedsAuthorization = Pick<Identified, "principal" | "request"> &
  Noted & {
    readonly request: Request;
    readonly policy: { readonly inbound: { readonly decide: Decide } };
  };

/**
 * Lets a request pass if a rule allows it and none denies it; refuses with `denied` and the rule's name
 * otherwise. The rule is noted either way, so that an access log tells why somebody was let in. The path
 * is the one of the URL as the runtime parsed it, the same that the application will see.
 */
export const authorized = () =>
  layer<NeedsAuthorization, Authorized, Answer>("authorized", (next) => async (exchange) => {
    const { principal, request, policy, notes } = exchange;
    const { method, url } = request;
    const access = policy.inbound.decide({
      principal,
      method,
      // Parsed for the rules that ask for it: to parse a URL costs as much as to judge all others.
      get path() {
        return new URL(url).pathname;
      },
    });
    notes.rule = access.rule;
    if (access.allowed) return next({ ...exchange, access });
    return no({ kind: "denied", rule: access.rule, principal: principal?.id.uri ?? "" });
  });
