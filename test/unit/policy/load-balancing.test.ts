import { describe, expect, test } from "vitest";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import type { Destination } from "../../../mesh-runtime/policy/snapshot.ts";
import { allowAll, documents, policy, read, service, together } from "./writing.ts";

const several = service("cart", "{endpoints: [{binding: CART}, {binding: CART_EU}]}");
const traffic = (loadBalancing: string): string =>
  policy(
    "TrafficPolicy",
    "t",
    `{targetRefs: [{kind: Service, name: cart}], loadBalancing: ${loadBalancing}}`,
  );

function balancing(...texts: readonly string[]): Destination["balancing"] {
  return compile(documents(service("web"), ...texts)).get("default/web")?.destinations["default/cart"]
    ?.balancing;
}
const faults = (loadBalancing: string): readonly string[] =>
  read(traffic(loadBalancing)).issues.map(({ path, message }) => `${path}: ${message}`);

describe("a TrafficPolicy's loadBalancing", () => {
  test.each([
    ["{}", { algorithm: "LeastRequest", slowStartMs: 0, preferLocal: true }],
    ["{algorithm: Random}", { algorithm: "Random", slowStartMs: 0, preferLocal: true }],
    [
      "{algorithm: RoundRobin, slowStart: 30s, locality: {prefer: false}}",
      { algorithm: "RoundRobin", slowStartMs: 30_000, preferLocal: false },
    ],
    [
      "{algorithm: RingHash, hashOn: {header: X-User}}",
      {
        algorithm: "RingHash",
        hashOn: { type: "header", name: "x-user" },
        slowStartMs: 0,
        preferLocal: true,
      },
    ],
    [
      "{algorithm: RingHash, hashOn: {cookie: Cart}, slowStart: 0s}",
      { algorithm: "RingHash", hashOn: { type: "cookie", name: "Cart" }, slowStartMs: 0, preferLocal: true },
    ],
    [
      "{algorithm: RingHash, hashOn: {query: Id}}",
      { algorithm: "RingHash", hashOn: { type: "query", name: "Id" }, slowStartMs: 0, preferLocal: true },
    ],
    [
      "{algorithm: RingHash, hashOn: {sourceAddress: true}}",
      { algorithm: "RingHash", hashOn: { type: "sourceAddress" }, slowStartMs: 0, preferLocal: true },
    ],
  ])("%s is compiled", (written, expected) => {
    expect(balancing(several, traffic(written))).toEqual(expected);
  });

  test("is not in the snapshot where nobody wrote it, or there is nothing to balance", () => {
    expect(balancing(several)).toBeUndefined();
    expect(balancing(service("cart"), traffic("{algorithm: Random}"))).toBeUndefined();
  });

  test("is told where it changes nothing", () => {
    const all = [service("web"), allowAll(), traffic("{algorithm: Random}")];
    expect(together(...all, several)).toEqual([]);
    const found = together(...all, service("cart"));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(
      /^warning .*targetRefs\[0\]\.name: default\/cart has no endpoints to balance among/,
    );
  });

  test.each([
    ["{algorithm: LEAST_REQUEST}", "spec.loadBalancing.algorithm: LEAST_REQUEST is called LeastRequest here"],
    ["{algorithm: MAGLEV}", "write RingHash"],
    [
      "{algorithm: Fastest}",
      "spec.loadBalancing.algorithm must be one of LeastRequest, RoundRobin, Random, RingHash",
    ],
    ["{algorithm: RingHash}", "spec.loadBalancing.hashOn: RingHash must know by what"],
    ["{hashOn: {header: a}}", "spec.loadBalancing.hashOn: LeastRequest keeps no requests together"],
    [
      "{algorithm: RingHash, hashOn: {}}",
      "spec.loadBalancing.hashOn: requests are kept together by one thing",
    ],
    ["{algorithm: RingHash, hashOn: {sourceAddress: false}}", "requests are kept together by one thing"],
    ["{algorithm: RingHash, hashOn: {header: a, query: b}}", "requests are kept together by one thing"],
    [
      "{algorithm: RingHash, hashOn: {header: 'a b'}}",
      "spec.loadBalancing.hashOn.header must be the name of a header",
    ],
    ["{algorithm: RingHash, hashOn: {path: a}}", "spec.loadBalancing.hashOn.path is not a member"],
    [
      "{algorithm: RingHash, hashOn: {header: a}, slowStart: 10s}",
      "spec.loadBalancing.slowStart: a weight that grows",
    ],
    ["{slowStart: 10}", "spec.loadBalancing.slowStart must be a duration"],
    ["{locality: {prefer: near}}", "spec.loadBalancing.locality.prefer must be true or false"],
    ["{locality: {failover: []}}", "spec.loadBalancing.locality.failover is not a member"],
  ])("%s is refused", (written, expected) => {
    const found = faults(written);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  test("is asked for by its name here", () => {
    const text = policy(
      "TrafficPolicy",
      "t",
      "{targetRefs: [{kind: Service, name: cart}], loadBalancer: {simple: RANDOM}}",
    );
    expect(read(text).issues.map(({ message }) => message)).toEqual([
      "spec.loadBalancer: it is called loadBalancing here.",
    ]);
  });
});
