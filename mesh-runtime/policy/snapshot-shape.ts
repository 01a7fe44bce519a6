import { no, ok, type Result } from "../foundation/result.ts";
import type { Snapshot } from "./snapshot.ts";
import { snapshotVersion } from "./snapshot.ts";

/*
 * Small and by hand, because it is part of every worker's bundle. What a request is matched by is read
 * strictly: a member of a match, filter or rule that this runtime does not know would be a condition
 * left out, and a policy made wider. Elsewhere unknown members are ignored, so that old runtimes can
 * read newer snapshots of the same version.
 */

/** Says at which path a value is not what it must be; `undefined` if it is. */
type Shape = (value: unknown, path: string) => string | undefined;
type Members = Readonly<Record<string, Shape>>;

const test =
  (expected: string, holds: (value: unknown) => boolean): Shape =>
  (value, path) =>
    holds(value) ? undefined : `${path} must be ${expected}`;

const text = test("a text", (value) => typeof value === "string");
const flag = test("true or false", (value) => typeof value === "boolean");
const number = test("a whole number", Number.isSafeInteger);
const amount = test("a number of 0 or more", (value) => typeof value === "number" && value >= 0);
const share = test("a share from 0 to 1", (value) => typeof value === "number" && value >= 0 && value <= 1);
const whole = test("a whole number of 0 or more", (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0);
const count = test("a whole number above 0", (value) => Number.isSafeInteger(value) && Number(value) > 0);

const oneOf = (...values: readonly unknown[]): Shape =>
  test(`one of ${values.join(", ")}`, (value) => values.includes(value));

const optional =
  (shape: Shape): Shape =>
  (value, path) =>
    value === undefined ? undefined : shape(value, path);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const list =
  (shape: Shape): Shape =>
  (value, path) =>
    Array.isArray(value)
      ? first(value.entries(), ([index, item]) => shape(item, `${path}[${index}]`))
      : `${path} must be a list`;

const record =
  (shape: Shape): Shape =>
  (value, path) =>
    isObject(value)
      ? first(Object.entries(value), ([name, item]) => shape(item, `${path}.${name}`))
      : `${path} must be an object`;

const open =
  (members: Members): Shape =>
  (value, path) =>
    isObject(value)
      ? first(Object.entries(members), ([name, shape]) => shape(value[name], `${path}.${name}`))
      : `${path} must be an object`;

const strict =
  (members: Members): Shape =>
  (value, path) =>
    open(members)(value, path) ??
    first(Object.keys(value as object), (name) =>
      Object.hasOwn(members, name) ? undefined : `${path}.${name} is not known to this runtime`,
    );

/** Strict, and by the member `type`. */
const tagged =
  (variants: Readonly<Record<string, Members>>): Shape =>
  (value, path) => {
    const type = isObject(value) ? value.type : undefined;
    const members = typeof type === "string" && Object.hasOwn(variants, type) ? variants[type] : undefined;
    return members === undefined
      ? `${path}.type must be one of ${Object.keys(variants).join(", ")}`
      : strict({ type: text, ...members })(value, path);
  };

function first<Item>(items: Iterable<Item>, judge: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const wrong = judge(item);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

const valued = { value: text };
const named = list(strict({ name: text, value: text }));
// What a program does is not judged: whatever it says, it ends, and what it does not say falls under nothing.
const pattern = strict({ prefix: text, classes: list(list(whole)), program: list(number) });
const namedMatches = list(strict({ name: text, value: text, pattern: optional(pattern) }));
const stringMatches = optional(list(tagged({ exact: valued, prefix: valued, suffix: valued, present: {} })));
const pathMatch = tagged({ Exact: valued, PathPrefix: valued, RegularExpression: { value: text, pattern } });
const pathChange = optional(tagged({ ReplaceFullPath: valued, ReplacePrefixMatch: valued }));
const headerChange = { set: named, add: named, remove: list(text) };

const routeMatch = strict({
  path: pathMatch,
  method: optional(text),
  headers: namedMatches,
  query: namedMatches,
});

const filter = tagged({
  RequestHeaderModifier: headerChange,
  ResponseHeaderModifier: headerChange,
  URLRewrite: { hostname: optional(text), path: pathChange },
  RequestRedirect: {
    scheme: optional(oneOf("http", "https")),
    hostname: optional(text),
    path: pathChange,
    port: optional(count),
    statusCode: oneOf(301, 302, 303, 307, 308),
  },
  RequestMirror: { service: text, unusable: optional(text), numerator: whole, denominator: count },
  CORS: {
    allowOrigins: list(text),
    allowCredentials: flag,
    allowMethods: list(text),
    allowHeaders: list(text),
    exposeHeaders: list(text),
    maxAgeSeconds: count,
  },
});

const session = strict({
  type: oneOf("Cookie", "Header"),
  name: text,
  absoluteTimeoutMs: optional(amount),
  lifetime: oneOf("Session", "Permanent"),
  path: optional(text),
});

const rule = strict({
  name: text,
  matches: list(routeMatch),
  filters: list(filter),
  backends: list(strict({ service: text, weight: whole, filters: list(filter), unusable: optional(text) })),
  requestTimeoutMs: optional(amount),
  backendTimeoutMs: optional(amount),
  retry: optional(strict({ codes: list(count), attempts: optional(whole), backoffMs: optional(amount) })),
  session: optional(session),
});

const authorizationRule = strict({
  name: text,
  action: oneOf("ALLOW", "DENY"),
  from: optional(
    list(
      strict({
        principals: stringMatches,
        notPrincipals: stringMatches,
        namespaces: stringMatches,
        notNamespaces: stringMatches,
      }),
    ),
  ),
  to: optional(
    list(
      strict({
        methods: stringMatches,
        notMethods: stringMatches,
        paths: stringMatches,
        notPaths: stringMatches,
      }),
    ),
  ),
});

const evidence = oneOf("binding", "signature");
const largeBody = oneOf("reject", "unsigned");

/** By its member `kind`. */
const address =
  (kinds: Readonly<Record<string, Members>>): Shape =>
  (value, path) => {
    const kind = isObject(value) ? value.kind : undefined;
    const members = typeof kind === "string" && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    return members === undefined
      ? `${path}.kind must be one of ${Object.keys(kinds).join(", ")}`
      : open(members)(value, path);
  };

const demands = { spiffeId: text, evidence, largeBody, maxDigestBytes: whole };

const endpoint = open({
  name: text,
  address: address({
    binding: { binding: text, url: optional(text) },
    url: { url: text },
    dispatch: { binding: text, worker: text },
  }),
  weight: whole,
  priority: whole,
  locality: optional(open({ region: text, zone: optional(text) })),
  recipient: optional(open(demands)),
});

const balancing = open({
  algorithm: oneOf("LeastRequest", "RoundRobin", "Random", "RingHash"),
  hashOn: optional(
    tagged({ header: { name: text }, cookie: { name: text }, query: { name: text }, sourceAddress: {} }),
  ),
  slowStartMs: amount,
  preferLocal: flag,
});

const traffic = open({
  timeoutMs: amount,
  maxInFlight: count,
  retryConstraint: optional(
    strict({ percent: whole, intervalMs: count, minimumCount: whole, minimumIntervalMs: count }),
  ),
  retry: open({
    attempts: whole,
    codes: list(count),
    perTryTimeoutMs: amount,
    backoffBaseMs: amount,
    backoffMaxMs: amount,
    budgetRatio: share,
    maxReplayBytes: whole,
    nonIdempotent: flag,
  }),
  circuit: open({
    enabled: flag,
    consecutiveFailures: count,
    minimumSpanMs: amount,
    failureRatio: share,
    minimumOutcomes: count,
    windowMs: count,
    baseOpenMs: amount,
    maxOpenMs: amount,
    permitMs: count,
    successesToClose: count,
  }),
});

const destination = open({
  key: text,
  ...demands,
  hosts: list(text),
  binding: optional(text),
  endpoints: list(endpoint),
  balancing: optional(balancing),
  rules: optional(list(rule)),
  portRules: optional(record(list(rule))),
  traffic,
});

const listener = open({
  name: text,
  port: count,
  protocol: oneOf("HTTP", "HTTPS"),
  hostname: optional(text),
  hosts: list(open({ hostname: optional(text), rules: list(rule) })),
});

const snapshot = open({
  version: oneOf(snapshotVersion),
  trustDomain: text,
  workload: text,
  spiffeId: text,
  inbound: open({
    mode: oneOf("STRICT", "PERMISSIVE"),
    evidence,
    authorization: list(authorizationRule),
    timeoutMs: amount,
    maxInFlight: count,
    maxDigestBytes: whole,
    largeBody,
  }),
  destinations: record(destination),
  promisedRetries: optional(count),
  listeners: list(listener),
  telemetry: open({ sampleRatio: share, accessLog: flag, otlpEndpoint: optional(text) }),
});

/** Reads a parsed value as a snapshot: every part that requests are judged by is checked, or nothing is taken. */
export function readSnapshot(value: unknown): Result<Snapshot, string> {
  const wrong = snapshot(value, "snapshot");
  return wrong === undefined ? ok(value as Snapshot) : no(wrong);
}
