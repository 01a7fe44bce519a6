import { expect, test } from "vitest";
import { applyRequestFilters, applyResponseFilters } from "../../../mesh-runtime/routing/filter.ts";
import type { Filter } from "../../../mesh-runtime/routing/words.ts";
import { matched, message, named, onRequest, onResponse, prefix } from "./examples.ts";

/** The request that responses here answer. */
const asked = message("/");

const applied = (filters: readonly Filter[], start = message("/foo/x?q=1")) =>
  applyRequestFilters(start, filters, matched(prefix("/foo")));

test("header modifiers set, add and remove, whatever the case of the names", () => {
  const start = message("/", { "x-set": "old", "x-add": "one", "x-remove": "gone", "x-other": "stays" });
  const modifier = onRequest({
    set: named({ "X-Set": "new" }),
    add: named({ "X-Add": "two", "x-new": "1" }),
    remove: ["X-Remove"],
  });
  expect(Object.fromEntries(applied([modifier], start).headers)).toEqual({
    "x-set": "new",
    "x-add": "one,two",
    "x-new": "1",
    "x-other": "stays",
  });
});

test("the message that came in is not changed, because another attempt may start from it", () => {
  const start = message("/foo/x", { "x-remove": "here" });
  const rewrite = { type: "ReplacePrefixMatch", value: "/bar" } as const;
  applied(
    [onRequest({ remove: ["x-remove"] }), { type: "URLRewrite", hostname: "b.org", path: rewrite }],
    start,
  );
  expect(start.url.href).toBe("http://shop.example.com/foo/x");
  expect(Object.fromEntries(start.headers)).toEqual({ "x-remove": "here" });
});

test("where no filter changes anything, the message is the same object", () => {
  const start = message("/");
  expect(applied([], start)).toBe(start);
  expect(applied([onRequest({ remove: ["absent"] })], start)).toBe(start);
  expect(applied([onResponse({ set: named({ a: "1" }) })], start)).toBe(start);
});

test("a rewrite of the path keeps the query and, without a hostname, the host", () => {
  const start = message("/foo/x?q=1", { host: "shop.example.com" });
  const full = applied([{ type: "URLRewrite", path: { type: "ReplaceFullPath", value: "/one" } }], start);
  expect(full.url.href).toBe("http://shop.example.com/one?q=1");
  expect(full.headers).toBe(start.headers);
  const part = applied([{ type: "URLRewrite", path: { type: "ReplacePrefixMatch", value: "/bar" } }], start);
  expect(part.url.href).toBe("http://shop.example.com/bar/x?q=1");
});

test("a rewrite of the host says the new one in the URL and in the host field, without the old port", () => {
  const after = applied([{ type: "URLRewrite", hostname: "b.org" }], message("http://cart:8080/x"));
  expect(after.url.href).toBe("http://b.org/x");
  expect(after.headers.get("host")).toBe("b.org");
});

test("filters apply in the order listed", () => {
  const after = applied([
    onRequest({ set: named({ host: "by.modifier" }) }),
    { type: "URLRewrite", hostname: "b.org" },
    onRequest({ add: named({ "x-a": "1" }) }),
    onRequest({ add: named({ "x-a": "2" }) }),
  ]);
  expect(after.headers.get("host")).toBe("b.org");
  expect(after.headers.get("x-a")).toBe("1,2");
});

test("body and platform properties travel on", () => {
  const body = new Uint8Array([1]);
  const start = { ...message("/"), body, platform: { colo: "VIE" } };
  expect(applied([onRequest({ set: named({ a: "1" }) })], start)).toMatchObject({
    body,
    platform: { colo: "VIE" },
  });
});

test("filters of the response leave status and body as they are", async () => {
  const before = new Response("made", { status: 201, statusText: "Made", headers: { "x-remove": "1" } });
  const after = applyResponseFilters(
    before,
    [
      onResponse({ set: named({ "x-set": "1" }), remove: ["x-remove"] }),
      onRequest({ set: named({ "x-request": "1" }) }),
    ],
    asked,
  );
  expect([after.status, after.statusText, await after.text()]).toEqual([201, "Made", "made"]);
  expect(Object.fromEntries(after.headers)).toEqual({
    "content-type": "text/plain;charset=UTF-8",
    "x-set": "1",
  });
});

test("a response that nothing changes is the same object", () => {
  const before = new Response("as it is");
  const filters = [onResponse({ remove: ["absent"] }), onRequest({ set: named({ a: "1" }) })];
  expect(applyResponseFilters(before, filters, asked)).toBe(before);
});

test("what is added to a response follows what is there after a comma, as on a request", () => {
  const before = new Response(null, { headers: { "x-add": "one" } });
  const after = applyResponseFilters(
    before,
    [onResponse({ add: named({ "X-Add": "two", "x-new": "1" }) })],
    asked,
  );
  expect(Object.fromEntries(after.headers)).toEqual({ "x-add": "one,two", "x-new": "1" });
});

test("headers that are immutable are changed on a new response", () => {
  const before = Response.redirect("http://a.com/", 302);
  expect(() => before.headers.set("x-set", "1")).toThrow(TypeError);
  const after = applyResponseFilters(before, [onResponse({ set: named({ "x-set": "1" }) })], asked);
  expect([after.status, after.headers.get("location"), after.headers.get("x-set")]).toEqual([
    302,
    "http://a.com/",
    "1",
  ]);
});

test("a response that can have no body gets none", () => {
  const after = applyResponseFilters(
    new Response(null, { status: 204 }),
    [onResponse({ set: named({ a: "1" }) })],
    asked,
  );
  expect([after.status, after.body]).toEqual([204, null]);
});

test("cookies stay apart: none is joined, lost or doubled, and one is added as a line of its own", () => {
  const cookies = ["a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT", "b=2"];
  const before = new Response(null, {
    headers: cookies.map((cookie): [string, string] => ["set-cookie", cookie]),
  });
  const added = applyResponseFilters(before, [onResponse({ add: named({ "Set-Cookie": "c=3" }) })], asked);
  expect(added.headers.getSetCookie()).toEqual([...cookies, "c=3"]);
  const other = applyResponseFilters(before, [onResponse({ set: named({ "x-a": "1" }) })], asked);
  expect(other.headers.getSetCookie()).toEqual(cookies);
  const removed = applyResponseFilters(before, [onResponse({ remove: ["Set-Cookie"] })], asked);
  expect(removed.headers.getSetCookie()).toEqual([]);
});

test("a response that opens a WebSocket keeps it", () => {
  const { 0: client } = new WebSocketPair();
  const before = new Response(null, { status: 101, webSocket: client });
  const after = applyResponseFilters(before, [onResponse({ set: named({ "x-set": "1" }) })], asked);
  expect([after.status, after.webSocket, after.headers.get("x-set")]).toEqual([101, client, "1"]);
});
