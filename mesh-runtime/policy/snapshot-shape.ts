import { parseBlock } from "../authorization/address.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import type { Snapshot } from "./snapshot.ts";
import { snapshotVersion } from "./snapshot.ts";

/*
 * Small and by hand, because it is part of every worker's bundle. What a request is matched by is read
 * strictly: a member of a match, filter or rule that this runtime does not know would be a condition
 * left out, and a policy made wider. Elsewhere unknown members are ignored, so that old runtimes can
 * read newer snapshots of the same version.
 */

/** Says what is wrong with a value, from the place in it on; `undefined` if nothing is. */
type Shape = (value: unknown) => string | undefined;
type Members = Readonly<Record<string, Shape>>;

// A place is only put together on the way out of what is wrong: ten thousand rules are read in 10 ms.

const test = (expected: string, holds: (value: unknown) => boolean): Shape => {
  const wrong = ` must be ${expected}`;
  return (value) => (holds(value) ? undefined : wrong);
};

const text = test("a text", (value) => typeof value === "string");
const flag = test("true or false", (value) => typeof value === "boolean");
const amount = test("a number of 0 or more", (value) => typeof value === "number" && value >= 0);
const share = test("a share from 0 to 1", (value) => typeof value === "number" && value >= 0 && value <= 1);
const whole = test("a whole number of 0 or more", (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0);
const count = test("a whole number above 0", (value) => Number.isSafeInteger(value) && Number(value) > 0);

const oneOf = (...values: readonly unknown[]): Shape =>
  test(`one of ${values.join(", ")}`, (value) => values.includes(value));

const optional =
  (shape: Shape): Shape =>
  (value) =>
    value === undefined ? undefined : shape(value);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const noObject = " must be an object";

const list =
  (shape: Shape): Shape =>
  (value) => {
    if (!Array.isArray(value)) return " must be a list";
    for (let index = 0; index < value.length; index++) {
      const wrong = shape(value[index]);
      if (wrong !== undefined) return `[${index}]${wrong}`;
    }
    return undefined;
  };

const record =
  (shape: Shape): Shape =>
  (value) => {
    if (!isObject(value)) return noObject;
    for (const [name, item] of Object.entries(value)) {
      const wrong = shape(item);
      if (wrong !== undefined) return `.${name}${wrong}`;
    }
    return undefined;
  };

function open(members: Members): Shape {
  const shapes = Object.entries(members);
  return (value) => {
    if (!isObject(value)) return noObject;
    for (const [name, shape] of shapes) {
      const wrong = shape(value[name]);
      if (wrong !== undefined) return `.${name}${wrong}`;
    }
    return undefined;
  };
}

function strict(members: Members): Shape {
  const shape = open(members);
  const known = new Set(Object.keys(members));
  return (value) => {
    const wrong = shape(value);
    if (wrong !== undefined) return wrong;
    for (const name in value as object) if (!known.has(name)) return `.${name} is not known to this runtime`;
    return undefined;
  };
}

/** The shape that the value of one member names. */
const named =
  (member: string, shapes: Members): Shape =>
  (value) => {
    const name = isObject(value) ? value[member] : undefined;
    const shape = typeof name === "string" && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    return shape === undefined ? `.${member} must be one of ${Object.keys(shapes).join(", ")}` : shape(value);
  };

/** Strict, and by the member `type`. */
const tagged = (variants: Readonly<Record<string, Members>>): Shape =>
  named(
    "type",
    Object.fromEntries(
      Object.entries(variants).map(([name, members]) => [name, strict({ type: text, ...members })]),
    ),
  );

const valued = { value: text };
const namedValues = list(strict({ name: text, value: text }));
// What a program does is not judged: whatever it says, it ends, and what it does not say falls under nothing.
const pattern = strict({ prefix: text, program: text });
const namedMatches = list(strict({ name: text, value: text, pattern: optional(pattern) }));
const stringForms = { exact: valued, prefix: valued, suffix: valued, present: {} };
const stringMatches = optional(list(tagged(stringForms)));
const pathMatches = optional(list(tagged({ ...stringForms, template: valued })));
const blocks = optional(
  list(test("a block of addresses", (value) => typeof value === "string" && parseBlock(value).ok)),
);
const conditionValues = { values: stringMatches, notValues: stringMatches };
const pathMatch = tagged({ Exact: valued, PathPrefix: valued, RegularExpression: { value: text, pattern } });
const pathChange = optional(tagged({ ReplaceFullPath: valued, ReplacePrefixMatch: valued }));
const headerChange = { set: namedValues, add: namedValues, remove: list(text) };

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
  replay: optional(oneOf("strict")),
});

const authorizationRule = strict({
  name: text,
  action: oneOf("ALLOW", "DENY", "AUDIT"),
  dryRun: optional(oneOf(true)),
  from: optional(
    list(
      strict({
        principals: stringMatches,
        notPrincipals: stringMatches,
        namespaces: stringMatches,
        notNamespaces: stringMatches,
        requestPrincipals: stringMatches,
        notRequestPrincipals: stringMatches,
        ipBlocks: blocks,
        notIpBlocks: blocks,
      }),
    ),
  ),
  to: optional(
    list(
      strict({
        hosts: stringMatches,
        notHosts: stringMatches,
        methods: stringMatches,
        notMethods: stringMatches,
        paths: pathMatches,
        notPaths: pathMatches,
      }),
    ),
  ),
  when: optional(
    list(
      tagged({
        principal: conditionValues,
        namespace: conditionValues,
        evidence: conditionValues,
        requestPrincipal: conditionValues,
        audiences: conditionValues,
        presenter: conditionValues,
        claim: { path: list(text), ...conditionValues },
        header: { name: text, ...conditionValues },
      }),
    ),
  ),
});

const tokenRule = strict({
  name: text,
  issuer: text,
  audiences: optional(list(text)),
  keys: tagged({ url: { url: text, timeoutMs: count }, inline: { jwks: text } }),
  places: list(
    tagged({ header: { name: text, prefix: text }, cookie: { name: text }, query: { name: text } }),
  ),
  forward: flag,
  claimHeaders: list(strict({ header: text, claim: text })),
  payloadHeader: optional(text),
  spaceDelimited: list(text),
});
const users = optional(list(tokenRule));

const evidence = oneOf("binding", "signature");
const largeBody = oneOf("reject", "unsigned");

const demands = {
  spiffeId: text,
  evidence,
  largeBody,
  maxDigestBytes: whole,
  responses: optional(oneOf("signed")),
  sessionProofs: optional(oneOf("refused")),
};

const endpoint = open({
  name: text,
  address: named("kind", {
    binding: open({ binding: text, url: optional(text) }),
    url: open({ url: text }),
    dispatch: open({ binding: text, worker: text }),
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
  trustDomain: optional(text),
  hosts: list(text),
  binding: optional(text),
  endpoints: list(endpoint),
  balancing: optional(balancing),
  rules: optional(list(rule)),
  portRules: optional(record(list(rule))),
  traffic,
  stated: optional(list(oneOf("timeout", "retry", "maxInFlight"))),
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
    users,
    timeoutMs: amount,
    maxInFlight: count,
    maxDigestBytes: whole,
    largeBody,
    replay: optional(oneOf("strict")),
    sessionProofs: optional(oneOf("refused")),
  }),
  entry: optional(strict({ authorization: list(authorizationRule), users })),
  destinations: record(destination),
  promisedRetries: optional(count),
  listeners: list(listener),
  telemetry: open({ sampleRatio: share, accessLog: flag, otlpEndpoint: optional(text) }),
});

/** Reads a parsed value as a snapshot: every part that requests are judged by is checked, or nothing is taken. */
export function readSnapshot(value: unknown): Result<Snapshot, string> {
  const wrong = snapshot(value);
  return wrong === undefined ? ok(value as Snapshot) : no(`snapshot${wrong}`);
}
