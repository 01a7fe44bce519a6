import { describe, expect, test } from "vitest";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { ruleFor } from "../../../mesh-runtime/routing/cors.ts";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import type { Cors, Rule } from "../../../mesh-runtime/routing/words.ts";
import { asks, at, cors, type Sent, send } from "./cross-origin.ts";
import {
  backend,
  expression,
  match,
  named,
  onRequest,
  onResponse,
  prefix,
  request,
  rule,
} from "./examples.ts";

const origin = "https://www.foo.com";
const foo = cors({ allowOrigins: [origin], allowMethods: ["PUT"] });
const preflight = (path: string, method = "PUT"): Sent => ({
  method: "OPTIONS",
  path,
  headers: asks(origin, method),
});

describe("what is no preflight goes to the backend", () => {
  test.each([
    ["an OPTIONS that asks for no method", { origin }],
    ["an OPTIONS that asks for an empty one", { origin, "access-control-request-method": "" }],
    ["an OPTIONS without an origin", { "access-control-request-method": "PUT" }],
  ])("%s", async (_case, headers) => {
    const { reached, said } = await send([at("/a", foo)], { method: "OPTIONS", path: "/a", headers });
    expect(reached).toBe(1);
    expect(said).toEqual("origin" in headers ? { "access-control-allow-origin": origin } : {});
  });

  test("a preflight under a rule without CORS", async () => {
    const plain = rule("plain", [match(prefix("/"))]);
    const { reached, response } = await send([plain], preflight("/a"));
    expect([reached, response.headers.has("vary")]).toEqual([1, false]);
  });
});

describe("a preflight falls under the rule of the request that it is about", () => {
  const table = (...rules: readonly Rule[]) => routeTable(rules);
  const put = at("/a", foo, { matches: [match(prefix("/a"), { method: "PUT" })] });
  const get = rule("get", [match(prefix("/a"), { method: "GET" })]);
  const ruleOf = (rules: readonly Rule[], method: string, more: Readonly<Record<string, string>> = {}) =>
    ruleFor(
      table(...rules),
      request("/a/b", { method: "OPTIONS", headers: { ...asks(origin, method), ...more } }),
    )?.rule;

  test("so that a rule for one method hears the preflight without which no browser sends it that", () => {
    expect(ruleOf([put, get], "PUT")).toBe(put);
  });

  test("and a method that it does not name is not its affair", () => {
    expect(ruleOf([put, get], "DELETE")).toBeUndefined();
    expect(ruleOf([put, get], "GET")).toBeUndefined();
  });

  test("unless a rule is for OPTIONS by name", () => {
    const options = rule("options", [match(prefix("/a"), { method: "OPTIONS" })]);
    expect(ruleOf([put, options], "PUT")).toBe(options);
  });

  test("or CORS is spoken of only where every method goes", () => {
    const all = at("/a", foo);
    const silent = rule("silent", [match(prefix("/a"), { method: "PUT" })]);
    expect(ruleOf([all, silent], "PUT")).toBe(all);
  });

  test("and one that takes too long to compare falls under none, and is compared once", () => {
    const all = new Headers(asks(origin, "PUT"));
    const long = request(`/${"ab".repeat(4_000)}`);
    const rules = table(rule("long", [match(expression("/[ab]*a[ab]{900}"))]), put);
    let asked = 0;
    const counting = {
      find: (message: typeof long) => {
        asked += 1;
        return rules.find(message);
      },
    };
    expect(ruleFor(counting, { ...long, method: "OPTIONS", headers: all })?.undecided).toBe("url");
    expect(asked).toBe(1);
  });

  test("though it cannot tell what that request's own headers would decide", () => {
    const canary = at("/a", foo, {
      matches: [match(prefix("/a"), { method: "PUT", headers: named({ "x-canary": "1" }) })],
    });
    expect(ruleOf([canary, get], "PUT")).toBeUndefined();
    expect(ruleOf([canary, get], "PUT", { "x-canary": "1" })).toBe(canary);
  });

  test("and CORS of a backend counts as well", () => {
    const backends = [backend("shop/v1"), backend("shop/v2", { filters: [foo] })];
    const byBackend = rule("r", [match(prefix("/a"), { method: "PUT" })], { backends });
    expect(ruleOf([byBackend, get], "PUT")).toBe(byBackend);
  });

  test("any other request falls under what it matches itself, whatever it says of methods", () => {
    const sent = request("/a", { method: "GET", headers: asks(origin, "PUT") });
    expect(ruleFor(table(put, get), sent)?.rule).toBe(get);
  });
});

describe("what is said on an answer", () => {
  const get = (headers: Readonly<Record<string, string>> = { origin }): Sent => ({
    method: "GET",
    path: "/a",
    headers,
  });
  const own = (headers: HeadersInit) => () => ok(new Response("own", { headers }));

  test("replaces what the backend says of CORS", async () => {
    const backendsOwn = own({
      "access-control-allow-origin": "https://evil.org",
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "x-secret",
      "x-own": "kept",
    });
    const allowed = await send([at("/a", foo)], get(), backendsOwn);
    expect(allowed.said).toEqual({ "access-control-allow-origin": origin });
    expect(allowed.response.headers.get("x-own")).toBe("kept");
    for (const headers of [{ origin: "https://evil.org" }, {}])
      expect((await send([at("/a", foo)], get(headers), backendsOwn)).said).toEqual({});
  });

  test("depends on the origin, and says so to caches; only a wildcard depends on nothing", async () => {
    const varies = async (filter: Cors, headers: Readonly<Record<string, string>>) =>
      (await send([at("/a", filter)], get(headers))).response.headers.get("vary");
    const anybody = cors({ allowOrigins: ["*"] });
    expect(await varies(foo, { origin })).toBe("Origin");
    expect(await varies(foo, { origin: "https://evil.org" })).toBe("Origin");
    expect(await varies(foo, {})).toBe("Origin");
    expect(await varies(cors({ allowOrigins: ["*"], allowCredentials: true }), { origin })).toBe("Origin");
    expect(await varies(anybody, { origin })).toBeNull();
    expect(await varies(anybody, {})).toBe("Origin");
  });

  test.each([
    ["Accept-Encoding", "Accept-Encoding, Origin"],
    ["accept-encoding, origin", "accept-encoding, origin"],
    ["*", "*"],
  ])("keeps the backend's own Vary: %s becomes %s", async (before, after) => {
    const { response } = await send([at("/a", foo)], get(), own({ vary: before }));
    expect(response.headers.get("vary")).toBe(after);
  });

  test("names the headers that are there where a wildcard would not count, because of credentials", async () => {
    const exposing = cors({ allowOrigins: [origin], exposeHeaders: ["*", "X-Rare"], allowCredentials: true });
    const answer = own({ "x-own": "1", "set-cookie": "a=1", "tulle-circuits": "v1" });
    const { response } = await send([at("/a", exposing)], get(), answer);
    const exposed = response.headers.get("access-control-expose-headers")?.split(", ") ?? [];
    expect(exposed).toEqual(expect.arrayContaining(["x-rare", "x-own"]));
    expect(exposed.filter((name) => name === "*" || name === "set-cookie")).toEqual([]);
    expect(exposed).not.toContain("tulle-circuits");
    const { said } = await send([at("/a", cors({ allowOrigins: ["*"], exposeHeaders: ["*"] }))], get());
    expect(said["access-control-expose-headers"]).toBe("*");
  });

  test("is told the request as it came, whatever a filter makes of its headers", async () => {
    const filters = [onRequest({ set: named({ origin: "https://evil.org" }) }), foo];
    const { said } = await send([at("/a", foo, { filters })], get());
    expect(said).toEqual({ "access-control-allow-origin": origin });
  });

  test("may be changed by a filter that is listed after, as filters go in order", async () => {
    const change = onResponse({ set: named({ "access-control-allow-origin": "null" }) });
    const after = await send([at("/a", foo, { filters: [foo, change] })], get());
    expect(after.said).toEqual({ "access-control-allow-origin": "null" });
    const before = await send([at("/a", foo, { filters: [change, foo] })], get());
    expect(before.said).toEqual({ "access-control-allow-origin": origin });
  });

  test("stands on the answer to a preflight together with what else the rule says on every answer", async () => {
    const filters = [foo, onResponse({ set: named({ "x-answered-by": "rule" }) })];
    const { response } = await send([at("/a", foo, { filters })], preflight("/a"));
    expect(response.headers.get("x-answered-by")).toBe("rule");
    expect(response.headers.get("access-control-allow-methods")).toBe("PUT");
  });

  test("stands on a redirect, whose preflight is answered, because browsers follow none there", async () => {
    const filters = [foo, { type: "RequestRedirect", statusCode: 302, hostname: "b.org" } as const];
    const moved = at("/a", foo, { filters, backends: [] });
    const { response } = await send([moved], get());
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([302, origin]);
    expect((await send([moved], preflight("/a"))).response.status).toBe(204);
  });

  test("stands on a refusal, so that a script can read why, and the whole reason is noted", async () => {
    const refusal = { kind: "circuit-open", circuit: "shop/cart", retryAfterMs: 1_000 } as const;
    const { response, notes, said } = await send([at("/a", foo)], get(), () => no(refusal));
    expect([response.status, response.headers.get("content-type")]).toEqual([
      503,
      "application/problem+json",
    ]);
    expect(said).toEqual({ "access-control-allow-origin": origin });
    expect(notes.refusal).toBe(refusal);
    const empty = await send([at("/a", foo, { backends: [] })], get());
    expect([empty.response.status, empty.notes.refusal?.kind]).toEqual([500, "no-backend"]);
  });

  test("without origins that are allowed is nothing to anybody", async () => {
    const nobody = cors({});
    expect((await send([at("/a", nobody)], get())).said).toEqual({});
    const asked = await send([at("/a", nobody)], preflight("/a"));
    expect([asked.response.status, asked.reached, asked.said]).toEqual([204, 0, {}]);
  });
});
