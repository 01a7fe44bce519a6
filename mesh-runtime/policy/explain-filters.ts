import type { Message } from "../foundation/exchange.ts";
import { Fields, type HeaderFields } from "../foundation/fields.ts";
import { type Asked, corsAmong, isPreflight, preflightAnswer, sayCors } from "../routing/cors.ts";
import { applyRequestFilters } from "../routing/filter.ts";
import { redirectAmong, redirectOf } from "../routing/redirect.ts";
import type { Cors, Filter, HeaderChange, Matched, Mirror } from "../routing/words.ts";
import { shownHeader } from "./explain-match.ts";
import type { Fate, FilterStep } from "./explanation.ts";

/** What some filters make of a message. */
export interface Filtered {
  readonly steps: readonly FilterStep[];
  /** As it goes on; unchanged where it is answered. */
  readonly message: Message;
  /** The answer that a filter gives in place of a backend. */
  readonly answered?: Extract<Fate, { kind: "answered" }>;
}

/** What filters belong to. */
export interface Belonging {
  readonly matched: Matched | undefined;
  /** Of the gateway listener; `undefined` inside the mesh. */
  readonly listenerPort: number | undefined;
  /** Whose filters they are, in words. */
  readonly by: string;
}

/**
 * What filters do to a message, in the order in which they act: CORS answers a preflight, and a redirect
 * everything, before anything else is done; filters of the answer still change it. Each step is what
 * `applyRequestFilters` does with one.
 *
 * @param message before any of them
 */
export function filtered(message: Message, filters: readonly Filter[], belonging: Belonging): Filtered {
  const { matched, listenerPort, by } = belonging;
  const step = (filter: Filter, before = message, after = message): FilterStep =>
    stepOf(filter, before, after, message);
  const onAnswer = filters
    .filter(({ type }) => type === "ResponseHeaderModifier" || type === "CORS")
    .map((filter) => step(filter));
  if (isPreflight(message) && corsAmong(filters) !== undefined) {
    const { status } = preflightAnswer();
    return { steps: onAnswer, message, answered: { kind: "answered", status, by } };
  }
  const redirect = redirectAmong(filters);
  if (redirect !== undefined) {
    const { status, headers } = redirectOf(redirect, message.url, matched, listenerPort);
    const location = headers.get("location") ?? "";
    const first: FilterStep = { type: redirect.type, text: `answers ${status}, Location ${location}` };
    return { steps: [first, ...onAnswer], message, answered: { kind: "answered", status, location, by } };
  }
  let now = message;
  const steps: FilterStep[] = [];
  for (const filter of filters) {
    const after = applyRequestFilters(now, [filter], matched);
    steps.push(step(filter, now, after));
    now = after;
  }
  return { steps, message: now };
}

function stepOf(filter: Filter, before: Message, after: Message, asked: Asked): FilterStep {
  const { type } = filter;
  switch (type) {
    case "RequestHeaderModifier":
      return { type, text: changesText(filter, before.headers) };
    case "ResponseHeaderModifier":
      return { type, text: `of the answer: ${changesText(filter, undefined)}` };
    case "URLRewrite":
      return rewriteStep(before.url.href, after.url.href);
    case "RequestRedirect":
      return { type, text: "another redirect of the same rule answers first" };
    case "RequestMirror":
      return { type, text: mirrorText(filter) };
    case "CORS":
      return { type, text: corsText(filter, asked) };
  }
}

const rewriteStep = (before: string, after: string): FilterStep =>
  before === after
    ? { type: "URLRewrite", text: "changes nothing of this URL" }
    : { type: "URLRewrite", text: `makes it ${after}`, url: after };

/** @param headers of the request; undefined for an answer, of which nothing is known yet */
function changesText({ set, add, remove }: HeaderChange, headers: HeaderFields | undefined): string {
  const was = (name: string): string => {
    const value = headers === undefined ? null : shownHeader(headers, name);
    return value === null ? "" : ` (was ${value})`;
  };
  const parts = [
    ...set.map(({ name, value }) => `sets ${name}: ${value}${was(name)}`),
    ...add.map(({ name, value }) => `adds ${name}: ${value}`),
    ...remove.map((name) =>
      headers?.has(name) === false ? `removes ${name} (is absent)` : `removes ${name}`,
    ),
  ];
  return parts.length === 0 ? "changes nothing" : parts.join("; ");
}

function mirrorText({ service, unusable, numerator, denominator }: Mirror): string {
  if (unusable !== undefined) return `copies nothing to ${service}: ${unusable}`;
  const percent = Number(((numerator * 100) / denominator).toFixed(2));
  const share = numerator >= denominator ? "of each request" : `of ${percent}% of the requests`;
  return `a copy ${share} goes to ${service} too; its answer is ignored`;
}

/** What CORS says to the origin that asks, by what it puts on an answer. */
function corsText(cors: Cors, asked: Asked): string {
  const origin = asked.headers.get("origin");
  if (origin === null) return "no Origin is given, so nothing is said to a browser";
  const said = new Fields();
  sayCors(said, cors, asked);
  if (!said.has("access-control-allow-origin"))
    return `${origin} is not among ${cors.allowOrigins.join(", ")}: a browser keeps the answer from the page`;
  const words = [...said].filter(([name]) => name !== "vary").map(([name, value]) => `${name}: ${value}`);
  return `of the answer: sets ${words.join("; ")}`;
}

/** A filter in a word or two, for a list. */
export function filterWords(filter: Filter): string {
  switch (filter.type) {
    case "RequestHeaderModifier":
      return "request headers";
    case "ResponseHeaderModifier":
      return "response headers";
    case "URLRewrite":
      return "rewrite";
    case "RequestRedirect":
      return `redirect ${filter.statusCode}`;
    case "RequestMirror":
      return `mirror ${filter.service}`;
    case "CORS":
      return "cors";
  }
}
