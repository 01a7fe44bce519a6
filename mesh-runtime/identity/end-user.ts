/*
 * End users: who is behind a request, beside the workload that sends it. Their tokens are JWTs of issuers outside
 * the mesh; what stands here is what rules say of them, and what is known of a user whose token was verified.
 */

/** Where a token may stand (Istio `fromHeaders`, `fromCookies`, `fromParams`). */
export type TokenPlace =
  /** `name` in lower case; `prefix` is what stands before the token, such as `Bearer `, in any case. */
  | { readonly type: "header"; readonly name: string; readonly prefix: string }
  | { readonly type: "cookie"; readonly name: string }
  | { readonly type: "query"; readonly name: string };

/** Where the keys of an issuer come from. */
export type KeySource =
  | { readonly type: "url"; readonly url: string; readonly timeoutMs: number }
  /** A JSON Web Key Set as it was written. */
  | { readonly type: "inline"; readonly jwks: string };

/** How tokens of one issuer are verified, and what becomes of them (Istio `JWTRule`). */
export interface TokenRule {
  /** `RequestAuthentication/namespace/name/index`. */
  readonly name: string;
  /** What `iss` must be, to the byte. */
  readonly issuer: string;
  /** One of them must be in `aud`; absent: `aud` is not looked at. */
  readonly audiences?: readonly string[];
  readonly keys: KeySource;
  readonly places: readonly TokenPlace[];
  /** Whether the application, and at a gateway the service behind it, sees the token. */
  readonly forward: boolean;
  /** Claims that go on as headers; `claim` may lead into objects, with dots. */
  readonly claimHeaders: readonly { readonly header: string; readonly claim: string }[];
  /** The header in which the token's payload goes on, as it stands in the token. */
  readonly payloadHeader?: string;
  /** Claims that are a list with blanks between its items, such as `scope`. */
  readonly spaceDelimited: readonly string[];
}

/** What a verified token says. JSON, and nothing else is known of it. */
export type Claims = Readonly<Record<string, unknown>>;

/** The end user of a request: what a verified token says. */
export interface EndUser {
  readonly issuer: string;
  /** `sub`; empty where the token has none. */
  readonly subject: string;
  /** `issuer/subject`, as policies name it (Istio `requestPrincipals`); empty without a subject. */
  readonly principal: string;
  readonly claims: Claims;
  /** Claims that are a list with blanks between its items. */
  readonly spaceDelimited: readonly string[];
}

/** What `authenticated` adds to what is known. */
export interface Authenticated {
  /** Undefined where the request carries no token, and where none is looked for. */
  readonly user: EndUser | undefined;
}

/** The rules of one workload or gateway, with everything done ahead that depends on them alone. */
export interface TokenRules {
  readonly rules: readonly TokenRule[];
  /** Every place that a rule names, once, with its rules; of one header the longer prefix first. */
  readonly places: readonly { readonly place: TokenPlace; readonly rules: readonly TokenRule[] }[];
  /** Every header that a rule writes: nobody else may. */
  readonly outputs: readonly string[];
}

/** Prepares rules. Those of all documents are in force together: a token is valid if one of them finds it so. */
export function tokenRules(rules: readonly TokenRule[]): TokenRules {
  const places = new Map<string, { readonly place: TokenPlace; readonly rules: TokenRule[] }>();
  for (const rule of rules) {
    for (const place of rule.places) {
      const key = JSON.stringify([
        place.type,
        place.name,
        place.type === "header" ? place.prefix.toLowerCase() : "",
      ]);
      const there = places.get(key);
      if (there === undefined) places.set(key, { place, rules: [rule] });
      else if (!there.rules.includes(rule)) there.rules.push(rule);
    }
  }
  const outputs = rules.flatMap(({ claimHeaders, payloadHeader }) => [
    ...claimHeaders.map(({ header }) => header),
    ...(payloadHeader === undefined ? [] : [payloadHeader]),
  ]);
  return {
    rules,
    places: [...places.values()].sort((a, b) => prefixLength(b.place) - prefixLength(a.place)),
    outputs: [...new Set(outputs)],
  };
}

const prefixLength = (place: TokenPlace): number => (place.type === "header" ? place.prefix.length : 0);
