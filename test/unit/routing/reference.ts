import { RE2JS } from "re2js";
import type { RoutedRequest } from "../../../mesh-runtime/routing/route-match.ts";
import type { Matched, NamedMatch, RouteMatch, Rule } from "../../../mesh-runtime/routing/words.ts";
import { match, prefix } from "./examples.ts";

/**
 * What the table must find, by the letter of Gateway API and by the simplest means: every match is asked,
 * and the best of those that hold is kept. Shares no code with the table; regular expressions are
 * another's (re2js).
 */
export function everyMatchAsked(rules: readonly Rule[], asked: RoutedRequest): Matched | undefined {
  let best: Matched | undefined;
  for (const each of rules) {
    const matches = each.matches.length > 0 ? each.matches : [match(prefix("/"))];
    for (const candidate of matches)
      if (holds(candidate, asked) && (best === undefined || comesBefore(candidate, best.match)))
        best = { rule: each, match: candidate };
  }
  return best;
}

export function holds({ path, method, headers, query }: RouteMatch, asked: RoutedRequest): boolean {
  const sent = new URLSearchParams(asked.url.search);
  return (
    pathFits(path, asked.url.pathname) &&
    (method === undefined || method === asked.method) &&
    firsts(headers).every((each) => valueFits(each, asked.headers.get(each.name))) &&
    firsts(query).every((each) => valueFits(each, sent.getAll(each.name)[0] ?? null))
  );
}

function pathFits({ type, value }: RouteMatch["path"], path: string): boolean {
  if (type === "Exact") return path === value;
  if (type === "RegularExpression") return expression(value).testExact(path);
  const wanted = value.split("/");
  if (wanted.at(-1) === "" && wanted.length > 1) wanted.pop();
  const sent = path.split("/").slice(0, wanted.length);
  return sent.length === wanted.length && sent.every((segment, index) => segment === wanted[index]);
}

function valueFits({ value, pattern }: NamedMatch, sent: string | null): boolean {
  if (sent === null) return false;
  return pattern === undefined ? sent === value : expression(value).testExact(sent);
}

/** Exact path, then regular expression, then the longer text; then method, headers, query parameters. */
function comesBefore(a: RouteMatch, b: RouteMatch): boolean {
  const [ours = [], theirs = []] = [a, b].map(({ path, method, headers, query }) => [
    ["PathPrefix", "RegularExpression", "Exact"].indexOf(path.type),
    path.type === "Exact" ? 0 : path.value.length,
    Number(method !== undefined),
    firsts(headers).length,
    firsts(query).length,
  ]);
  const at = ours.findIndex((value, index) => value !== theirs[index]);
  return at !== -1 && (ours[at] ?? 0) > (theirs[at] ?? 0);
}

const firsts = (values: readonly NamedMatch[]): readonly NamedMatch[] =>
  values.filter(({ name }, index) => values.findIndex((other) => other.name === name) === index);

const expressions = new Map<string, RE2JS>();

function expression(source: string): RE2JS {
  const known = expressions.get(source) ?? RE2JS.compile(source);
  expressions.set(source, known);
  return known;
}
