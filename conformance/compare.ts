import type { Echo } from "./echo-words.ts";
import type { Expected, Step } from "./format.ts";
import type { WireAnswer } from "./wire.ts";

/** What came of a request, read as the upstream suite reads it. */
export interface Captured {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** What arrived at the backend; of an answer that is no echo, the method alone is known. */
  readonly echo: Pick<Echo, "path" | "host" | "method" | "namespace" | "pod" | "headers">;
  readonly redirect?: Redirect;
}

/** Where a redirect leads. */
export interface Redirect {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
  readonly path: string;
}

/** A field that is not as it must be. */
export interface Difference {
  readonly field: string;
  readonly expected: string;
  readonly found: string;
}

/** What was sent, as far as an answer is compared with it. */
export interface Sent {
  readonly method: string;
  readonly url: string;
  /** The path and query as the step has it, its `{uuid}` filled in. */
  readonly target: string;
}

const redirects = new Set([300, 301, 302, 303, 304, 305, 307, 308]);
const timeouts = new Set([408, 504]);

/** Reads an answer. */
export function captured({ status, headers, body }: WireAnswer, sent: Sent): Captured {
  const location = headers.location;
  return {
    status,
    headers,
    echo: echoIn(headers, body) ?? { ...nothing, method: sent.method },
    ...(redirects.has(status) && location !== undefined ? { redirect: redirectTo(location, sent.url) } : {}),
  };
}

const nothing = { path: "", host: "", method: "", namespace: "", pod: "", headers: {} } as const;

function echoIn(headers: WireAnswer["headers"], body: string): Captured["echo"] | undefined {
  if (headers["content-type"] !== "application/json" || body === "") return undefined;
  return JSON.parse(body) as Echo;
}

function redirectTo(location: string, base: string): Redirect {
  const { protocol, hostname, port, pathname } = new URL(location, base);
  // `URL` leaves out the port that a scheme has anyway; what was written counts.
  const written = /^[a-z]+:\/\/[^/?#]*?:(\d+)(?:[/?#]|$)/i.exec(location)?.[1];
  return { scheme: protocol.slice(0, -1), host: hostname, port: written ?? port, path: pathname };
}

/** Judges one field: yields what differs. */
type Judge = (captured: Captured, expect: Expected, sent: Sent) => Generator<Difference>;

/** Fields of an answer that speak of the backend: upstream compares them only where one has answered. */
const ofBackend: Readonly<Record<string, Judge>> = {
  *backend({ echo }, { backend = "" }) {
    if (!echo.pod.startsWith(backend)) yield different("backend", `a pod of ${backend}`, echo.pod || "none");
  },
  *namespace({ echo }, { namespace = "" }) {
    yield* equal("namespace", namespace, echo.namespace);
  },
  *"backendRequest.path"({ echo }, { backendRequest }, { target }) {
    const { path, explicit } = backendRequest ?? {};
    // One that is spelt out without a path means, upstream, that no backend has echoed any: a preflight.
    const expected = path ?? (explicit === true ? "" : target);
    yield* equal("backendRequest.path", expected, echo.path);
  },
  *"backendRequest.method"({ echo }, { backendRequest }) {
    yield* equal("backendRequest.method", backendRequest?.method ?? "GET", echo.method);
  },
  *"backendRequest.host"({ echo }, { backendRequest }) {
    const { host = "" } = backendRequest ?? {};
    // Upstream dials a port whatever the Host header says; what a worker sees has it in the host.
    const found = host.includes(":") ? echo.host : echo.host.replace(/:\d+$/, "");
    if (host !== "") yield* equal("backendRequest.host", host, found);
  },
  *"backendRequest.headers"({ echo }, { backendRequest }) {
    const found = lowered(echo.headers);
    for (const [name, value] of Object.entries(backendRequest?.headers ?? {}))
      yield* sameHeader(`backendRequest.headers.${name}`, value, found[name.toLowerCase()]);
  },
  *"backendRequest.absentHeaders"({ echo }, { backendRequest }) {
    const found = lowered(echo.headers);
    for (const name of backendRequest?.absentHeaders ?? [])
      yield* absent(`backendRequest.headers.${name}`, found[name.toLowerCase()]);
  },
  *responseHeaders({ headers }, { responseHeaders = {}, ignoreWhitespace = false }) {
    for (const [name, value] of Object.entries(responseHeaders))
      yield* oneOf(`responseHeaders.${name}`, [value].flat(), headers[name.toLowerCase()], ignoreWhitespace);
  },
  *validResponseHeaders({ headers }, { validResponseHeaders = {}, ignoreWhitespace = false }) {
    for (const [name, value] of Object.entries(validResponseHeaders))
      yield* oneOf(`responseHeaders.${name}`, [value].flat(), headers[name.toLowerCase()], ignoreWhitespace);
  },
  *absentResponseHeaders({ headers }, { absentResponseHeaders = [] }) {
    for (const name of absentResponseHeaders)
      yield* absent(`responseHeaders.${name}`, headers[name.toLowerCase()]);
  },
};

/** Other names under which a file may speak of the same. */
const synonyms: Readonly<Record<string, string>> = {
  validHeaderValues: "validResponseHeaders",
  validResponseHeaderValues: "validResponseHeaders",
  responseHeadersOneOf: "validResponseHeaders",
  "responseHeaders.absent": "absentResponseHeaders",
  ignoreResponseHeaderWhitespace: "ignoreWhitespace",
};

/** What other steps of the runner see to, or says how to compare. */
const elsewhere = new Set([
  "status",
  "redirect",
  "mirroredTo",
  "ignoreWhitespace",
  "requests",
  "rule",
  "weights",
  "header",
]);

/**
 * Compares an answer with what a step expects, as upstream's `CompareRoundTrip` does: the status first, then what
 * arrived at the backend if it was 200 or 204, or where a redirect leads. Only fields that upstream asserts are looked
 * at, where the step lists them.
 */
export function* differences(found: Captured, step: Step, sent: Sent): Generator<Difference> {
  const expect = renamed(step.expect ?? {});
  const statuses = statusesOf(expect);
  // Which of the two it is upstream leaves open.
  if (timeouts.has(found.status) && statuses.some((status) => timeouts.has(status))) return;
  if (!statuses.includes(found.status)) {
    yield different("status", statuses.join(" or "), String(found.status));
    return;
  }
  const fields = fieldsOf(step, expect).map((field) => (isChoice(field, expect[field]) ? choice : field));
  if (found.status === 200 || found.status === 204 || step.from !== undefined) {
    for (const field of fields) {
      const judge = ofBackend[field];
      if (judge !== undefined && isEmpty(expect, field))
        yield different(field, "something to compare", "nothing in the step");
      else if (judge !== undefined) yield* judge(found, expect, sent);
      else if (!elsewhere.has(field))
        yield different(field, "a field that the runner knows how to compare", "an unknown one");
    }
  }
  if (redirects.has(found.status) && fields.includes("redirect")) yield* redirected(found, expect, sent);
}

/** What upstream compares with a default where a step says nothing. */
const withDefault = new Set(["backend", "namespace", "backendRequest.path", "backendRequest.method"]);

/** Whether a field is said to be compared, and there is nothing to compare it with: it would always pass. */
function isEmpty(expect: Expected, field: string): boolean {
  if (withDefault.has(field)) return false;
  const [outer = "", inner] = field.split(".");
  const value = expect[outer] as Readonly<Record<string, unknown>> | undefined;
  return (inner === undefined ? value : value?.[inner]) === undefined;
}

/** The fields that are compared: what upstream asserts, or all that the step speaks of. */
function fieldsOf({ upstream }: Step, expect: Expected): readonly string[] {
  if (upstream?.asserts !== undefined) return upstream.asserts.map((field) => synonyms[field] ?? field);
  const { backendRequest = {}, ...rest } = expect;
  return [
    ...Object.keys(rest),
    ...Object.keys(backendRequest)
      .filter((field) => field !== "explicit")
      .map((field) => `backendRequest.${field}`),
  ];
}

const renamed = (expect: Expected): Expected =>
  Object.fromEntries(
    Object.entries(expect).flatMap(([member, value]) => {
      const name = synonyms[member] ?? member;
      return isChoice(name, value)
        ? [
            [name, value],
            [choice, value],
          ]
        : [[name, value]];
    }),
  ) as Expected;

const choice = "validResponseHeaders";

/** Headers with several values each, one of which it must be: that they are so says what they are for, whatever their name. */
const isChoice = (member: string, value: unknown): boolean =>
  ofBackend[member] === undefined &&
  member !== "backendRequest" &&
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.keys(value).length > 0 &&
  Object.values(value).every((values) => Array.isArray(values));

/** The statuses that a step lets pass; upstream's default is 200. */
export function statusesOf({ status = 200 }: Expected): readonly number[] {
  return typeof status === "number" ? [status] : status;
}

function* redirected({ redirect }: Captured, expect: Expected, sent: Sent): Generator<Difference> {
  if (redirect === undefined) {
    yield different("redirect", "a Location", "none");
    return;
  }
  const { scheme, host, port, path } = expect.redirect ?? {};
  const asked = new URL(sent.url);
  if (host !== undefined && host !== "") yield* equal("redirect.host", host, redirect.host);
  if (port !== undefined && port !== "") yield* equal("redirect.port", String(port), redirect.port);
  else yield* impliedPort(redirect);
  yield* equal("redirect.scheme", scheme || asked.protocol.slice(0, -1), redirect.scheme);
  yield* equal("redirect.path", path || asked.pathname, redirect.path);
}

/** Without an expected port, one may still be written if it is that of the scheme. */
function* impliedPort({ scheme, port }: Redirect): Generator<Difference> {
  const own = { http: "80", https: "443" }[scheme];
  if (own !== undefined && port !== "" && port !== own)
    yield different("redirect.port", `${own} or none`, port);
}

const lowered = (headers: Echo["headers"]): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, values]) => [name.toLowerCase(), values.join(",")]));

/** RFC 9110 §5.3: values of one name may come in one line, with a comma and any whitespace between them. */
const combined = (value: string): string => value.replaceAll(/\s*,\s*/g, ",");

function* sameHeader(field: string, expected: string, found: string | undefined): Generator<Difference> {
  if (found === undefined || combined(found) !== combined(expected))
    yield different(field, expected, found ?? "none");
}

function* oneOf(
  field: string,
  expected: readonly string[],
  found: string | undefined,
  ignoreWhitespace = false,
): Generator<Difference> {
  const bare = (value: string): string => (ignoreWhitespace ? value.replaceAll(/\s/g, "") : combined(value));
  if (found === undefined || !expected.some((value) => bare(value) === bare(found)))
    yield different(field, expected.join(" or "), found ?? "none");
}

function* absent(field: string, found: string | undefined): Generator<Difference> {
  if (found !== undefined) yield different(field, "none", found);
}

function* equal(field: string, expected: string, found: string): Generator<Difference> {
  if (expected !== found) yield different(field, expected, found);
}

const different = (field: string, expected: string, found: string): Difference => ({
  field,
  expected,
  found,
});

/** One line about a difference. */
export const told = ({ field, expected, found }: Difference): string =>
  `${field}: expected ${expected}, found ${found}`;
