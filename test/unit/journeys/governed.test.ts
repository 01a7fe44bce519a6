import { describe, expect, test } from "vitest";
import { allowAll, entry, gateway, policy, route, service } from "../policy/writing.ts";
import { busyMesh } from "./busy-mesh.ts";

/*
 * Whose word holds on time, retries and requests under way where a route leads to a Service: the route's, that of the
 * Service which was called, that of its backends, the mesh's defaults. Whole documents through the outbound journey.
 */

const base = [allowAll(), service("web"), service("a"), service("b"), service("shop", "{virtual: true}")];
const entrance = [
  service("gateway"),
  gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]"),
];
const at = (...rules: readonly string[]) => [
  ...base,
  ...entrance,
  entry("r", `parentRefs: [{name: public}], rules: [${rules.map((rule) => `{${rule}}`).join(", ")}]`),
];
const to = (...names: readonly string[]) =>
  `backendRefs: [${names.map((name) => `{name: ${name}, port: 80}`).join(", ")}]`;
const under = (path: string, rule: string) => `matches: [{path: {value: ${path}}}], ${rule}`;
const traffic = (name: string, spec: string) =>
  policy("TrafficPolicy", name, `{targetRefs: [{kind: Service, name: ${name}}], ${spec}}`);
const url = "http://shop.example/";

const timesOf = (sent: readonly Request[]) => sent.map(({ headers }) => headers.get("tulle-deadline-ms"));
/** How many tries it takes to be answered with 200, or as many as are made. */
const tries = (mesh: Awaited<ReturnType<typeof busyMesh>>, status: number, path = "") =>
  mesh
    .enter(url + path, { statuses: Array.from({ length: 20 }, () => status) })
    .then(({ sent }) => sent.length);

describe("at a gateway the policy of the backend holds", () => {
  test.each([
    ["how long a request may take", "timeout: 400ms", ["400"]],
    ["how long one try may take", "retry: {perTryTimeout: 300ms}", ["300"]],
    ["that it may take any time", "timeout: 0s", [null]],
    ["nothing about time", "circuit: {enabled: false}", ["15000"]],
  ])("on %s", async (_what, spec, expected) => {
    const mesh = await busyMesh([...at(to("a")), traffic("a", spec)]);
    expect(timesOf((await mesh.enter(url)).sent)).toEqual(expected);
  });

  test("on how often is tried, and after what", async () => {
    const none = await busyMesh([...at(to("a")), traffic("a", "retry: {attempts: 0}")]);
    expect(await tries(none, 503)).toBe(1);
    const eager = "retry: {attempts: 3, codes: [500], budgetRatio: 1}";
    const mesh = await busyMesh([...at(to("a")), traffic("a", eager)]);
    for (let request = 0; request < 5; request++) await mesh.enter(url);
    expect(await tries(mesh, 500)).toBe(4);
    expect(await tries(mesh, 503)).toBe(1);
  });

  test("on what share may be retries, and no backend's share is spent on another", async () => {
    const mesh = await busyMesh([
      ...at(under("/a", to("a")), under("/b", to("b"))),
      traffic("a", "retry: {budgetRatio: 1}"),
      traffic("b", "retry: {budgetRatio: 0}"),
    ]);
    for (let request = 0; request < 20; request++) await mesh.enter(`${url}a`);
    expect(await tries(mesh, 503, "a")).toBe(2);
    expect(await tries(mesh, 503, "b")).toBe(1);
  });

  test("on how many requests may be under way, whichever rule leads to it, and to it alone", async () => {
    const mesh = await busyMesh([
      ...at(under("/a", to("a")), under("/same", to("a")), under("/b", to("b"))),
      traffic("a", "maxInFlight: 2"),
    ]);
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = [mesh.enter(`${url}a`, { until: promise }), mesh.enter(`${url}same`, { until: promise })];
    const refused = await mesh.enter(`${url}a`);
    expect([refused.status, refused.sent]).toEqual([503, []]);
    expect((await mesh.enter(`${url}b`)).status).toBe(200);
    resolve();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await mesh.enter(`${url}a`)).status).toBe(200);
  });

  test("and the route's own word goes before it", async () => {
    const timeouts = "timeouts: {request: 700ms, backendRequest: 600ms}";
    const texts = at(`${timeouts}, retry: {attempts: 2, codes: [500]}, ${to("a")}`);
    const mesh = await busyMesh([
      ...texts,
      traffic("a", "timeout: 400ms, retry: {attempts: 0, perTryTimeout: 300ms}"),
    ]);
    expect(timesOf((await mesh.enter(url)).sent)).toEqual(["600"]);
    expect(await tries(mesh, 500)).toBe(3);
  });

  test("on the share of a route that promises retries: 0 takes its reserve away", async () => {
    const texts = at(`retry: {attempts: 2, codes: [500]}, ${to("a")}`);
    expect(await tries(await busyMesh([...texts, traffic("a", "retry: {budgetRatio: 0}")]), 500)).toBe(1);
  });

  test("on the whole request, where a route bounds each attempt alone", async () => {
    const texts = at(`timeouts: {backendRequest: 5s}, ${to("a", "b")}`);
    const one = await busyMesh([...texts, traffic("a", "timeout: 2s")]);
    expect(timesOf((await one.enter(url)).sent)).toEqual(["5000"]);
    const both = await busyMesh([...texts, traffic("a", "timeout: 2s"), traffic("b", "timeout: 3s")]);
    expect(timesOf((await both.enter(url)).sent)).toEqual(["3000"]);
  });
});

describe("where the backends of a rule differ", () => {
  test("nobody's requests are cut short, and nobody's are repeated more often than he wants", async () => {
    const mesh = await busyMesh([
      ...at(to("a", "b")),
      traffic("a", "timeout: 400ms, retry: {attempts: 3, budgetRatio: 1}"),
      traffic("b", "timeout: 900ms, retry: {attempts: 1, codes: [503], budgetRatio: 1}"),
    ]);
    for (const point of [0, 0.9]) {
      expect(timesOf((await mesh.enter(url, { point })).sent)).toEqual(["900"]);
    }
    expect(await tries(mesh, 502)).toBe(1);
    expect(await tries(mesh, 503)).toBe(2);
  });

  test("one that says nothing keeps the mesh's defaults, and one that cannot be used has no say", async () => {
    const mesh = await busyMesh([...at(to("a", "b")), traffic("a", "timeout: 400ms")]);
    expect(timesOf((await mesh.enter(url)).sent)).toEqual(["15000"]);
    const weightless =
      "backendRefs: [{name: a, port: 80}, {name: b, port: 80, weight: 0}, {name: gone, port: 80}]";
    const other = await busyMesh([...at(weightless), traffic("a", "timeout: 400ms")]);
    expect(timesOf((await other.enter(url)).sent)).toEqual(["400"]);
  });

  test("each has its own places", async () => {
    const mesh = await busyMesh([...at(to("a", "b")), traffic("a", "maxInFlight: 1")]);
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = mesh.enter(url, { until: promise });
    expect((await mesh.enter(url)).status).toBe(503);
    expect((await mesh.enter(url, { point: 0.9 })).status).toBe(200);
    resolve();
    expect((await first).status).toBe(200);
  });
});

describe("inside the mesh", () => {
  const routed = [...base, route("r", "name: shop", `[{${to("a")}}]`)];

  test("the policy of a backend holds where none speaks of the Service that is called", async () => {
    const mesh = await busyMesh([...routed, traffic("a", "timeout: 400ms, maxInFlight: 1")]);
    expect(timesOf((await mesh.call("http://shop/")).sent)).toEqual(["400"]);
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = mesh.call("http://a/", { until: promise });
    expect((await mesh.call("http://shop/")).status).toBe(503);
    resolve();
    expect((await first).status).toBe(200);
  });

  test("that of the Service that is called goes before it, member by member", async () => {
    const mesh = await busyMesh([
      ...routed,
      traffic("shop", "timeout: 800ms"),
      traffic("a", "timeout: 400ms, retry: {attempts: 0}"),
    ]);
    const { sent } = await mesh.call("http://shop/", { statuses: [503, 503] });
    expect(timesOf(sent)).toEqual(["800"]);
  });

  test("a Service that is its own backend counts a request once", async () => {
    const mesh = await busyMesh([...base, traffic("a", "maxInFlight: 1")]);
    expect((await mesh.call("http://a/")).status).toBe(200);
  });
});

test("a mesh without such policies has nothing to look up", async () => {
  const mesh = await busyMesh([...at(to("a")), traffic("a", "circuit: {enabled: false}, maxInFlight: 3")]);
  expect((await mesh.loaded("default/gateway")).governing).toBeUndefined();
});
