import type { Message } from "../../../mesh-runtime/foundation/exchange.ts";
import { compilePattern } from "../../../mesh-runtime/policy/compile-pattern.ts";
import type {
  Backend,
  Filter,
  HeaderChange,
  Matched,
  NamedMatch,
  NamedValue,
  PathMatch,
  Pattern,
  RouteMatch,
  Rule,
} from "../../../mesh-runtime/routing/words.ts";

/** A valid example of each word of the room; a test changes what it is about. */

export const prefix = (value: string): PathMatch => ({ type: "PathPrefix", value });
export const exact = (value: string): PathMatch => ({ type: "Exact", value });

export const expression = (value: string): PathMatch => ({
  type: "RegularExpression",
  value,
  pattern: patternOf(value),
});

/** A condition by an expression. */
export const asking = (name: string, value: string): NamedMatch => ({
  name,
  value,
  pattern: patternOf(value),
});

function patternOf(source: string): Pattern {
  const pattern = compilePattern(source);
  if (!pattern.ok) throw new Error(pattern.reason);
  return pattern.value;
}

export const match = (path: PathMatch, more: Partial<RouteMatch> = {}): RouteMatch => ({
  path,
  headers: [],
  query: [],
  ...more,
});

export const rule = (name: string, matches: readonly RouteMatch[], more: Partial<Rule> = {}): Rule => ({
  name,
  matches,
  filters: [],
  backends: [backend("shop/cart")],
  ...more,
});

export const backend = (service: string, more: Partial<Backend> = {}): Backend => ({
  service,
  weight: 1,
  filters: [],
  ...more,
});

export const matched = (path: PathMatch): Matched => ({ rule: rule("r", [match(path)]), match: match(path) });

export const named = (values: Readonly<Record<string, string>>): readonly NamedValue[] =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

export const request = (
  url: string,
  { method = "GET", headers = {} }: { method?: string; headers?: HeadersInit } = {},
) => ({ url: new URL(url, "http://shop.example.com"), method, headers: new Headers(headers) });

export const message = (url: string, headers: HeadersInit = {}): Message => ({
  ...request(url, { headers }),
  body: null,
});

const unchanged: HeaderChange = { set: [], add: [], remove: [] };

export const onRequest = (change: Partial<HeaderChange>): Filter => ({
  type: "RequestHeaderModifier",
  ...unchanged,
  ...change,
});

export const onResponse = (change: Partial<HeaderChange>): Filter => ({
  type: "ResponseHeaderModifier",
  ...unchanged,
  ...change,
});
