import type { KeySource, TokenPlace, TokenRule } from "../identity/end-user.ts";
import type { Catalog } from "./catalog.ts";
import { type DocumentOf, nameOf } from "./documents.ts";
import { millisecondsOf } from "./milliseconds.ts";

type RequestAuthentication = DocumentOf<"RequestAuthentication">;
type WrittenRule = RequestAuthentication["spec"]["jwtRules"][number];

/** Where a token is if no rule says where (Istio `JWTRule`, RFC 6750 §2.1 and §2.3). */
const defaultPlaces: readonly TokenPlace[] = [
  { type: "header", name: "authorization", prefix: "Bearer " },
  { type: "query", name: "access_token" },
];

/** How tokens of end users are verified at a Service: the rules of every document that speaks of it, in order of their names. */
export function userRules(
  catalog: Catalog,
  service: DocumentOf<"Service">,
): { readonly users?: readonly TokenRule[] } {
  return compiled(catalog.about(service).requestAuthentication);
}

/** The same for what comes in from outside at a gateway's Service: those of documents that name it, as with rules about access. */
export function entryUserRules(
  catalog: Catalog,
  service: DocumentOf<"Service">,
): { readonly users?: readonly TokenRule[] } {
  const speaking = catalog.about(service).requestAuthentication;
  return compiled(speaking.filter(({ spec }) => spec.targetRefs !== undefined));
}

const compiled = (documents: readonly RequestAuthentication[]) =>
  documents.length === 0 ? {} : { users: documents.flatMap(rulesOfDocument) };

const rulesOfDocument = (document: RequestAuthentication): readonly TokenRule[] =>
  document.spec.jwtRules.map((rule, index) => tokenRule(rule, `${nameOf(document)}/${index}`));

function tokenRule(written: WrittenRule, name: string): TokenRule {
  const { issuer, audiences, outputClaimToHeaders = [], outputPayloadToHeader } = written;
  return {
    name,
    issuer,
    ...(audiences === undefined ? {} : { audiences }),
    keys: keysOf(written),
    places: placesOf(written),
    forward: written.forwardOriginalToken,
    claimHeaders: outputClaimToHeaders.map(({ header, claim }) => ({ header: header.toLowerCase(), claim })),
    ...(outputPayloadToHeader === undefined ? {} : { payloadHeader: outputPayloadToHeader.toLowerCase() }),
    spaceDelimited: written.spaceDelimitedClaims,
  };
}

function keysOf({ jwks, jwksUri = "", timeout }: WrittenRule): KeySource {
  if (jwks !== undefined) return { type: "inline", jwks };
  // As the platform writes it, so that two spellings of one address are asked once.
  return { type: "url", url: new URL(jwksUri).href, timeoutMs: millisecondsOf(timeout) };
}

function placesOf({
  fromHeaders = [],
  fromCookies = [],
  fromParams = [],
}: WrittenRule): readonly TokenPlace[] {
  const places: readonly TokenPlace[] = [
    ...fromHeaders.map(
      ({ name, prefix = "" }): TokenPlace => ({ type: "header", name: name.toLowerCase(), prefix }),
    ),
    ...fromCookies.map((name): TokenPlace => ({ type: "cookie", name })),
    ...fromParams.map((name): TokenPlace => ({ type: "query", name })),
  ];
  return places.length === 0 ? defaultPlaces : places;
}
