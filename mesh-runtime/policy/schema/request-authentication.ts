import type * as v from "valibot";
import { parseDuration } from "../../foundation/duration.ts";
import { belongsToMesh } from "../../foundation/headers.ts";
import { keySetFault, maxKeySetSize } from "../../identity/key-set.ts";
import {
  about,
  checked,
  choice,
  defaulted,
  type Fault,
  flag,
  list,
  optional,
  repeated,
  type Schema,
  strict,
  text,
  unsupported,
  value,
} from "./fields.ts";
import { documentOf, meshVersions } from "./metadata.ts";
import { targetRefs } from "./target-refs.ts";

const maxRules = 16;
const maxItems = 32;
/** How long an issuer may take to answer where a rule does not say, milliseconds (Istio's value). */
export const defaultKeysTimeout = "5s";
/** What Istio takes for lists with blanks between the items. */
export const defaultSpaceDelimited: readonly string[] = ["scope", "permission"];

/** An issuer, an audience: printable ASCII without blanks, as `iss` is compared to the byte. */
const printable = (expects: string) => text(expects, /^[!-~]+$/, 512);

const keysUrl = (): Schema<string> =>
  value<string>(
    "an https URL without user and fragment",
    (input) => {
      if (typeof input !== "string" || input.length > 2048 || !URL.canParse(input)) return false;
      const { protocol, hostname, username, password, hash } = new URL(input);
      const local = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
      return (protocol === "https:" || (protocol === "http:" && local)) && username + password + hash === "";
    },
    (input) =>
      typeof input === "string" && input.startsWith("http:")
        ? "over http anybody on the way could put in keys of his own; use https (http is for this machine alone)"
        : "",
  );

const timeout = (): Schema<string> =>
  value<string>('a duration above 0 and of at most 10s, such as "5s"', (input) => {
    const parsed = typeof input === "string" ? parseDuration(input) : undefined;
    return parsed?.ok === true && parsed.value > 0 && parsed.value <= 10_000;
  });

const keySet = (): Schema<string> =>
  value<string>(
    "the text of a JSON Web Key Set with public keys",
    (input) => typeof input === "string" && keySetFault(input) === undefined,
    (input) => {
      if (typeof input !== "string") return "write it as a text: JSON in quotes, or after |";
      return keySetFault(input.slice(0, maxKeySetSize + 1)) ?? "";
    },
  );

const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What frames a message, says whom it is for or where it came from, or is a token's place itself: no claim may stand there. */
const reserved =
  /^(?:authorization|cookie|set-cookie|host|connection|content-.*|date|expect|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|via|forwarded|x-forwarded-.*|x-real-ip|x-original-url|x-rewrite-url|cf-.*|access-control-.*|origin|sec-.*)$/;

function headerFault(input: unknown, forClaims: boolean): string {
  if (typeof input !== "string" || input.length > 256 || !fieldName.test(input)) return "";
  if (belongsToMesh(input)) return `${input} is the mesh's own`;
  return forClaims && reserved.test(input.toLowerCase())
    ? `${input} means something else to those that it goes through; choose a name of your own, such as x-user`
    : "";
}

const headerName = (forClaims: boolean): Schema<string> =>
  value<string>(
    "the name of a header",
    (input) =>
      typeof input === "string" &&
      input.length <= 256 &&
      fieldName.test(input) &&
      headerFault(input, forClaims) === "",
    (input) => headerFault(input, forClaims),
  );

const fromHeader = checked(
  strict({
    name: about(headerName(false), "Name of the header."),
    prefix: about(
      optional(text("what stands before the token, such as `Bearer `", /^[!-~]+ ?$/, 64)),
      "What stands before the token; letter case makes no difference. A header without it holds no token.",
    ),
  }),
  function* ({ name }): Generator<Fault> {
    if (!["cookie", "host"].includes(name.toLowerCase())) return;
    const message = name.toLowerCase() === "cookie" ? "use fromCookies" : "it holds no token";
    yield { path: ["name"], expected: "another header", found: name, message };
  },
);

const claimHeader = strict({
  header: about(
    headerName(true),
    "The header. Whatever stands in it before is taken off, with a token or without.",
  ),
  claim: about(
    text("the name of a claim", /^[!-~]+$/, 256),
    "The claim: a text, a number or a truth value. Dots lead into objects, where no claim has the whole name.",
  ),
});

const rule = checked(
  strict({
    issuer: about(printable("an issuer, as `iss` has it"), "What `iss` of the token must be, to the byte."),
    audiences: about(
      optional(list(printable("an audience, as `aud` has it"), 1, maxItems)),
      "One of them must be in `aud`. Without them tokens for anybody are taken: name yours.",
    ),
    jwksUri: about(
      optional(keysUrl()),
      "Where the keys of the issuer are. Fetched by every isolate that verifies, and again before they are no longer fresh.",
    ),
    jwks: about(optional(keySet()), "The keys themselves: the text of a JSON Web Key Set."),
    fromHeaders: about(
      optional(list(fromHeader, 1, maxItems)),
      "Headers where the token may be. Without any place: `authorization` after `Bearer `, and the parameter `access_token`.",
    ),
    fromCookies: about(
      optional(list(text("the name of a cookie", /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 256), 1, maxItems)),
      "Cookies where it may be.",
    ),
    fromParams: about(
      optional(list(text("the name of a parameter", /^[!-~]+$/, 256), 1, maxItems)),
      "Parameters of the query where it may be. Addresses are logged in many places: a header is better.",
    ),
    outputClaimToHeaders: about(optional(list(claimHeader, 1, maxItems)), "Claims that go on as headers."),
    outputPayloadToHeader: about(
      optional(headerName(true)),
      "The header in which the whole payload goes on, in base64url as it stands in the token.",
    ),
    forwardOriginalToken: about(
      defaulted(flag(), false),
      "Whether the token itself goes on: to the application, and from a gateway to the service behind.",
    ),
    spaceDelimitedClaims: about(
      defaulted(list(text("the name of a claim", /^[!-~]+$/, 256), 1, 64), defaultSpaceDelimited),
      "Claims whose text is a list with blanks between the items.",
    ),
    timeout: about(defaulted(timeout(), defaultKeysTimeout), "How long `jwksUri` may take to answer."),
    failureMode: about(
      optional(
        choice(["PERMISSIVE"], {
          STRICT:
            "not supported: demand a token by an AuthorizationPolicy with requestPrincipals, or notRequestPrincipals to deny",
          IGNORE: "not supported: a token that cannot be verified is refused",
        }),
      ),
      "A request without a token goes on, one with a bad token does not; nothing else can be chosen.",
    ),
  }),
  function* (given): Generator<Fault> {
    const { jwksUri, jwks, outputClaimToHeaders = [], outputPayloadToHeader } = given;
    if ((jwksUri === undefined) === (jwks === undefined)) {
      const both = jwks !== undefined;
      yield {
        path: both ? ["jwks"] : [],
        expected: "jwksUri or jwks",
        found: both ? "both" : "neither",
        message: both
          ? "jwksUri and jwks stand here; keep one of the two"
          : "without jwksUri or jwks there are no keys to verify with; OpenID discovery is not asked",
      };
    }
    yield* repeated(
      [
        ...outputClaimToHeaders.map(({ header }) => header.toLowerCase()),
        ...(outputPayloadToHeader === undefined ? [] : [outputPayloadToHeader.toLowerCase()]),
      ],
      (name) => name,
      "header",
      ["outputClaimToHeaders"],
    );
  },
);

const spec = strict({
  targetRefs: about(
    optional(targetRefs),
    "The Services where tokens are verified; otherwise all of its namespace. At a gateway: the Gateway's Service, by name.",
  ),
  jwtRules: about(
    list(rule, 1, maxRules),
    "Alternatives: a token that is there must be one that a rule believes. Rules of all documents are in force together.",
  ),
  selector: unsupported("not supported: a worker has no labels; use targetRefs"),
  targetRef: unsupported("not supported; write targetRefs, a list"),
});

export const requestAuthentication = documentOf(meshVersions, "RequestAuthentication", spec);
export type RequestAuthentication = v.InferOutput<typeof requestAuthentication>;
