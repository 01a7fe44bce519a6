import { describe, expect, test } from "vitest";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import type { Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
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

const shop = [service("web"), service("payments"), allowAll()] as const;
const limited = (limits: string, match = "") =>
  route("r", "name: payments", `[{${match}backendRefs: [{name: payments, port: 80}], ${limits}}]`);

function snapshot(...texts: readonly string[]): Snapshot {
  const found = compile(documents(...shop, ...texts)).get("default/web");
  if (found === undefined) throw new Error("no snapshot");
  return found;
}
const ruleOf = (...texts: readonly string[]) =>
  snapshot(...texts).destinations["default/payments"]?.rules?.[0];

describe("a route's retry", () => {
  test.each([
    ["{}", { codes: [], attempts: 1 }],
    ["{codes: [500]}", { codes: [500], attempts: 1 }],
    ["{codes: []}", { codes: [], attempts: 1 }],
    ["{attempts: 3}", { codes: [], attempts: 3 }],
    [
      "{codes: [400, 599], attempts: 100, backoff: 1h30m}",
      { codes: [400, 599], attempts: 100, backoffMs: 5_400_000 },
    ],
  ])("%s is compiled", (retry, compiled) => {
    expect(ruleOf(limited(`retry: ${retry}`))?.retry).toEqual(compiled);
  });

  test.each([
    ["{codes: [399]}", "retry.codes[0]", "from 400 to 599, found 399."],
    ["{codes: [600]}", "retry.codes[0]", "from 400 to 599, found 600."],
    ['{codes: ["503"]}', "retry.codes[0]", 'found "503".'],
    ["{codes: 503}", "retry.codes", "found 503."],
    ["{codes: [503, 500, 503]}", "retry.codes[2]", 'the code "503" stands here twice'],
    ["{attempts: 0}", "retry.attempts", "from 1 to 100, found 0."],
    ["{attempts: 1.5}", "retry.attempts", "a whole number"],
    ["{attempts: -1}", "retry.attempts", "found -1."],
    ["{attempts: 101}", "retry.attempts", "found 101."],
    ["{backoff: 0}", "retry.backoff", "found 0."],
    ["{backoff: 1m30}", "retry.backoff", 'found "1m30".'],
    ["{backoff: 100000ms}", "retry.backoff", 'found "100000ms".'],
    ["{backoff: 1h1m1s1ms1h}", "retry.backoff", 'found "1h1m1s1ms1h".'],
    ["{perTryTimeout: 1s}", "retry.perTryTimeout", "is not a member that exists here"],
    ["[500]", "retry", "must be an object with codes, attempts, backoff"],
  ])("%s is refused", (retry, path, message) => {
    const { issues } = read(limited(`retry: ${retry}`));
    expect(issues.map((issue) => issue.path)).toEqual([`spec.rules[0].${path}`]);
    expect(issues.map(inShort).join()).toContain(message);
  });
});

describe("a route's timeouts", () => {
  test.each([
    ["{}", {}],
    ["{request: 0s, backendRequest: 250ms}", { requestTimeoutMs: 0, backendTimeoutMs: 250 }],
    ["{request: 1h, backendRequest: 0s}", { requestTimeoutMs: 3_600_000, backendTimeoutMs: 0 }],
    ["{request: 2s, backendRequest: 2s}", { requestTimeoutMs: 2_000, backendTimeoutMs: 2_000 }],
    ["{backendRequest: 0s}", { backendTimeoutMs: 0 }],
  ])("%s are compiled", (timeouts, compiled) => {
    const rule = ruleOf(limited(`timeouts: ${timeouts}`));
    expect({ ...rule, name: "", matches: [], filters: [], backends: [] }).toEqual({
      name: "",
      matches: [],
      filters: [],
      backends: [],
      ...compiled,
    });
  });

  test.each([
    ["{request: 1.5s}", "timeouts.request", 'found "1.5s".'],
    ["{request: 0}", "timeouts.request", "found 0."],
    ["{request: -1s}", "timeouts.request", 'found "-1s".'],
    ["{request: 1us}", "timeouts.request", 'found "1us".'],
    ['{request: ""}', "timeouts.request", 'found "".'],
    ["{backendRequest: 10}", "timeouts.backendRequest", "found 10."],
    [
      "{request: 1s, backendRequest: 2s}",
      "timeouts.backendRequest",
      "one attempt cannot take longer than the request",
    ],
    ["{idle: 1s}", "timeouts.idle", "is not a member that exists here"],
  ])("%s are refused", (timeouts, path, message) => {
    const { issues } = read(limited(`timeouts: ${timeouts}`));
    expect(issues.map((issue) => issue.path)).toEqual([`spec.rules[0].${path}`]);
    expect(issues.map(inShort).join()).toContain(message);
  });

  test("for each attempt alone leave the request without the timeout that nobody wrote down", () => {
    const rule = limited("timeouts: {backendRequest: 20s}");
    expect(ruleOf(rule)).toMatchObject({ requestTimeoutMs: 0, backendTimeoutMs: 20_000 });
    const traffic = policy(
      "TrafficPolicy",
      "p",
      "{targetRefs: [{kind: Service, name: payments}], timeout: 3s}",
    );
    expect(ruleOf(rule, traffic)?.requestTimeoutMs).toBeUndefined();
    const other = policy(
      "TrafficPolicy",
      "p",
      "{targetRefs: [{kind: Service, name: payments}], maxInFlight: 3}",
    );
    expect(ruleOf(rule, other)?.requestTimeoutMs).toBe(0);
  });
});

describe("the most retries that a route promises", () => {
  const front = gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]");
  const from = (attempts: number) =>
    entry(
      "e",
      `parentRefs: [{name: public}], rules: [{backendRefs: [{name: payments, port: 80}], retry: {attempts: ${attempts}}}]`,
    );

  test("stand in every snapshot, where they are more than one", () => {
    expect(snapshot().promisedRetries).toBeUndefined();
    expect(snapshot(limited("retry: {codes: [500]}")).promisedRetries).toBeUndefined();
    expect(snapshot(limited("retry: {attempts: 3}")).promisedRetries).toBe(3);
    expect(
      snapshot(limited("retry: {attempts: 3}"), service("gateway"), front, from(5)).promisedRetries,
    ).toBe(5);
  });

  test("do not depend on TrafficPolicies, which credits bound", () => {
    const eager = policy(
      "TrafficPolicy",
      "p",
      "{targetRefs: [{kind: Service, name: payments}], retry: {attempts: 9}}",
    );
    expect(snapshot(eager).promisedRetries).toBeUndefined();
  });
});

describe("codes of a route for requests that are never repeated", () => {
  const post = "matches: [{method: POST}, {method: PATCH, path: {value: /a}}], ";

  test("are told", () => {
    const issues = together(...shop, limited("retry: {codes: [503], attempts: 2}", post));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatch(/^warning \d+ spec\.rules\[0\]\.retry\.codes: .*Idempotency-Key/);
  });

  test("are not told where they mean something", () => {
    const safe = policy(
      "TrafficPolicy",
      "p",
      "{targetRefs: [{kind: Service, name: payments}], retry: {nonIdempotent: true}}",
    );
    expect(together(...shop, limited("retry: {codes: [503]}", post), safe)).toEqual([]);
    expect(together(...shop, limited("retry: {attempts: 2}", post))).toEqual([]);
    const mixed = "matches: [{method: POST}, {method: PUT}], ";
    expect(together(...shop, limited("retry: {codes: [503]}", mixed))).toEqual([]);
    expect(together(...shop, limited("retry: {codes: [503]}"))).toEqual([]);
  });
});

test("more attempts than credits can lend are told", () => {
  expect(together(...shop, limited("retry: {attempts: 10}"))).toEqual([]);
  const issues = together(...shop, limited("retry: {attempts: 11}"));
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatch(/^warning \d+ spec\.rules\[0\]\.retry\.attempts: .* at most 10 in all/);
});

test("retries that a route asks for multiply along a chain of calls as a TrafficPolicy's do", () => {
  const only = (name: string, caller: string) =>
    policy(
      "AuthorizationPolicy",
      name,
      `{targetRefs: [{kind: Service, name: ${name}}], rules: [{from: [{source: {principals: [mesh.local/ns/default/sa/${caller}]}}]}]}`,
    );
  const chain = [service("a"), service("b"), service("c"), only("a", "a"), only("b", "a"), only("c", "b")];
  const eager = (name: string) =>
    route(name, `name: ${name}`, `[{backendRefs: [{name: ${name}, port: 80}], retry: {attempts: 4}}]`);
  expect(together(...chain)).toEqual([]);
  const issues = together(...chain, eager("b"), eager("c"));
  expect(issues).toHaveLength(1);
  expect(issues[0]).toContain("One request can become 25 attempts along default/a → default/b → default/c");
});
