import { describe, expect, test } from "vitest";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import type { SessionSettings } from "../../../mesh-runtime/routing/words.ts";
import { documents, read, route, service } from "./writing.ts";

const ruled = (session: string): string =>
  route(
    "r",
    "name: cart",
    `[{name: a, backendRefs: [{name: v1, port: 80}], sessionPersistence: ${session}}]`,
  );

function session(written: string): SessionSettings | undefined {
  const all = documents(service("web"), service("cart", "{virtual: true}"), service("v1"), ruled(written));
  return compile(all).get("default/web")?.destinations["default/cart"]?.rules?.[0]?.session;
}
const faults = (written: string): readonly string[] =>
  read(ruled(written)).issues.map(({ path, message }) => `${path}: ${message}`);

const inRule = "spec.rules[0].sessionPersistence";

describe("a rule's sessionPersistence", () => {
  test.each([
    ["{cookie: {name: sid}}", { type: "Cookie", name: "sid", lifetime: "Session" }],
    [
      "{type: Cookie, absoluteTimeout: 1h, cookie: {name: sid, lifetimeType: Permanent, path: /shop}}",
      { type: "Cookie", name: "sid", lifetime: "Permanent", path: "/shop", absoluteTimeoutMs: 3_600_000 },
    ],
    [
      "{type: Header, header: {name: x-session}, absoluteTimeout: 5m}",
      { type: "Header", name: "x-session", lifetime: "Session", absoluteTimeoutMs: 300_000 },
    ],
  ])("%s is compiled, in the present form of Gateway API", (written, expected) => {
    expect(session(written)).toEqual(expected);
  });

  test.each([
    ["{sessionName: sid}", { type: "Cookie", name: "sid", lifetime: "Session" }],
    [
      "{sessionName: sid, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}",
      { type: "Cookie", name: "sid", lifetime: "Permanent", absoluteTimeoutMs: 3_600_000 },
    ],
    ["{type: Header, sessionName: x-session}", { type: "Header", name: "x-session", lifetime: "Session" }],
  ])("%s is compiled, in the form up to 1.6", (written, expected) => {
    expect(session(written)).toEqual(expected);
  });

  test("has a name of its own where nobody wrote one, the same for ever", () => {
    const name = session("{cookie: {}}")?.name ?? "";
    expect(name).toMatch(/^[a-z0-9-]{8,40}$/);
    expect(session("{cookie: {path: /shop}}")?.name).toBe(name);
    const other = route(
      "r",
      "name: cart",
      "[{name: b, backendRefs: [{name: v1, port: 80}], sessionPersistence: {cookie: {}}}]",
    );
    const all = documents(service("web"), service("cart", "{virtual: true}"), service("v1"), other);
    const rules = compile(all).get("default/web")?.destinations["default/cart"]?.rules;
    expect(rules?.[0]?.session?.name).not.toBe(name);
  });

  test.each([
    ["{}", `${inRule}.cookie: a session of the type Cookie says which; write cookie: {}`],
    ["{type: Cookie, absoluteTimeout: 1h}", `${inRule}.cookie: a session of the type Cookie says which`],
    ["{type: SourceIP}", `${inRule}.type must be one of Cookie, Header`],
    ["{cookie: {lifetimeType: Permanent}}", `${inRule}.absoluteTimeout: a permanent cookie lasts`],
    ["{cookieConfig: {lifetimeType: Permanent}}", `${inRule}.absoluteTimeout: a permanent cookie lasts`],
    ["{cookie: {lifetimeType: Forever}}", `${inRule}.cookie.lifetimeType must be one of Session, Permanent`],
    ["{absoluteTimeout: 0s}", `${inRule}.absoluteTimeout must be a duration above 0`],
    ["{absoluteTimeout: 1d}", `${inRule}.absoluteTimeout must be a duration above 0`],
    ["{idleTimeout: 1h}", `${inRule}.idleTimeout: it is no longer in Gateway API`],
    ["{cookie: {name: 'a b'}}", `${inRule}.cookie.name must be the name of a cookie`],
    ["{cookie: {name: a;b}}", `${inRule}.cookie.name must be the name of a cookie`],
    ["{cookie: {name: __Host-sid}}", `${inRule}.cookie.name: browsers take a cookie with this prefix`],
    ["{cookie: {path: shop}}", `${inRule}.cookie.path must be a path`],
    ["{cookie: {path: /a;b}}", `${inRule}.cookie.path must be a path`],
    ['{cookie: {path: "/a\\u0007"}}', `${inRule}.cookie.path must be a path`],
    ["{cookie: {domain: a.example}}", `${inRule}.cookie.domain is not a member`],
    [
      "{header: {name: x-session}}",
      `${inRule}.header: header says nothing about a session of the type Cookie`,
    ],
    ["{type: Header, cookie: {}, header: {name: a}}", `${inRule}.cookie: cookie says nothing`],
    ["{type: Header, header: {name: a}, cookieConfig: {}}", `${inRule}.cookieConfig`],
    ["{type: Header}", `${inRule}.header: clients must know the header`],
    ["{type: Header, header: {}}", `${inRule}.header.name is missing`],
    ["{type: Header, header: {name: set-cookie}}", `${inRule}.header.name must be the name of a header`],
    ["{type: Header, header: {name: Signature}}", `${inRule}.header.name must be the name of a header`],
    ["{type: Header, sessionName: Host}", `${inRule}.sessionName: this header means something else`],
    ["{sessionName: a, cookie: {}}", `${inRule}.sessionName: this is the form of Gateway API up to 1.6`],
    ["{cookieConfig: {}, cookie: {}}", `${inRule}.cookieConfig: this is the form of Gateway API up to 1.6`],
  ])("%s is refused", (written, expected) => {
    const found = faults(written);
    expect(found[0]).toContain(expected);
  });
});
