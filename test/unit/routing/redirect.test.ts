import { expect, test } from "vitest";
import { type Redirect, redirectAmong, redirectOf } from "../../../mesh-runtime/routing/redirect.ts";
import { matched, onRequest, prefix } from "./examples.ts";

const onPort80 = { url: "http://a.com/foo/x?q=1", listenerPort: 80 };

const locationOf = (
  filter: Partial<Redirect>,
  { url, listenerPort }: { url: string; listenerPort: number | undefined } = onPort80,
): string | null =>
  redirectOf(
    { type: "RequestRedirect", statusCode: 302, ...filter },
    new URL(url),
    matched(prefix("/foo")),
    listenerPort,
  ).headers.get("location");

test("a redirect that names nothing leads to the same address, its query kept", () => {
  expect(locationOf({})).toBe("http://a.com/foo/x?q=1");
});

test.each([301, 302, 303, 307, 308] as const)("a redirect answers %i without a body", (statusCode) => {
  const response = redirectOf(
    { type: "RequestRedirect", statusCode, hostname: "b.org" },
    new URL("http://a.com/"),
    undefined,
    80,
  );
  expect([response.status, response.body]).toEqual([statusCode, null]);
  expect(response.headers.get("location")).toBe("http://b.org/");
});

/** Gateway API `HTTPRequestRedirectFilter.port`: explicit, else the scheme's, else the listener's. */
test.each([
  [{}, 8080, "http://a.com:8080/"],
  [{}, 80, "http://a.com/"],
  [{ scheme: "https" }, 8080, "https://a.com/"],
  [{ scheme: "http" }, 8080, "http://a.com/"],
  [{ scheme: "https", port: 443 }, 80, "https://a.com/"],
  [{ scheme: "https", port: 8443 }, 80, "https://a.com:8443/"],
  [{ scheme: "http", port: 443 }, 80, "http://a.com:443/"],
  [{ scheme: "https", port: 80 }, 80, "https://a.com:80/"],
  [{ port: 80 }, 8080, "http://a.com/"],
  [{ port: 8083 }, 80, "http://a.com:8083/"],
  [{ hostname: "b.org" }, 8080, "http://b.org:8080/"],
  [{ hostname: "b.org", scheme: "https" }, 8080, "https://b.org/"],
] as const)("%j on listener %i leads to %s", (filter, listenerPort, expected) => {
  expect(locationOf(filter, { url: "http://a.com/", listenerPort })).toBe(expected);
});

/** The cases of Gateway API's conformance test HTTPRouteRedirectPortAndScheme. */
test.each([
  ["http://a.com/", 80, {}, "http://example.org/"],
  ["http://a.com/", 80, { port: 80 }, "http://example.org/"],
  ["http://a.com/", 80, { port: 8080 }, "http://example.org:8080/"],
  ["http://a.com/", 80, { scheme: "https" }, "https://example.org/"],
  ["http://a.com/", 80, { scheme: "https", port: 443 }, "https://example.org/"],
  ["http://a.com/", 80, { scheme: "https", port: 8443 }, "https://example.org:8443/"],
  ["http://a.com:8080/", 8080, {}, "http://example.org:8080/"],
  ["http://a.com:8080/", 8080, { port: 80 }, "http://example.org/"],
  ["http://a.com:8080/", 8080, { scheme: "https" }, "https://example.org/"],
  ["https://a.com/", 443, {}, "https://example.org/"],
  ["https://a.com/", 443, { port: 443 }, "https://example.org/"],
  ["https://a.com/", 443, { port: 8443 }, "https://example.org:8443/"],
  ["https://a.com/", 443, { scheme: "http" }, "http://example.org/"],
  ["https://a.com/", 443, { scheme: "http", port: 80 }, "http://example.org/"],
  ["https://a.com/", 443, { scheme: "http", port: 8080 }, "http://example.org:8080/"],
] as const)("at %s on listener %i %j leads to %s", (url, listenerPort, filter, expected) => {
  expect(locationOf({ hostname: "example.org", ...filter }, { url, listenerPort })).toBe(expected);
});

test("the port that the worker sees is not the one that the listener has", () => {
  expect(locationOf({}, { url: "http://a.com:8787/", listenerPort: 80 })).toBe("http://a.com/");
});

test("where the platform takes both schemes in for one listener, no port of the other scheme is named", () => {
  expect(locationOf({}, { url: "https://a.com/", listenerPort: 80 })).toBe("https://a.com/");
  expect(locationOf({}, { url: "http://a.com/", listenerPort: 443 })).toBe("http://a.com/");
  expect(locationOf({}, { url: "https://a.com/", listenerPort: 8080 })).toBe("https://a.com:8080/");
});

test("inside the mesh, where there is no listener, the port of the caller's URL counts", () => {
  const within = { url: "http://cart:8080/", listenerPort: undefined };
  expect(locationOf({}, within)).toBe("http://cart:8080/");
  expect(locationOf({ scheme: "https" }, within)).toBe("https://cart/");
});

test("an encrypted request is redirected to an encrypted address", () => {
  expect(locationOf({}, { url: "https://a.com/", listenerPort: 443 })).toBe("https://a.com/");
});

test("a redirect changes the path as a rewrite does and keeps the query", () => {
  expect(locationOf({ path: { type: "ReplaceFullPath", value: "/new" } })).toBe("http://a.com/new?q=1");
  expect(locationOf({ path: { type: "ReplacePrefixMatch", value: "/bar" } })).toBe("http://a.com/bar/x?q=1");
});

test("a path cannot smuggle a host, a query or a second header line into the address", () => {
  const to = (value: string) => locationOf({ path: { type: "ReplaceFullPath", value } });
  expect(to("//evil.org")).toBe("http://a.com//evil.org?q=1");
  expect(to("/a?b#c")).toBe("http://a.com/a%3Fb%23c?q=1");
  expect(to("/a\r\nset-cookie: b")).toBe("http://a.com/aset-cookie:%20b?q=1");
});

test("user information and fragment do not reach the address", () => {
  expect(locationOf({}, { url: "http://user:secret@a.com/x#part", listenerPort: 80 })).toBe("http://a.com/x");
});

test("the URL of the request is left as it is", () => {
  const url = new URL("http://a.com/foo");
  redirectOf({ type: "RequestRedirect", statusCode: 302, hostname: "b.org", port: 1 }, url, undefined, 80);
  expect(url.href).toBe("http://a.com/foo");
});

test("the redirect is found among other filters", () => {
  const redirect: Redirect = { type: "RequestRedirect", statusCode: 302 };
  expect(redirectAmong([onRequest({}), redirect])).toBe(redirect);
  expect(redirectAmong([onRequest({})])).toBeUndefined();
});
