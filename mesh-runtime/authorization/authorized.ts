import type { Answer, Message, Noted, Notes } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { no } from "../foundation/result.ts";
import type { Authenticated, EndUser } from "../identity/end-user.ts";
import type { Identified, Principal } from "../identity/words.ts";
import type { Decide } from "./decide.ts";
import type { AccessDecision, AccessRequest, Authorized } from "./words.ts";

export interface AuthorizedPorts {
  /** Adds one to a named counter. */
  readonly count: (counter: string) => void;
}

/** What must be known before access can be judged: who calls, for which end user, what for, and the rules. */
export type NeedsAuthorization = Pick<Identified, "principal" | "request"> &
  Authenticated &
  Noted & {
    readonly request: Request;
    readonly policy: { readonly inbound: { readonly decide: Decide } };
  };

/**
 * Lets a request pass if a rule allows it and none denies it; refuses with `denied` and the rule's name
 * otherwise. The rule is noted either way, so that an access log tells why somebody was let in. Host and path
 * are those of the URL as the runtime parsed it, the same that the application will see.
 */
export const authorized = (ports: AuthorizedPorts) =>
  layer<NeedsAuthorization, Authorized, Answer>("authorized", (next) => async (exchange) => {
    const { principal, user, request, policy, notes } = exchange;
    const access = policy.inbound.decide(new ArrivedRequest(principal, user, request));
    note(access, notes, ports);
    if (access.allowed) return next({ ...exchange, access });
    return no({ kind: "denied", rule: access.rule, principal: principal?.id.uri ?? "" });
  });

/** What must be known of a request that leaves; `entry` where it comes from outside and somebody has written rules for that. */
export type NeedsEntry = Noted &
  Authenticated & {
    readonly message: Message;
    readonly entry?: Decide | undefined;
  };

/**
 * Lets a request from outside into the mesh if the rules of the gateway do; refuses with `denied` otherwise.
 * Whoever comes from outside has no identity of the mesh, and may be an end user. The address is the one that the gateway itself
 * put on the message, as the platform told it. Calls of workloads go on as they are.
 *
 * @param refuse makes an answer of a refusal, so that scripts of other origins can read it
 */
export const authorizedEntry = <Known extends NeedsEntry>(
  ports: AuthorizedPorts & { readonly refuse: (exchange: Known, refusal: Refusal) => Answer },
) =>
  layer<Known, object, Answer>("authorizedEntry", (next) => (exchange) => {
    const { entry, message, notes, user } = exchange;
    if (entry === undefined) return next(exchange);
    const access = entry({ ...fromOutside(message), user });
    note(access, notes, ports);
    if (access.allowed) return next(exchange);
    const refusal: Refusal = { kind: "denied", rule: access.rule, principal: "" };
    return Promise.resolve(ports.refuse(exchange, refusal));
  });

/** A request from outside as the rules of a gateway see it; `explain` asks them the same. */
export const fromOutside = ({
  url,
  method,
  headers,
}: Pick<Message, "url" | "method" | "headers">): AccessRequest => ({
  principal: undefined,
  method,
  path: url.pathname,
  host: url.hostname,
  header: (name) => headers.get(name),
  address: headers.get("x-forwarded-for") ?? undefined,
});

/** A request that arrived. Its URL is parsed for the rules that ask for it: that costs as much as to judge all others. */
class ArrivedRequest implements AccessRequest {
  readonly principal: Principal | undefined;
  readonly user: EndUser | undefined;
  readonly method: string;
  readonly #request: Request;
  #url: URL | undefined;

  constructor(principal: Principal | undefined, user: EndUser | undefined, request: Request) {
    this.principal = principal;
    this.user = user;
    this.method = request.method;
    this.#request = request;
  }

  get path(): string {
    return this.#parsed().pathname;
  }

  get host(): string {
    return this.#parsed().hostname;
  }

  readonly header = (name: string): string | null => this.#request.headers.get(name);

  #parsed(): URL {
    this.#url ??= new URL(this.#request.url);
    return this.#url;
  }
}

/** Notes a decision, with what AUDIT rules and dry runs have to say beside it. */
function note(access: AccessDecision, notes: Notes, { count }: AuthorizedPorts): void {
  const { rule, audited, dryRun } = access;
  notes.rule = rule;
  if (audited !== undefined) {
    notes.audited = audited;
    count("access_audited");
  }
  if (dryRun === undefined) return;
  notes.dryRun = `${dryRun.allowed ? "allowed" : "denied"} by ${dryRun.rule}`;
  count(dryRun.allowed ? "dry_run_allowed" : "dry_run_denied");
}
