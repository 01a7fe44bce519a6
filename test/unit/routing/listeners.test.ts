import { expect, test } from "vitest";
import { entering, listenerIndex } from "../../../mesh-runtime/routing/listeners.ts";
import type { Listener } from "../../../mesh-runtime/routing/words.ts";
import { request, rule } from "./examples.ts";

const listener = (name: string, more: Partial<Listener> = {}): Listener => ({
  name,
  port: 80,
  protocol: "HTTP",
  hosts: [{ rules: [rule(`${name} rule`, [])] }],
  ...more,
});

const answering = (listeners: readonly Listener[], host: string, port?: number): string | undefined => {
  const target = listenerIndex(listeners)(host, port);
  const found = target?.table?.find(request("/"))?.rule.name;
  return target && `${target.destination}: ${found ?? "no rule"}`;
};

const [every, wild, exact] = [
  listener("every"),
  listener("wild", { hostname: "*.a.com" }),
  listener("exact", { hostname: "x.a.com" }),
];

test.each([
  ["x.a.com", "exact: exact rule"],
  ["X.A.com:8787", "exact: exact rule"],
  ["y.a.com", "wild: wild rule"],
  ["a.com", "every: every rule"],
])("a request for %s belongs to the listener with the most specific hostname", (host, expected) => {
  expect(answering([every, wild, exact], host)).toBe(expected);
});

test("a request belongs to that listener alone, even if nothing is bound there", () => {
  const nothingBound = { ...exact, hosts: [] };
  expect(answering([every, wild, nothingBound], "x.a.com")).toBe("exact: no rule");
});

test("at a listener the most specific host that routes are bound to decides", () => {
  const hosts = [
    { rules: [rule("rest", [])] },
    { hostname: "*.a.com", rules: [rule("team", [])] },
    { hostname: "x.a.com", rules: [rule("own", [])] },
  ];
  const one = [listener("one", { hosts })];
  expect(["x.a.com", "y.a.com", "b.org"].map((host) => answering(one, host))).toEqual([
    "one: own",
    "one: team",
    "one: rest",
  ]);
});

test("where the port is known only its listeners count, and where it is not the first of equals does", () => {
  const both = [listener("plain"), listener("secure", { port: 443, protocol: "HTTPS" })];
  expect(answering(both, "a.com", 443)).toBe("secure: secure rule");
  expect(answering(both, "a.com", 80)).toBe("plain: plain rule");
  expect(answering(both, "a.com")).toBe("plain: plain rule");
});

test("a port that no listener has says nothing", () => {
  const both = [listener("plain"), listener("secure", { port: 443, protocol: "HTTPS" })];
  expect(answering(both, "a.com", 8080)).toBe("plain: plain rule");
});

test.each([
  ["https://admin.a.com/", "secure"],
  ["http://admin.a.com/", undefined],
  ["http://admin.a.com:443/", "secure"],
  ["http://x.b.com/", "plain"],
  ["https://x.b.com/", undefined],
  ["http://x.b.com:8787/", "plain"],
])("%s enters by the listeners of its port alone: %s", (url, expected) => {
  const index = listenerIndex([
    listener("plain", { hostname: "*.b.com" }),
    listener("secure", { port: 443, protocol: "HTTPS", hostname: "admin.a.com" }),
  ]);
  expect(entering(index, new URL(url))?.destination).toBe(expected);
});

test("no listener for a host: nothing", () => {
  expect(answering([wild, exact], "b.org")).toBeUndefined();
  expect(answering([], "b.org")).toBeUndefined();
});

test("a target knows its listener's port, for redirects that keep it", () => {
  expect(listenerIndex([listener("one", { port: 8080 })])("a.com", undefined)?.listenerPort).toBe(8080);
});
