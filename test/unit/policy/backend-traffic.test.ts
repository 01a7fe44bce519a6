import { describe, expect, test } from "vitest";
import { catalogOf } from "../../../mesh-runtime/policy/catalog.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import type { Destination, Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
import { readSnapshot } from "../../../mesh-runtime/policy/snapshot-shape.ts";
import { complaints } from "../../../mesh-runtime/policy/status/complaints.ts";
import { statusOf } from "../../../mesh-runtime/policy/status/status.ts";
import {
  allowAll,
  documents,
  entry,
  gateway,
  inShort,
  policy,
  read,
  route,
  service,
  together,
} from "./writing.ts";

/** An XBackendTrafficPolicy for payments. */
const backendTraffic = (
  spec: string,
  { name = "payments", targets = "[{group: '', kind: Service, name: payments}]", created = "" } = {},
): string =>
  `{apiVersion: gateway.networking.x-k8s.io/v1alpha1, kind: XBackendTrafficPolicy, metadata: {name: ${name}, namespace: default${created === "" ? "" : `, creationTimestamp: "${created}"`}}, spec: {targetRefs: ${targets}${spec === "" ? "" : `, ${spec}`}}}`;

const shop = [service("web"), service("payments"), service("payments-v2"), allowAll()] as const;

function snapshotOf(key: string, ...texts: readonly string[]): Snapshot {
  const snapshot = compile(documents(...texts)).get(key);
  if (snapshot === undefined) throw new Error(`no snapshot of ${key}`);
  return snapshot;
}

const destination = (key: string, ...texts: readonly string[]): Destination => {
  const found = snapshotOf("default/web", ...shop, ...texts).destinations[key];
  if (found === undefined) throw new Error(`no destination ${key}`);
  return found;
};

const constraint = (...texts: readonly string[]) =>
  destination("default/payments", ...texts).traffic.retryConstraint;

/** What upstream says where a document is silent. */
const silent = { percent: 20, intervalMs: 10_000, minimumCount: 10, minimumIntervalMs: 1_000 };

describe("a retry constraint", () => {
  test.each([
    ["retryConstraint: {}", silent],
    ["retryConstraint: {budget: {percent: 50}}", { ...silent, percent: 50 }],
    ["retryConstraint: {budget: {interval: 1h}}", { ...silent, intervalMs: 3_600_000 }],
    ["retryConstraint: {minRetryRate: {count: 3}}", { ...silent, minimumCount: 3 }],
    [
      "retryConstraint: {budget: {percent: 0, interval: 1s}, minRetryRate: {count: 1, interval: 500ms}}",
      { percent: 0, intervalMs: 1_000, minimumCount: 1, minimumIntervalMs: 500 },
    ],
  ])("%s is compiled with upstream's defaults", (spec, compiled) => {
    expect(constraint(backendTraffic(spec))).toEqual(compiled);
  });

  test("stands beside what a TrafficPolicy says, and is absent where nobody speaks of it", () => {
    const traffic = policy(
      "TrafficPolicy",
      "p",
      "{targetRefs: [{kind: Service, name: payments}], timeout: 3s}",
    );
    const both = destination("default/payments", traffic, backendTraffic("retryConstraint: {}"));
    expect(both.traffic).toMatchObject({ timeoutMs: 3_000, retryConstraint: silent });
    expect(constraint(backendTraffic(""))).toBeUndefined();
    expect(
      destination("default/web", backendTraffic("retryConstraint: {}")).traffic.retryConstraint,
    ).toBeUndefined();
  });

  test("is taken by Services of either group, and of several", () => {
    const targets =
      "[{group: mesh.tulle.dev, kind: Service, name: payments}, {group: '', kind: Service, name: web}]";
    const texts = [backendTraffic("retryConstraint: {}", { targets })];
    expect([constraint(...texts), destination("default/web", ...texts).traffic.retryConstraint]).toEqual([
      silent,
      silent,
    ]);
  });
});

test.each([
  [
    "retryConstraint: {budget: {percent: 101}}",
    "spec.retryConstraint.budget.percent",
    "from 0 to 100, found 101.",
  ],
  ["retryConstraint: {budget: {percent: 20.5}}", "spec.retryConstraint.budget.percent", "a whole number"],
  [
    "retryConstraint: {budget: {interval: 999ms}}",
    "spec.retryConstraint.budget.interval",
    "a duration from 1s to 1h",
  ],
  ["retryConstraint: {budget: {interval: 2h}}", "spec.retryConstraint.budget.interval", 'found "2h".'],
  ["retryConstraint: {budget: {interval: 1.5s}}", "spec.retryConstraint.budget.interval", 'found "1.5s".'],
  [
    "retryConstraint: {budget: {budgetPercent: 20}}",
    "spec.retryConstraint.budget.budgetPercent",
    "is not a member that exists here",
  ],
  [
    "retryConstraint: {minRetryRate: {count: 0}}",
    "spec.retryConstraint.minRetryRate.count",
    "from 1 to 1000000",
  ],
  [
    "retryConstraint: {minRetryRate: {count: 1000001}}",
    "spec.retryConstraint.minRetryRate.count",
    "found 1000001.",
  ],
  [
    "retryConstraint: {minRetryRate: {interval: 0s}}",
    "spec.retryConstraint.minRetryRate.interval",
    "above 0s",
  ],
  [
    "retryConstraint: {minRetryRate: {interval: 61m}}",
    "spec.retryConstraint.minRetryRate.interval",
    "at most 1h",
  ],
  ["retryConstraint: [20]", "spec.retryConstraint", "must be an object with budget, minRetryRate"],
  ["retries: {}", "spec.retries", "is not a member that exists here"],
  ["sessionPersistence: {type: Header}", "spec.sessionPersistence.header", "header.name"],
])("a policy of a backend with %s is refused", (spec, path, message) => {
  const { issues } = read(backendTraffic(spec));
  expect(issues.map((issue) => issue.path)).toEqual([path]);
  expect(issues.map(inShort).join()).toContain(message);
});

const seventeen = Array.from({ length: 17 }, (_, index) => `{group: '', kind: Service, name: s${index}}`);

test.each([
  ["[]", "spec.targetRefs", "an empty list could mean none or all"],
  [`[${seventeen}]`, "spec.targetRefs", "a list of 1 to 16"],
  [
    "[{kind: ServiceImport, group: '', name: a}]",
    "spec.targetRefs[0].kind",
    "ServiceImport is not supported yet",
  ],
  ["[{kind: Gateway, group: '', name: a}]", "spec.targetRefs[0].kind", "Gateway is not supported yet"],
  ["[{kind: Service, group: apps, name: a}]", "spec.targetRefs[0].group", "mesh.tulle.dev"],
  [
    "[{group: '', kind: Service, name: a, namespace: b}]",
    "spec.targetRefs[0].namespace",
    "is not a member that exists here",
  ],
  [
    "[{group: '', kind: Service, name: a}, {group: '', kind: Service, name: a}]",
    "spec.targetRefs[1]",
    "stands here twice",
  ],
])("targets %s are refused", (targets, path, message) => {
  const { issues } = read(backendTraffic("", { targets }));
  expect(issues.map((issue) => issue.path)).toEqual([path]);
  expect(issues.map(inShort).join()).toContain(message);
});

test.each([
  ["BackendTrafficPolicy", "gateway.networking.x-k8s.io/v1alpha1", "kind", "write XBackendTrafficPolicy"],
  ["BackendTrafficPolicy", "gateway.envoyproxy.io/v1alpha1", "kind", "Envoy Gateway's kind"],
  ["BackendLBPolicy", "gateway.networking.k8s.io/v1alpha2", "kind", "write XBackendTrafficPolicy"],
  [
    "XBackendTrafficPolicy",
    "gateway.networking.k8s.io/v1",
    "apiVersion",
    "gateway.networking.x-k8s.io/v1alpha1",
  ],
])("the kind %s of %s is refused with what to write", (kind, apiVersion, path, message) => {
  const text = `{apiVersion: ${apiVersion}, kind: ${kind}, metadata: {name: a}, spec: {targetRefs: [{group: '', kind: Service, name: a}]}}`;
  const { issues } = read(text);
  expect(issues.map((issue) => issue.path)).toEqual([path]);
  expect(issues.map(inShort).join()).toContain(message);
});

describe("what a policy of a backend aims at", () => {
  test("may be missing, and is told", () => {
    const issues = together(
      ...shop,
      backendTraffic("", { targets: "[{group: '', kind: Service, name: payment}]" }),
    );
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatch(
      /^warning .* spec\.targetRefs\[0\]\.name: The Service default\/payment does not exist/,
    );
    expect(issues[0]).toContain("payments");
  });

  test("is never a Service that only routes", () => {
    const front = service("front", "{virtual: true}");
    const routed = route("front", "name: front", "[{backendRefs: [{name: payments, port: 80}]}]");
    const issues = together(
      ...shop,
      front,
      routed,
      backendTraffic("", { targets: "[{group: '', kind: Service, name: front}]" }),
    );
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain("error");
    expect(issues[0]).toContain("is never a backend");
  });
});

describe("two policies for one backend", () => {
  const older = backendTraffic("retryConstraint: {budget: {percent: 10}}", {
    name: "z",
    created: "2026-01-01T00:00:00Z",
  });
  const younger = backendTraffic(
    "retryConstraint: {budget: {percent: 90}}, sessionPersistence: {cookie: {}}",
    {
      name: "a",
      created: "2026-02-01T00:00:00Z",
    },
  );

  test.each([
    ["in one order", [older, younger]],
    ["in the other", [younger, older]],
  ])("the older holds whole, %s", (_, texts) => {
    const found = destination("default/payments", ...texts);
    expect(found.traffic.retryConstraint?.percent).toBe(10);
    expect(found.rules).toBeUndefined();
  });

  test("of the same age, the first of the alphabet holds", () => {
    const [one, two] = ["b", "a"].map((name, index) =>
      backendTraffic(`retryConstraint: {budget: {percent: ${index + 1}}}`, { name }),
    );
    expect(constraint(one ?? "", two ?? "")?.percent).toBe(2);
  });

  test("are told, at the younger", () => {
    const issues = together(...shop, younger, older);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatch(
      /^warning \d+ spec\.targetRefs\[0\]: XBackendTrafficPolicy\/default\/z .*\(Conflicted\)/,
    );
  });
});

describe("the status of a policy of a backend", () => {
  const observed = { generation: 3, at: "2026-05-01T12:00:00.000Z" };
  /** The conditions of one policy among others, and what an operator is told of them. */
  function statusIn(name: string, ...texts: readonly string[]) {
    const all = documents(...shop, ...texts);
    const document = all.find(
      ({ kind, metadata }) => kind === "XBackendTrafficPolicy" && metadata.name === name,
    );
    const status = document && statusOf(catalogOf(all), document, observed);
    if (status === undefined || !("ancestors" in status)) throw new Error("there is no such status");
    return {
      ancestors: status.ancestors,
      told: complaints(status).map(({ of, condition }) => `${of}: ${condition.reason}`),
    };
  }

  test("says that it is accepted, at each of its targets", () => {
    const targets = "[{group: '', kind: Service, name: payments}, {group: '', kind: Service, name: gone}]";
    const { ancestors, told } = statusIn("payments", backendTraffic("", { targets }));
    expect(ancestors[0]).toEqual({
      ancestorRef: { group: "", kind: "Service", name: "payments" },
      controllerName: "mesh.tulle.dev/gateway-controller",
      conditions: [
        {
          type: "Accepted",
          status: "True",
          reason: "Accepted",
          message: "",
          observedGeneration: 3,
          lastTransitionTime: observed.at,
        },
      ],
    });
    expect(told).toEqual(["target Service/gone: TargetNotFound"]);
  });

  test("says which of two does not hold", () => {
    const both = [
      backendTraffic("", { name: "older", created: "2026-01-01T00:00:00Z" }),
      backendTraffic("", { name: "younger" }),
    ];
    expect(statusIn("older", ...both).told).toEqual([]);
    const { ancestors, told } = statusIn("younger", ...both);
    expect(told).toEqual(["target Service/payments: Conflicted"]);
    expect(ancestors[0]?.conditions[0]?.message).toContain("XBackendTrafficPolicy/default/older is older");
  });
});

describe("sessions of a backend", () => {
  const sessions = (name: string, cookie: string, target: string) =>
    backendTraffic(`sessionPersistence: {cookie: {name: ${cookie}}, absoluteTimeout: 1h}`, {
      name,
      targets: `[{group: '', kind: Service, name: ${target}}]`,
    });
  const mine = sessions("s", "mine", "payments-v2");
  const settings = { type: "Cookie", name: "mine", absoluteTimeoutMs: 3_600_000, lifetime: "Session" };

  test("hold for every rule that leads there, for all its backends alike, and for no other", () => {
    const split = route(
      "r",
      "name: payments",
      "[{matches: [{path: {value: /a}}], backendRefs: [{name: payments, port: 80}, {name: payments-v2, port: 80}]}, {matches: [{path: {value: /b}}], backendRefs: [{name: payments, port: 80}]}]",
    );
    const found = destination("default/payments", split, mine);
    expect(found.rules?.map(({ session }) => session)).toEqual([settings, undefined]);
  });

  test("hold for rules of a Gateway as well", () => {
    const texts = [
      ...shop,
      service("gateway"),
      gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]"),
      entry("e", "parentRefs: [{name: public}], rules: [{backendRefs: [{name: payments-v2, port: 80}]}]"),
      mine,
    ];
    const { listeners } = snapshotOf("default/gateway", ...texts);
    expect(listeners[0]?.hosts[0]?.rules[0]?.session).toEqual(settings);
  });

  test("hold for a Service without routes, which then is its own backend by a rule that takes everything", () => {
    const found = destination("default/payments-v2", mine);
    expect(found.rules).toEqual([
      {
        name: "default",
        matches: [{ path: { type: "PathPrefix", value: "/" }, headers: [], query: [] }],
        filters: [],
        backends: [{ service: "default/payments-v2", weight: 1, filters: [] }],
        session: settings,
      },
    ]);
    expect(destination("default/payments", mine).rules).toBeUndefined();
  });

  test("have a name of their own for each rule where nobody wrote one", () => {
    const unnamed = backendTraffic("sessionPersistence: {cookie: {}}", {
      targets: "[{group: '', kind: Service, name: payments}]",
    });
    const two = route(
      "r",
      "name: payments",
      "[{matches: [{path: {value: /a}}], backendRefs: [{name: payments, port: 80}]}, {matches: [{path: {value: /b}}], backendRefs: [{name: payments, port: 80}]}]",
    );
    const names = destination("default/payments", unnamed, two).rules?.map(({ session }) => session?.name);
    expect(new Set(names).size).toBe(2);
    for (const name of names ?? []) expect(name).toMatch(/^session-[a-z0-9]+$/);
  });

  test("that differ among the backends of a rule are told", () => {
    const split = route(
      "r",
      "name: payments",
      "[{backendRefs: [{name: payments, port: 80}, {name: payments-v2, port: 80}]}]",
    );
    const issues = together(...shop, split, mine, sessions("t", "other", "payments"));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain("with different sessions");
    expect(together(...shop, split, mine)).toEqual([]);
  });
});

describe("a snapshot is read strictly", () => {
  const whole = () =>
    JSON.parse(JSON.stringify(snapshotOf("default/web", ...shop, backendTraffic("retryConstraint: {}")))) as {
      promisedRetries?: unknown;
      destinations: Record<string, { traffic: { retryConstraint: Record<string, unknown> } }>;
    };
  const constraintIn = (snapshot: ReturnType<typeof whole>) =>
    snapshot.destinations["default/payments"]?.traffic.retryConstraint ?? {};

  test("as it is compiled", () => {
    expect(readSnapshot(whole()).ok).toBe(true);
  });

  test.each([
    ["percent", "20", "retryConstraint.percent must be a whole number of 0 or more"],
    ["percent", -1, "retryConstraint.percent must be a whole number of 0 or more"],
    ["intervalMs", 0, "retryConstraint.intervalMs must be a whole number above 0"],
    ["minimumIntervalMs", undefined, "retryConstraint.minimumIntervalMs must be a whole number above 0"],
    ["minimumCount", 1.5, "retryConstraint.minimumCount must be a whole number of 0 or more"],
    ["burst", 3, "retryConstraint.burst is not known to this runtime"],
  ])("a constraint whose %s is %j is refused", (member, value, reason) => {
    const snapshot = whole();
    constraintIn(snapshot)[member] = value;
    const result = readSnapshot(JSON.parse(JSON.stringify(snapshot)));
    expect(result).toEqual({ ok: false, reason: `snapshot.destinations.default/payments.traffic.${reason}` });
  });

  test("promised retries are a whole number", () => {
    expect(readSnapshot({ ...whole(), promisedRetries: 2.5 })).toEqual({
      ok: false,
      reason: "snapshot.promisedRetries must be a whole number above 0",
    });
  });
});
