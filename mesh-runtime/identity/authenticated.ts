import type { Answer, Message, Noted } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Background } from "../foundation/ports.ts";
import type { Refusal } from "../foundation/refusal.ts";
import type { Authenticated, TokenRules } from "./end-user.ts";
import { type AuthenticatedPorts, judgeUser } from "./user-judgement.ts";
import type { Identified } from "./words.ts";

/** What must be known before end users are: the request without what callers claim, and the rules. */
type NeedsArrival = Pick<Identified, "request"> & {
  readonly background: Background;
  /** Undefined: nobody looks for tokens here. */
  readonly policy: { readonly users: TokenRules | undefined };
};

/**
 * Knows the end user of a request that arrives, where policy says how; refuses with `invalid-token` or
 * `keys-unavailable`. The application gets the request without the token, unless policy forwards it, and with
 * those claims as headers that policy names.
 */
export const authenticated = (ports: AuthenticatedPorts) =>
  layer<NeedsArrival, Authenticated, Answer>("authenticated", (next) => (exchange) => {
    const { users } = exchange.policy;
    // What is not there reads as undefined, which is what it would be set to.
    if (users === undefined) return next(exchange as typeof exchange & Authenticated);
    return known(users);

    async function known(rules: TokenRules): Promise<Answer> {
      const { request } = exchange;
      const asked = { url: request.url, header: (name: string) => request.headers.get(name) };
      const judged = await judgeUser(rules, asked, ports, exchange.background);
      if (!judged.ok) return judged;
      const { user, headers, url } = judged.value;
      if (headers.length === 0 && url === undefined) return next({ ...exchange, user });
      const changed = url === undefined ? new Request(request) : new Request(url, request);
      write(changed.headers, headers);
      return next({ ...exchange, user, request: changed });
    }
  });

/** What must be known of a request that leaves; `entryUsers` where it comes from outside and policy says how tokens are verified. */
export type NeedsEntryUsers = Noted & {
  readonly message: Message;
  readonly background: Background;
  readonly entryUsers?: TokenRules | undefined;
};

/**
 * The same for a request from outside, at a gateway; calls of workloads go on as they are.
 *
 * @param refuse makes an answer of a refusal, so that scripts of other origins can read it
 */
export const authenticatedEntry = <Known extends NeedsEntryUsers>(
  ports: AuthenticatedPorts & { readonly refuse: (exchange: Known, refusal: Refusal) => Answer },
) =>
  layer<Known, Authenticated & { readonly message: Message }, Answer>(
    "authenticatedEntry",
    (next) => (exchange) => {
      const { entryUsers } = exchange;
      if (entryUsers === undefined) return next(exchange as typeof exchange & Authenticated);
      return known(entryUsers);

      async function known(rules: TokenRules): Promise<Answer> {
        const { message } = exchange;
        const asked = { url: message.url.href, header: (name: string) => message.headers.get(name) };
        const judged = await judgeUser(rules, asked, ports, exchange.background);
        if (!judged.ok) return ports.refuse(exchange, judged.reason);
        const { user, headers, url } = judged.value;
        write(message.headers, headers);
        const going = url === undefined ? message : { ...message, url: new URL(url) };
        return next({ ...exchange, user, message: going });
      }
    },
  );

function write(
  headers: Pick<Message["headers"], "set" | "delete">,
  changes: readonly (readonly [name: string, value: string | null])[],
): void {
  for (const [name, value] of changes) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
}
