import { describe, expect, test } from "vitest";
import { asks, at, cors, send } from "./cross-origin.ts";

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
