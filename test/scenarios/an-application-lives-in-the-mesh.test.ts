import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";
import type { Told } from "./told.ts";

const worker = (name: string) => ({
  entry: fileURLToPath(new URL(`workers/resident/${name}.ts`, import.meta.url)),
});
const id = (service: string): string => `spiffe://mesh.local/ns/default/sa/${service}`;

const policies = `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: everybody-verified }
spec: { rules: [{ from: [{ source: { principals: ["*"] } }] }] }
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { accessLog: true }
`;

const log = new AccessLog();
let mesh: TestMesh;

/** A server that is in no mesh. */
const heard: IncomingHttpHeaders[] = [];
const outside = createServer((request, response) => {
  heard.push(request.headers);
  if (request.url === "/to-the-mesh") response.writeHead(302, { location: "http://teller/" });
  response.end("from outside");
});
let outsideUrl: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
  outsideUrl = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`;
  mesh = await startMesh({
    services: {
      resident: worker("resident"),
      entrypoint: worker("entrypoint"),
      teller: worker("teller"),
      other: worker("resident"),
      third: worker("resident"),
    },
    policies: [policies],
    onLog: log.take,
  });
});
afterAll(async () => {
  await mesh?.dispose();
  outside.close();
});

/** Asks the resident for something, as another workload. A POST, so that nothing is asked twice. */
const ask = (path: string): Promise<Response> =>
  mesh.from("other").fetch(`http://resident${path}`, { method: "POST" });
const toldBy = async (response: Response): Promise<Told> => (await response.json()) as Told;
const residentSigned = { caller: id("resident"), evidence: "signature", namespace: "default" };

describe("a service of the mesh is reached", () => {
  test.each([
    ["by a binding of the handler's environment", "/by-env", "teller"],
    ["by a binding of the imported environment", "/by-imported-env", "teller"],
    ["by its name in a URL", "/by-url?to=http://teller/", "teller"],
    ["by its name and namespace", "/by-url?to=http://teller.default/some/path", "teller.default"],
    ["by its name in capitals, with a port", "/by-url?to=https://TELLER:8443/", "teller:8443"],
    ["by a Request object with a body", "/by-request?to=http://teller/", "teller"],
  ])("%s, and knows who calls", async (_how, path, host) => {
    expect(await toldBy(await ask(path))).toMatchObject({ ...residentSigned, host });
  });

  test("from a scheduled handler, which nobody has called", async () => {
    const runtime = await mesh.runtime.getWorker("resident");
    await runtime.scheduled();
    const heardThere = (await (await ask("/on-schedule")).json()) as string;
    expect(heardThere).toMatch(/^nobody calls; /);
    expect(heardThere).toContain(id("resident"));
  });
});

test("caller() is undefined where no request is handled, and the verified caller where one is", async () => {
  expect(await (await ask("/at-start")).json()).toEqual([true, "other"]);
});

test("requests that are handled at the same time never see each other's caller", async () => {
  const callers = ["resident", "other", "third"].flatMap((name) => Array<string>(8).fill(name));
  const all = await Promise.all(
    callers.map(async (name) => {
      const url = `http://teller/meet?wanted=${callers.length}`;
      return toldBy(await mesh.from(name).fetch(url, { method: "POST" }));
    }),
  );
  expect(all.map(({ caller, later }) => [caller, later])).toEqual(
    callers.map((name) => [id(name), id(name)]),
  );
  const { most } = (await (await mesh.from("other").fetch("http://teller/most")).json()) as { most: number };
  expect(most).toBe(callers.length);
});

describe("an address outside of the mesh", () => {
  const meshHeader = /^(workload-identity-token|signature.*|content-digest|tulle-.*|traceparent|baggage)$/;

  test("gets what the application sends, and nothing of the mesh", async () => {
    heard.length = 0;
    const response = await ask(`/by-url?to=${outsideUrl}/`);
    expect(await response.text()).toBe("from outside");
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({ authorization: "Bearer of-the-application", "x-app": "1" });
    expect(Object.keys(heard[0] ?? {}).filter((name) => meshHeader.test(name))).toEqual([]);
  });

  test("is where a redirect of a service may lead, without authorization and without anything of the mesh", async () => {
    heard.length = 0;
    const response = await ask(`/by-url?to=http://teller/away?to=${outsideUrl}/`);
    expect(await response.text()).toBe("from outside");
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({ "x-app": "1" });
    const names = Object.keys(heard[0] ?? {});
    expect(names.filter((name) => name === "authorization" || meshHeader.test(name))).toEqual([]);
  });

  test("cannot lead anybody into the mesh by a redirect", async () => {
    const before = log.records(({ workload }) => workload === "default/teller").length;
    const response = await ask(`/by-url?to=${outsideUrl}/to-the-mesh`);
    expect(response.status).toBe(500);
    await log.record(({ workload, status }) => workload === "default/resident" && status === 500);
    expect(log.records(({ workload }) => workload === "default/teller")).toHaveLength(before);
  });
});

describe("a handler that", () => {
  test("throws is answered for with a problem that tells nothing, and told of in the log", async () => {
    const response = await ask("/by-env?to=/throw");
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      type: "https://tulle.dev/problems/handler-failed",
      title: "The application failed to handle this request",
      status: 500,
    });
    const record = await log.record(({ path }) => path === "/throw");
    expect(record).toMatchObject({ status: 500, refusal: "handler-failed", reason: "detail=RangeError" });
    expect(await log.line("a detail that is nobody's business")).toMatch(/^RangeError/);
  });

  test("answers nothing has failed, and not the mesh", async () => {
    const response = await ask("/by-env?to=/nothing");
    expect(await response.json()).toMatchObject({
      status: 500,
      type: "https://tulle.dev/problems/handler-failed",
    });
  });

  test("answers with a header of the mesh's cannot make its caller charge twice", async () => {
    const response = await ask("/by-env?to=/charge&method=POST");
    expect([response.status, await response.text()]).toEqual([503, "charge 1"]);
    expect([...response.headers.keys()].filter((name) => name.startsWith("tulle-"))).toEqual([]);
    expect(await (await mesh.from("other").fetch("http://teller/charged")).json()).toBe(1);
  });
});

describe("an entrypoint class whose handler is a field", () => {
  test("cannot be reached past the mesh", async () => {
    expect((await mesh.raw("entrypoint").fetch("http://entrypoint/raw")).status).toBe(400);
    const response = await mesh.from("other").fetch("http://entrypoint/verified");
    expect(await response.json()).toEqual(["/verified", "nothing yet"]);
  });

  test("is signed for by its schedule in a cold isolate, before the first request", async () => {
    await mesh.restart();
    const runtime = await mesh.runtime.getWorker("entrypoint");
    await runtime.scheduled();
    const [, heardThere] = (await (
      await mesh.from("other").fetch("http://entrypoint/")
    ).json()) as readonly string[];
    expect(JSON.parse(heardThere ?? "")).toMatchObject({ caller: id("entrypoint"), evidence: "signature" });
  });
});
