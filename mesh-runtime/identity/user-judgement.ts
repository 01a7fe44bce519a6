import type { Background, Clock } from "../foundation/ports.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { headersOf } from "./claims.ts";
import type { EndUser, TokenRule, TokenRules } from "./end-user.ts";
import type { KeySet } from "./key-set.ts";
import type { KeySets } from "./key-sets.ts";
import type { Believed, TokenCache } from "./token-cache.ts";
import { type Asked, type FoundToken, tokensIn, withoutToken } from "./token-places.ts";
import {
  type Disbelief,
  judgeClaims,
  judgeSignature,
  type ReadToken,
  readToken,
  type TokenFault,
  userOf,
} from "./user-token.ts";

export interface AuthenticatedPorts {
  readonly clock: Clock;
  readonly keySets: KeySets;
  readonly tokens: TokenCache;
  /** Adds one to a named counter. */
  readonly count: (counter: string) => void;
}

/** What goes on of a request, and who is behind it. */
export interface Judged {
  readonly user: EndUser | undefined;
  /** Headers that are other ones now; `null`: gone. */
  readonly headers: readonly (readonly [name: string, value: string | null])[];
  /** Where the token stood in the address. */
  readonly url?: string;
}

/**
 * Knows the end user of a request, or that nobody says who it is, or refuses.
 *
 * A token that is there is verified, and a bad one refused, wherever it stands in a place that a rule names: who brings
 * one and fails is broken or an attacker. Without a token the request goes on, and policies may demand one.
 * Headers that a rule writes are taken off in any case, so that nobody writes them but a verified token.
 */
export async function judgeUser(
  rules: TokenRules,
  asked: Asked,
  ports: AuthenticatedPorts,
  background: Background,
): Promise<Result<Judged, Refusal>> {
  const found = tokensIn(rules, asked);
  const [token] = found;
  const claimed = rules.outputs
    .filter((name) => asked.header(name) !== null)
    .map((name): readonly [string, null] => [name, null]);
  if (token === undefined) {
    ports.count("end_user_missing");
    return ok({ user: undefined, headers: claimed });
  }
  if (found.length > 1) return refused({ fault: "several", detail: "the request has several tokens" }, ports);
  const believed = await judgeToken(token, rules, ports, background);
  if (!believed.ok) return "fault" in believed.reason ? refused(believed.reason, ports) : no(believed.reason);
  ports.count("end_user_accepted");
  const { user, rule } = believed.value;
  const written = headersOf(rule, user.claims, token.text.split(".")[1] ?? "");
  const without = rule.forward ? undefined : withoutToken(token.place, asked);
  return ok({
    user,
    headers: [
      ...claimed,
      ...(without !== undefined && "header" in without
        ? [[without.header, without.value] as readonly [string, string | null]]
        : []),
      ...written,
    ],
    ...(without !== undefined && "url" in without ? { url: without.url } : {}),
  });
}

type Unavailable = Extract<Refusal, { readonly kind: "keys-unavailable" }>;

async function judgeToken(
  { text, rules: here }: FoundToken,
  { rules }: TokenRules,
  { clock, keySets, tokens }: AuthenticatedPorts,
  background: Background,
): Promise<Result<Believed, Disbelief | Unavailable>> {
  const known = tokens.recall(text, clock.now());
  if (known !== undefined && here.includes(known.rule)) {
    const keys = await keySets.keysOf(known.rule.keys, background);
    if (keys.ok && keys.value === known.keys) return ok(known);
  }
  const read = readToken(text);
  if (!read.ok) return read;
  const { iss } = read.value.claims;
  const ofIssuer = here.filter(({ issuer }) => issuer === iss);
  const issuers = rules.map(({ issuer }) => issuer);
  let why: Disbelief | Unavailable | undefined;
  // The first rule that believes it says what becomes of it.
  for (const rule of ofIssuer) {
    const believed = await byRule(read.value, rule, issuers, { clock, keySets }, background);
    if (believed.ok) {
      tokens.keep(text, believed.value);
      return believed;
    }
    // Where one rule cannot tell, no other may say that the token is bad.
    why = why !== undefined && "kind" in why ? why : believed.reason;
  }
  return no(why ?? { fault: "issuer", detail: "no rule for the place where it stands names its issuer" });
}

async function byRule(
  token: ReadToken,
  rule: TokenRule,
  issuers: readonly string[],
  { clock, keySets }: Pick<AuthenticatedPorts, "clock" | "keySets">,
  background: Background,
): Promise<Result<Believed, Disbelief | Unavailable>> {
  // What costs nothing comes first: an expired token asks for no key.
  const until = judgeClaims(token.claims, rule, clock.now());
  if (!until.ok) return until;
  const user = userOf(token, rule, issuers);
  if (!user.ok) return user;
  const keys = await keySets.keysOf(rule.keys, background);
  if (!keys.ok) {
    const detail = `the keys of the issuer in ${rule.name} are missing: ${keys.reason.why}`;
    return no({ kind: "keys-unavailable", detail, retryAfterMs: keys.reason.retryAfterMs });
  }
  const believed = (by: KeySet) => ok({ user: user.value, rule, keys: by, until: until.value });
  const wrong = await judgeSignature(token, keys.value);
  if (wrong === undefined) return believed(keys.value);
  const newer = wrong.fault === "key" ? await keySets.newerThan(keys.value, rule.keys) : undefined;
  if (newer === undefined) return no(wrong);
  const still = await judgeSignature(token, newer);
  return still === undefined ? believed(newer) : no(still);
}

/** What is told of each fault (RFC 6750 §3.1): one thing of all but that of many tokens, which is about the request. */
function refused({ fault, detail }: Disbelief, { count }: AuthenticatedPorts) {
  count(counters[fault]);
  const error = fault === "several" ? "invalid_request" : "invalid_token";
  return no<Refusal>({ kind: "invalid-token", error, detail });
}

const counters: Readonly<Record<TokenFault, string>> = {
  several: "end_user_several_tokens",
  malformed: "end_user_malformed",
  algorithm: "end_user_wrong_algorithm",
  issuer: "end_user_unknown_issuer",
  expired: "end_user_expired",
  audience: "end_user_wrong_audience",
  key: "end_user_unknown_key",
  signature: "end_user_bad_signature",
};
