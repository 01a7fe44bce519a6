import { describe, expect, test } from "vitest";
import { type Answer, blankNotes } from "../../../mesh-runtime/foundation/exchange.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { ruleFor } from "../../../mesh-runtime/routing/cors.ts";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import { routed } from "../../../mesh-runtime/routing/routed.ts";
import type { Cors, Rule } from "../../../mesh-runtime/routing/words.ts";
import { backend, match, named, onRequest, onResponse, prefix, request, rule } from "./examples.ts";

const nothingSaid: Cors = {
  type: "CORS",
  allowOrigins: [],
  allowCredentials: false,
  allowMethods: [],
  allowHeaders: [],
  exposeHeaders: [],
  maxAgeSeconds: 5,
};

const cors = (more: Partial<Cors>): Cors => ({ ...nothingSaid, ...more });

const at = (path: string, filter: Cors, more: Partial<Rule> = {}): Rule =>
  rule(path, [match(prefix(path))], { filters: [filter], ...more });

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends a request through the rules; `reached` tells whether a backend was asked. */
async function send(
  rules: readonly Rule[],
  { method, path, headers }: Sent,
  answering: () => Answer = () => ok(new Response("from the backend")),
) {
  let reached = 0;
  const notes = blankNotes();
  const step = routed().wrap(async () => {
    reached++;
    return answering();
  });
  const message = { ...request(path, { method, headers }), body: null };
  const answer = await step({
    message,
    target: { destination: "shop/cart", table: routeTable(rules) },
    notes,
  });
  if (!answer.ok) throw new Error(`refused: ${answer.reason.kind}`);
  return { response: answer.value, reached, notes, said: corsOf(answer.value) };
}

const corsOf = ({ headers }: Response): Readonly<Record<string, string>> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-")));

/** The rules of Gateway API's conformance test HTTPRouteCORS. */
const conformance = [
  at(
    "/cors-1",
    cors({
      allowOrigins: ["https://www.foo.com", "https://*.bar.com"],
      allowMethods: ["GET", "OPTIONS"],
      allowHeaders: ["x-header-1", "x-header-2"],
      exposeHeaders: ["x-header-3", "x-header-4"],
      allowCredentials: true,
      maxAgeSeconds: 3600,
    }),
  ),
  at("/cors-2", cors({ allowOrigins: ["https://www.foo.com"], allowMethods: ["*"] })),
  at("/cors-wildcard-origin", cors({ allowOrigins: ["*"], allowMethods: ["PUT"] })),
  at(
    "/cors-wildcard-methods-headers",
    cors({ allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], allowCredentials: true }),
  ),
  at(
    "/cors-wildcard-methods-headers-unauth",
    cors({ allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"] }),
  ),
];

const everythingOfTheFirst = {
  "access-control-allow-methods": "GET, OPTIONS",
  "access-control-allow-headers": "x-header-1, x-header-2",
  "access-control-expose-headers": "x-header-3, x-header-4",
  "access-control-max-age": "3600",
  "access-control-allow-credentials": "true",
};

const asks = (origin: string, method: string, headers?: string) => ({
  origin,
  "access-control-request-method": method,
  ...(headers === undefined ? {} : { "access-control-request-headers": headers }),
});

const two = "x-header-1, x-header-2";

describe("the cases of HTTPRouteCORS: a preflight is answered by the mesh", () => {
  test.each([
    [
      "from an origin that is named",
      "/cors-1",
      asks("https://www.foo.com", "GET", two),
      { ...everythingOfTheFirst, "access-control-allow-origin": "https://www.foo.com" },
    ],
    [
      "from an origin under a wildcard",
      "/cors-1",
      asks("https://www.bar.com", "GET", two),
      { ...everythingOfTheFirst, "access-control-allow-origin": "https://www.bar.com" },
    ],
    [
      "from an origin with several labels in the wildcard's place",
      "/cors-1",
      asks("https://xpto.www.bar.com", "GET", two),
      { ...everythingOfTheFirst, "access-control-allow-origin": "https://xpto.www.bar.com" },
    ],
    ["from another origin, which is told nothing", "/cors-1", asks("https://foobar.com", "GET"), {}],
    [
      "for any method, without credentials",
      "/cors-2",
      asks("https://www.foo.com", "POST"),
      {
        "access-control-allow-origin": "https://www.foo.com",
        "access-control-allow-methods": "POST",
        "access-control-max-age": "5",
      },
    ],
    [
      "from any origin",
      "/cors-wildcard-origin",
      asks("https://foobar.com", "PUT"),
      {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "PUT",
        "access-control-max-age": "5",
      },
    ],
    [
      "from any origin, with a port",
      "/cors-wildcard-origin",
      asks("https://foobar.com:12345", "PUT"),
      {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "PUT",
        "access-control-max-age": "5",
      },
    ],
    [
      "from any origin with credentials, where nothing may be told by a wildcard",
      "/cors-wildcard-methods-headers",
      asks("https://other.foo.com", "PUT", two),
      {
        "access-control-allow-origin": "https://other.foo.com",
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": two,
        "access-control-allow-credentials": "true",
        "access-control-max-age": "5",
      },
    ],
    [
      "from any origin for anything, without credentials",
      "/cors-wildcard-methods-headers-unauth",
      asks("https://other.foo.com", "PUT", two),
      {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": two,
        "access-control-max-age": "5",
      },
    ],
  ])("%s", async (_case, path, headers, expected) => {
    const { response, reached, said } = await send(conformance, { method: "OPTIONS", path, headers });
    expect([response.status, response.body, reached]).toEqual([204, null, 0]);
    expect(said).toEqual(expected);
  });
});

describe("the cases of HTTPRouteCORS: a request reaches the backend", () => {
  test.each([
    [
      "from an origin that is named",
      "/cors-1",
      "GET",
      asks("https://www.foo.com", "GET", two),
      "https://www.foo.com",
      true,
    ],
    [
      "from an origin under a wildcard",
      "/cors-1",
      "GET",
      asks("https://www.bar.com", "GET", two),
      "https://www.bar.com",
      true,
    ],
    [
      "from another origin, which is told nothing",
      "/cors-1",
      "GET",
      asks("https://foobar.com", "GET"),
      null,
      false,
    ],
    [
      "from any origin, with a port",
      "/cors-wildcard-origin",
      "PUT",
      { origin: "https://foobar.com:12345" },
      "*",
      false,
    ],
    ["from any origin", "/cors-wildcard-origin", "PUT", { origin: "https://foobar.com" }, "*", false],
    [
      "from any origin with credentials",
      "/cors-wildcard-methods-headers",
      "GET",
      { origin: "https://other.foo.com" },
      "https://other.foo.com",
      true,
    ],
    [
      "from any origin without credentials",
      "/cors-wildcard-methods-headers-unauth",
      "GET",
      { origin: "https://other.foo.com" },
      "*",
      false,
    ],
  ] as const)("%s", async (_case, path, method, headers, origin, credentials) => {
    const { response, reached } = await send(conformance, { method, path, headers });
    expect([reached, response.status, await response.text()]).toEqual([1, 200, "from the backend"]);
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    expect(response.headers.get("access-control-allow-credentials")).toBe(credentials ? "true" : null);
    for (const name of ["methods", "headers", "max-age"])
      expect(response.headers.has(`access-control-allow-${name}`)).toBe(false);
  });
});

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
