import type * as v from "valibot";
import { belongsToMesh } from "../../foundation/headers.ts";
import { routeDefaults } from "../defaults.ts";
import { cors } from "./cors.ts";
import type { Fault } from "./fields.ts";
import {
  about,
  checked,
  choice,
  defaulted,
  leftOut,
  list,
  optional,
  repeated,
  type Schema,
  strict,
  text,
  value,
} from "./fields.ts";
import { port } from "./metadata.ts";
import { mirror } from "./mirror.ts";

/** RFC 9110 §5.6.2; Gateway API bounds it. */
const token = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const maxNameLength = 256;

/** A header's name (RFC 9110 §5.1) that documents may speak of. */
export const headerName = (): Schema<string> =>
  value<string>(
    "a header name",
    (input) =>
      typeof input === "string" &&
      input.length <= maxNameLength &&
      token.test(input) &&
      !belongsToMesh(input),
    (input) =>
      typeof input === "string" && belongsToMesh(input)
        ? "this header belongs to the mesh, and no document may match by it, forge or strip it; leave it out"
        : "",
  );

/** The name of a query parameter; Gateway API gives it the form of a header's name. */
export const parameterName = (): Schema<string> => text("a parameter name", token, maxNameLength);

/** RFC 9110 §5.5, without the obsolete octets beyond ASCII: what they mean on the wire differs from runtime to runtime. */
export const headerValue = (): Schema<string> =>
  text(
    "a header value of 1 to 4096 visible ASCII characters, with single blanks between them at most",
    /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/,
    4096,
  );

/** A host name without port and wildcard. */
export const preciseHostname = (): Schema<string> =>
  text(
    "a host name such as shop.example.com",
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    253,
  );

const namedValue = strict({
  name: about(headerName(), "Header name, in any case."),
  value: about(headerValue(), "Header value."),
});

/** What a message is made of: the runtime writes these, and a filter's word would be ignored or break the message (RFC 9112 §6). */
const framing: ReadonlyMap<string, string> = new Map([
  ["content-length", "the runtime says how long a body is; remove this"],
  ["transfer-encoding", "the runtime says how a body travels; remove this"],
]);

/** Over a binding a callee would be told one host by the URL and another by the header, over HTTPS the URL's alone. */
const ofRequests: ReadonlyMap<string, string> = new Map([
  ...framing,
  ["host", "the host of a request is changed by URLRewrite; use its hostname"],
]);

const headerModifier = (untouched: ReadonlyMap<string, string>) =>
  checked(
    strict({
      set: about(optional(list(namedValue, 0, 16)), "Replaces the header."),
      add: about(optional(list(namedValue, 0, 16)), "Adds to what the header says."),
      remove: about(optional(list(headerName(), 0, 16)), "Removes the header."),
    }),
    function* (modifier): Generator<Fault> {
      const names = [
        ...(modifier.set ?? []).map(({ name }, index) => ({ name, path: ["set", index] })),
        ...(modifier.add ?? []).map(({ name }, index) => ({ name, path: ["add", index] })),
        ...(modifier.remove ?? []).map((name, index) => ({ name, path: ["remove", index] })),
      ];
      yield* names.flatMap(({ name, path }) => {
        const message = untouched.get(name.toLowerCase());
        const expected = "a header that filters may change";
        return message === undefined ? [] : [{ path, expected, found: JSON.stringify(name), message }];
      });
      for (const {
        path: [index],
        ...fault
      } of repeated(names, ({ name }) => name.toLowerCase(), "header")) {
        yield { ...fault, path: names[Number(index)]?.path ?? [] };
      }
    },
  );

/** A path that replaces another, in the characters of RFC 3986 §3.3: no query, no fragment, nothing that is read in two ways. */
const replacement = (): Schema<string> =>
  text(
    "a path of at most 1024 characters without query, percent-encoded",
    /^[A-Za-z0-9/\-._~!$&'()*+,;=:@%]*$/,
    1024,
  );

const pathModifier = checked(
  strict({
    type: about(choice(["ReplaceFullPath", "ReplacePrefixMatch"]), "What is replaced."),
    replaceFullPath: about(optional(replacement()), "The new path, for `ReplaceFullPath`."),
    replacePrefixMatch: about(
      optional(replacement()),
      "What takes the place of the matched prefix, for `ReplacePrefixMatch`.",
    ),
  }),
  function* ({ type, replaceFullPath, replacePrefixMatch }): Generator<Fault> {
    const needed = type === "ReplaceFullPath" ? "replaceFullPath" : "replacePrefixMatch";
    const other = type === "ReplaceFullPath" ? "replacePrefixMatch" : "replaceFullPath";
    const given = { replaceFullPath, replacePrefixMatch };
    if (given[needed] === undefined) yield lacking([needed], type);
    if (given[other] !== undefined) yield superfluous([other], type);
    if (replaceFullPath !== undefined && !replaceFullPath.startsWith("/")) {
      yield {
        path: ["replaceFullPath"],
        expected: 'a path that begins with "/"',
        found: JSON.stringify(replaceFullPath),
        message: 'a path begins with "/"; write one',
      };
    }
  },
);

const redirect = strict({
  scheme: about(optional(choice(["http", "https"])), "Scheme of the new location; otherwise the request's."),
  hostname: about(optional(preciseHostname()), "Host of the new location; otherwise the request's."),
  path: about(optional(pathModifier), "Path of the new location; otherwise the request's."),
  port: about(optional(port()), "Port of the new location; otherwise that of the scheme, or the listener's."),
  statusCode: about(
    defaulted(choice([301, 302, 303, 307, 308]), routeDefaults.redirectStatus),
    "Status of the answer.",
  ),
});

const rewrite = strict({
  hostname: about(optional(preciseHostname()), "Host that the backend sees."),
  path: about(optional(pathModifier), "Path that the backend sees."),
});

const bodies = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  RequestMirror: "requestMirror",
  CORS: "cors",
} as const;

const refused = {
  ExternalAuth: "not supported yet; use an AuthorizationPolicy, or remove the filter",
  ExtensionRef: "not supported: the mesh has no extensions; remove the filter",
};

/** Judged with the type: a filter that is refused by its type is not refused a second time. */
const ofAnotherType = () => optional(value<unknown>(leftOut, () => true));

/** One filter of a rule or backend: `type` and the member of that name. */
export const filter = checked(
  strict({
    type: about(
      choice(Object.keys(bodies) as (keyof typeof bodies)[], refused),
      "Which of the following stands here.",
    ),
    requestHeaderModifier: about(optional(headerModifier(ofRequests)), "Changes headers of the request."),
    responseHeaderModifier: about(optional(headerModifier(framing)), "Changes headers of the response."),
    requestRedirect: about(optional(redirect), "Answers with a redirect; the rule needs no backend."),
    urlRewrite: about(optional(rewrite), "Changes what the backend sees."),
    requestMirror: about(
      optional(mirror),
      "Sends a copy of the request to another Service as well; what becomes of it changes nothing.",
    ),
    cors: about(
      optional(cors),
      "Answers preflights, and says on every answer what scripts of other origins may do with it.",
    ),
    externalAuth: ofAnotherType(),
    extensionRef: ofAnotherType(),
  }),
  function* (given): Generator<Fault> {
    const needed = bodies[given.type];
    if (given[needed] === undefined) yield lacking([needed], given.type);
    for (const member of Object.keys(given)) {
      if (member !== "type" && member !== needed) yield superfluous([member], given.type);
    }
  },
);

export type HTTPRouteFilter = v.InferOutput<typeof filter>;

const lacking = (path: readonly string[], type: string): Fault => ({
  path,
  expected: `${path.join(".")} for the type ${type}`,
  found: "nothing",
  message: `the type ${type} needs this member; write it`,
});

const superfluous = (path: readonly string[], type: string): Fault => ({
  path,
  expected: `nothing that does not belong to the type ${type}`,
  found: path.join("."),
  message: `this member does not belong to the type ${type}; remove it or change the type`,
});

/** Every type of filter once, but for mirrors, and no rewrite of what is redirected (Gateway API `HTTPRouteRule.filters`). */
export function* filterFaults(
  filters: readonly HTTPRouteFilter[],
  path: readonly string[],
): Generator<Fault> {
  yield* repeated(
    filters,
    ({ type }) => (type === "RequestMirror" ? undefined : type),
    "type of filter",
    path,
  );
  const redirects = filters.some(({ type }) => type === "RequestRedirect");
  const rewrites = filters.findIndex(({ type }) => type === "URLRewrite");
  if (!redirects || rewrites === -1) return;
  yield {
    path: [...path, rewrites],
    expected: "either RequestRedirect or URLRewrite",
    found: "both",
    message:
      "a request that is redirected reaches no backend, so a rewrite has no effect; remove one of the two",
  };
}

/** Whether a filter replaces the matched prefix, which only means something if there is exactly one. */
export const replacesPrefix = ({ requestRedirect, urlRewrite }: HTTPRouteFilter): boolean =>
  [requestRedirect?.path, urlRewrite?.path].some((path) => path?.type === "ReplacePrefixMatch");
