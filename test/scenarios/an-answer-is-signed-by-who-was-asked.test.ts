import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";

interface Reply {
  status: number;
  readonly headers: Headers;
  body: string;
}

/** Stands between web and bank, where bank's document says that bank is, and does with answers what a test likes. */
let tamper: (reply: Reply) => Reply = (reply) => reply;
const passed: Reply[] = [];
const between = createServer(async (request, response) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const { method = "", url = "", rawHeaders } = request;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (!/^(host|connection|transfer-encoding|content-length)$/i.test(name)) headers.append(name, value);
  }
  const body = chunks.length === 0 ? null : new Uint8Array(Buffer.concat(chunks));
  const answer = await mesh.raw("bank").fetch(`http://bank${url}`, { method, headers, body });
  const reply = { status: answer.status, headers: new Headers(answer.headers), body: await answer.text() };
  passed.push({ ...reply });
  const sent = tamper(reply);
  for (const name of ["transfer-encoding", "content-length"]) sent.headers.delete(name);
  response.writeHead(sent.status, Object.fromEntries(sent.headers)).end(sent.body);
});

const policies = (url: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: bank }
spec: { endpoint: { url: "${url}" }, responses: signed, replay: strict }
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: everybody-verified }
spec: { rules: [{ from: [{ source: { principals: ["*"] } }] }] }
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: nobody-robs }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: ["/rob"] } }] }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: tulle, listeners: [{ name: http, protocol: HTTP, port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public }
spec: { parentRefs: [{ name: public }], rules: [{ backendRefs: [{ name: bank, port: 80 }] }] }
---
apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: bank }
spec: { targetRefs: [{ kind: Service, name: bank }], circuit: { enabled: false } }
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { accessLog: true }
`;

let handled = 0;
const log = new AccessLog();
let mesh: TestMesh;
beforeAll(async () => {
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      bank: {
        fetch: async (request) => {
          handled++;
          return new Response(`balance ${await request.text()}`, { headers: { "x-app": "1" } });
        },
      },
    },
    policies: [policies(`http://127.0.0.1:${(between.address() as AddressInfo).port}`)],
    onLog: log.take,
  });
});
afterAll(async () => {
  await mesh?.dispose();
  between.close();
});
beforeEach(() => {
  tamper = (reply) => reply;
  passed.length = 0;
  handled = 0;
});

const ask = (path: string, init: RequestInit = { method: "POST", body: "7" }): Promise<Response> =>
  mesh.from("web").fetch(`http://bank${path}`, init);

/** Sends a write whose answer must not be believed, and tells why it was not. */
async function reasonOf(path: string): Promise<string> {
  const response = await ask(path);
  expect(response.status).toBe(502);
  expect(await response.json()).toEqual({
    type: "https://tulle.dev/problems/answer-unverified",
    title: "The answer of the destination could not be verified",
    status: 502,
  });
  const { reason } = await log.record(
    (record) => record.path === path && record.direction === "outbound" && record.refusal !== "",
  );
  return reason;
}

describe("a service whose answers are signed", () => {
  test("is believed through somebody who passes its answers on, after a new watch too", async () => {
    for (const path of ["/first", "/second"]) {
      await mesh.resetObjects();
      const response = await ask(path);
      expect([response.status, await response.text()]).toEqual([200, "balance 7"]);
      const names = [...response.headers.keys()];
      expect(names).toContain("x-app");
      expect(names.filter((name) => /^(tulle-|signature|workload-)/.test(name))).toEqual([]);
    }
    expect(handled).toBe(2);
    expect(passed.every(({ headers }) => headers.has("signature"))).toBe(true);
  });

  test("is believed when its mesh says no", async () => {
    const response = await ask("/rob");
    expect([response.status, handled]).toEqual([403, 0]);
    expect(((await response.json()) as { type: string }).type).toBe("https://tulle.dev/problems/denied");
  });

  test("is heard from outside through the gateway, which shows nothing of proofs", async () => {
    const response = await mesh.fetch("http://bank.example.com/from-outside");
    expect([response.status, await response.text()]).toEqual([200, "balance "]);
    const names = [...response.headers.keys()];
    expect(names.filter((name) => /^(tulle-|signature|workload-)/.test(name))).toEqual([]);
  });
});

describe("an answer is refused, and the write not sent again, when who stands between", () => {
  test("49: changes its status", async () => {
    tamper = (reply) => ({ ...reply, status: 201 });
    expect(await reasonOf("/status")).toMatch(/step=proof/);
    expect(handled).toBe(1);
  });

  test("49: changes its body", async () => {
    tamper = (reply) => ({ ...reply, body: "balance 700" });
    expect(await reasonOf("/body")).toMatch(/step=digest/);
  });

  test("49: answers in its place", async () => {
    tamper = () => ({ status: 200, headers: new Headers(), body: "balance 700" });
    expect(await reasonOf("/place")).toMatch(/step=missing/);
  });

  test("49: says that the request never arrived", async () => {
    tamper = () => ({
      status: 503,
      headers: new Headers({ "tulle-problem": "mesh-not-ready", "retry-after": "0" }),
      body: "",
    });
    expect(await reasonOf("/never")).toMatch(/step=missing.*503 mesh-not-ready/);
    expect(handled).toBe(1);
  });

  test("49: gives the answer to another request", async () => {
    await ask("/before");
    const [former] = passed;
    if (former === undefined) throw new Error("nothing was passed on");
    tamper = () => ({ ...former, headers: new Headers(former.headers) });
    expect(await reasonOf("/after")).toMatch(/step=(proof|replay)/);
  });
});
