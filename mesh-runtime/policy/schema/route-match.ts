import * as v from "valibot";
import { compilePattern } from "../compile-pattern.ts";
import { routeDefaults } from "../defaults.ts";
import {
  about,
  checked,
  choice,
  defaulted,
  type Fault,
  isWithin,
  list,
  optional,
  repeated,
  type Schema,
  strict,
  text,
  value,
} from "./fields.ts";
import { headerName, headerValue, parameterName } from "./http-filters.ts";

/** HTTPPathMatch: what the CRD's own rules demand, so that no two spellings of one path are both in use. */
const maxPathLength = 1_024;

const pathValue = (): Schema<string> =>
  value<string>(
    `a path of at most ${maxPathLength} characters that begins with "/", or a regular expression as long`,
    (input) => typeof input === "string" && isWithin(input, maxPathLength),
    (input) =>
      typeof input === "string" ? `this path is longer than ${maxPathLength} characters; shorten it` : "",
  );

/** What is wrong with the value of `Exact` and `PathPrefix`, and what to do. */
function pathFault(path: string): string | undefined {
  if (!path.startsWith("/")) return 'a path begins with "/"; write it first';
  if (/\/\/|\/\.\.?(?:\/|$)/.test(path))
    return 'no path that arrives contains "//", "/./" or "/../"; write it without';
  if (/%2f/i.test(path)) return "an encoded slash is not a slash to everybody; write it without %2F";
  if (path.includes("#")) return "a fragment is never sent; write the path without #";
  if (path.includes("?")) return "the query is not part of the path; use queryParams";
  return /^[A-Za-z0-9/\-._~!$&'()*+,;=:@%]*$/.test(path) && !/%(?![0-9A-Fa-f]{2})/.test(path)
    ? undefined
    : "a path is matched as it is sent; percent-encode every character that a URL does";
}

/** The fault of a value that is a regular expression and cannot be compiled. */
function* patternFault(type: string, written: string): Generator<Fault> {
  const pattern = type === "RegularExpression" ? compilePattern(written) : undefined;
  if (pattern === undefined || pattern.ok) return;
  yield {
    path: ["value"],
    expected: "a regular expression in RE2 syntax",
    found: JSON.stringify(written),
    message: pattern.reason,
  };
}

const pathMatch = checked(
  strict({
    type: about(
      defaulted(choice(["Exact", "PathPrefix", "RegularExpression"]), routeDefaults.path.type),
      "How the path is compared; a prefix counts by whole segments, a regular expression (RE2 syntax) stands for the whole path.",
    ),
    value: about(defaulted(pathValue(), routeDefaults.path.value), "The path, or the expression."),
  }),
  function* ({ type, value: written }): Generator<Fault> {
    yield* patternFault(type, written);
    const fault = type === "RegularExpression" ? undefined : pathFault(written);
    if (fault === undefined) return;
    yield {
      path: ["value"],
      expected: 'a path of at most 1024 characters that begins with "/"',
      found: JSON.stringify(written),
      message: fault,
    };
  },
);

const comparison = () =>
  about(
    defaulted(choice(["Exact", "RegularExpression"]), "Exact"),
    "How the value is compared; a regular expression (RE2 syntax) stands for the whole value.",
  );

const exactHeaderValue = headerValue();

const headerMatch = checked(
  strict({
    type: comparison(),
    name: about(headerName(), "Header name, in any case."),
    value: about(
      text("a header value of 1 to 4096 characters", /^[\s\S]+$/, 4_096),
      "The whole value, or the expression. Of a header that was sent several times, the values joined with a comma and a space.",
    ),
  }),
  function* ({ type, value: written }): Generator<Fault> {
    yield* patternFault(type, written);
    if (type === "RegularExpression" || v.is(exactHeaderValue, written)) return;
    const { expects } = exactHeaderValue;
    yield {
      path: ["value"],
      expected: expects,
      found: JSON.stringify(written),
      message: `it must be ${expects}; write it as it is sent`,
    };
  },
);

const queryMatch = checked(
  strict({
    type: comparison(),
    name: about(parameterName(), "Parameter name; case counts."),
    value: about(
      text("a value of 1 to 1024 characters", /^[\s\S]+$/, 1_024),
      "The whole value, or the expression. Of a parameter that was sent several times, the first.",
    ),
  }),
  ({ type, value: written }) => patternFault(type, written),
);

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
    // As the CRD has it: names that differ in case are let through, and the first of them counts.
    yield* repeated(headers, ({ name }) => name, "header", ["headers"]);
    yield* repeated(queryParams, ({ name }) => name, "query parameter", ["queryParams"]);
  },
);
