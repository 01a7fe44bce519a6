import { eachHeaderMatches, headersMatch } from "./header-match.ts";
import { methodMatches } from "./method-match.ts";
import { pathMatches } from "./path-match.ts";
import { eachParameterMatches, queryMatches } from "./query-match.ts";
import type { RouteMatch, RouteTable } from "./words.ts";

/** As much of a request as routing looks at. */
export type RoutedRequest = Parameters<RouteTable["find"]>[0];

/** What a match demands beside the path. */
export type Conditions = Pick<RouteMatch, "method" | "headers" | "query">;

/**
 * Whether one match holds for a request: all of its conditions together. The definition; a route table
 * finds the same without asking every match. `explain` uses it to tell why a rule did not apply.
 */
export const routeMatches = (match: RouteMatch, request: RoutedRequest): boolean =>
  pathMatches(match.path, request.url.pathname) && conditionsHold(match, request);

/** Whether everything but the path holds; the cheapest question comes first, the query string last. */
const conditionsHold = (match: Conditions, request: RoutedRequest): boolean =>
  methodMatches(match.method, request.method) &&
  headersMatch(match.headers, request.headers) &&
  queryMatches(match.query, request.url);

/** The same of conditions of which each header and each parameter has one. */
export const distinctHold = (match: Conditions, request: RoutedRequest): boolean =>
  methodMatches(match.method, request.method) &&
  eachHeaderMatches(match.headers, request.headers) &&
  eachParameterMatches(match.query, request.url);
