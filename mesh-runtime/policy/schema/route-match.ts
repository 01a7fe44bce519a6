import { routeDefaults } from "../defaults.ts";
import {
  about,
  checked,
  choice,
  defaulted,
  type Fault,
  list,
  optional,
  repeated,
  type Schema,
  strict,
  text,
  value,
} from "./fields.ts";
import { headerName, headerValue, parameterName } from "./http-filters.ts";

const noRegex = { RegularExpression: "not supported yet; write one match for each value" };

/** HTTPPathMatch: what the CRD's own rules demand, so that no two spellings of one path are both in use. */
const pathValue = (): Schema<string> =>
  value<string>(
    'a path of at most 1024 characters that begins with "/"',
    (input) => typeof input === "string" && pathFault(input) === undefined,
    (input) => (typeof input === "string" ? (pathFault(input) ?? "") : ""),
  );

function pathFault(path: string): string | undefined {
  if (!path.startsWith("/")) return 'a path begins with "/"; write it first';
  if (path.length > 1024) return "this path is longer than 1024 characters; shorten it";
  if (/\/\/|\/\.\.?(?:\/|$)/.test(path))
    return 'no path that arrives contains "//", "/./" or "/../"; write it without';
  if (/%2f/i.test(path)) return "an encoded slash is not a slash to everybody; write it without %2F";
  if (path.includes("#")) return "a fragment is never sent; write the path without #";
  if (path.includes("?")) return "the query is not part of the path; use queryParams";
  return /^[A-Za-z0-9/\-._~!$&'()*+,;=:@%]*$/.test(path) && !/%(?![0-9A-Fa-f]{2})/.test(path)
    ? undefined
    : "a path is matched as it is sent; percent-encode every character that a URL does";
}

const pathMatch = strict({
  type: about(
    defaulted(choice(["Exact", "PathPrefix"], noRegex), routeDefaults.path.type),
    "How the path is compared; a prefix counts by whole segments.",
  ),
  value: about(defaulted(pathValue(), routeDefaults.path.value), "The path."),
});

const headerMatch = strict({
  type: about(defaulted(choice(["Exact"], noRegex), "Exact"), "How the value is compared."),
  name: about(headerName(), "Header name, in any case."),
  value: about(headerValue(), "The whole value."),
});

const queryMatch = strict({
  type: about(defaulted(choice(["Exact"], noRegex), "Exact"), "How the value is compared."),
  name: about(parameterName(), "Parameter name; case counts."),
  value: about(text("a value of 1 to 1024 characters", /^[\s\S]+$/, 1024), "The whole value."),
});

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] as const;

/** `HTTPRouteMatch`: conditions that must all hold. */
export const match = checked(
  strict({
    path: about(defaulted(pathMatch, routeDefaults.path), "What the path must be."),
    headers: about(optional(list(headerMatch, 0, 16)), "Headers that must all be there."),
    queryParams: about(optional(list(queryMatch, 0, 16)), "Query parameters that must all be there."),
    method: about(optional(choice(methods)), "The method that it must be."),
  }),
  function* ({ headers, queryParams }): Generator<Fault> {
    yield* repeated(headers, ({ name }) => name.toLowerCase(), "header", ["headers"]);
    yield* repeated(queryParams, ({ name }) => name, "query parameter", ["queryParams"]);
  },
);
