import type { HeaderFields } from "../foundation/fields.ts";
import { meshPrefix } from "../foundation/headers.ts";
import { canonicalOrigin, originMatches } from "./origin-match.ts";
import type { Cors, Filter, Matched, RouteTable, Rule } from "./words.ts";

/** As much of a request as CORS looks at. */
export interface Asked {
  readonly method: string;
  readonly headers: Pick<HeaderFields, "get">;
}

/** The CORS filter among filters; Gateway API allows one at most. */
export const corsAmong = (filters: readonly Filter[]): Cors | undefined =>
  filters.find((filter) => filter.type === "CORS");

/** Whether a browser asks what it may do, instead of doing it (Fetch §3.3.2). Any other OPTIONS is a request like all. */
export const isPreflight = ({ method, headers }: Asked): boolean =>
  method === "OPTIONS" && said(headers, "origin") !== "" && said(headers, requestMethod) !== "";

/**
 * The rule that a request falls under. A preflight asks on behalf of another request, so that it falls under the rule
 * of that one if CORS is spoken of there, and no match names OPTIONS: a rule for PUT alone would otherwise never hear
 * the preflight without which no browser sends it a PUT. What the other request's own headers decide, a preflight
 * cannot tell, because browsers send none of them with it.
 */
export function ruleFor(table: RouteTable, message: Parameters<RouteTable["find"]>[0]): Matched | undefined {
  const found = table.find(message);
  if (!isPreflight(message) || found?.match.method !== undefined || found?.undecided !== undefined)
    return found;
  const { url, headers } = message;
  const actual = table.find({ url, headers, method: said(headers, requestMethod) });
  return actual !== undefined && speaksOfCors(actual.rule) ? actual : found;
}

const speaksOfCors = ({ filters, backends }: Rule): boolean =>
  [filters, ...backends.map((backend) => backend.filters)].some((some) => corsAmong(some) !== undefined);

/** The answer to a preflight, before the rule's filters say on it what is allowed: the backend is not asked (GEP-1767). */
export const preflightAnswer = (): Response => new Response(null, { status: 204 });

/**
 * Says on an answer what the origin that asks may do. The filter is the only one who says so: what the backend said of
 * CORS is taken off, and an origin that is not allowed is told nothing (GEP-1767).
 *
 * What is allowed whatever is asked, a preflight with a `*` is told by echoing what it asks: in an answer a `*`
 * means itself where credentials are allowed, and never takes in `authorization` (Fetch §3.3.5).
 *
 * Where the answer depends on the origin it says `Vary: Origin`, so that no cache gives one origin what was
 * said to another.
 */
export function sayCors(answer: HeaderFields, cors: Cors, asked: Asked): void {
  for (const name of Object.values(allow)) answer.delete(name);
  const origin = said(asked.headers, "origin");
  const anybody = cors.allowOrigins.includes("*") && !cors.allowCredentials;
  if (origin === "" || !anybody) vary(answer);
  if (origin === "" || !allows(cors, origin)) return;

  answer.set(allow.origin, anybody ? "*" : origin);
  if (cors.allowCredentials) answer.set(allow.credentials, "true");
  const exposed = exposedOf(cors, answer);
  if (exposed !== "") answer.set(allow.expose, exposed);
  if (!isPreflight(asked)) return;

  const methods = cors.allowMethods.includes("*")
    ? said(asked.headers, requestMethod)
    : cors.allowMethods.join(", ");
  if (methods !== "") answer.set(allow.methods, methods);
  const headers = cors.allowHeaders.includes("*")
    ? said(asked.headers, "access-control-request-headers")
    : cors.allowHeaders.join(", ");
  if (headers !== "") answer.set(allow.headers, headers);
  answer.set(allow.maxAge, String(cors.maxAgeSeconds));
}

const requestMethod = "access-control-request-method";

/** Everything that the CORS protocol says on an answer. */
const allow = {
  origin: "access-control-allow-origin",
  credentials: "access-control-allow-credentials",
  methods: "access-control-allow-methods",
  headers: "access-control-allow-headers",
  expose: "access-control-expose-headers",
  maxAge: "access-control-max-age",
} as const;

const said = (headers: Asked["headers"], name: string): string => headers.get(name) ?? "";

function allows({ allowOrigins }: Cors, origin: string): boolean {
  const canonical = canonicalOrigin(origin);
  return allowOrigins.some((allowed) => originMatches(allowed, canonical));
}

/** Which headers a script may read. With credentials a `*` would mean a header of that name, so that those that are there are named, but for the mesh's, which stay inside. */
function exposedOf({ exposeHeaders, allowCredentials }: Cors, answer: HeaderFields): string {
  if (!allowCredentials || !exposeHeaders.includes("*")) return exposeHeaders.join(", ");
  const own: ReadonlySet<string> = new Set(Object.values(allow));
  const here = [...answer.keys()].filter(
    (name) => !own.has(name) && name !== "set-cookie" && !name.startsWith(meshPrefix),
  );
  return [
    ...new Set([...exposeHeaders.filter((name) => name !== "*").map((name) => name.toLowerCase()), ...here]),
  ].join(", ");
}

function vary(answer: HeaderFields): void {
  const names = said(answer, "vary")
    .toLowerCase()
    .split(/[\s,]+/);
  if (!names.includes("origin") && !names.includes("*")) answer.append("vary", "Origin");
}
