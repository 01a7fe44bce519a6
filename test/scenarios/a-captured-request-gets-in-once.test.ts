import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";
import { type Delivery, type Insider, joinAs } from "../support/insider.ts";

/** Stands where the documents say that bank is, and keeps what is sent there. */
const captured: Delivery[] = [];
const trap = createServer((request, response) => {
  const { method = "", url = "", rawHeaders } = request;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (!/^(host|connection|transfer-encoding|content-length)$/i.test(name)) headers.append(name, value);
  }
  captured.push({ url: new URL(url, "http://bank").href, init: { method, headers } });
  response.end("caught");
});

const policies = (trapUrl: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: vault }
spec: { replay: strict }
---
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: bank }
spec: { endpoint: { url: "${trapUrl}" } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: transfers, annotations: { mesh.tulle.dev/replay: strict } }
spec:
  parentRefs: [{ group: "", kind: Service, name: bank }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /transfers } }]
      backendRefs: [{ name: bank, port: 80 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: other }
spec:
  parentRefs: [{ group: "", kind: Service, name: bank }]
  rules: [{ backendRefs: [{ name: bank, port: 80 }] }]
---
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

/** What the handlers, which run here, were given. */
let handled = 0;
const handle = (): Response => {
  handled++;
  return new Response("opened");
};
const vaults = ["vault", "vault-2", "vault-3", "vault-4"] as const;
const banks = ["bank", "bank-2", "bank-3"] as const;

const log = new AccessLog();
let mesh: TestMesh;
/** A real member of the mesh, as web, that signs whatever it likes. */
let mallory: Insider;

beforeAll(async () => {
  await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
  mesh = await startMesh({
    services: {
      web: { fetch: handle },
      vault: { fetch: handle },
      ...Object.fromEntries(vaults.slice(1).map((name) => [name, { isolateOf: "vault" }])),
      bank: { fetch: handle },
      ...Object.fromEntries(banks.slice(1).map((name) => [name, { isolateOf: "bank" }])),
    },
    policies: [policies(`http://127.0.0.1:${(trap.address() as AddressInfo).port}`)],
    onLog: log.take,
  });
  mallory = await joinAs(mesh, "web");
});
afterAll(async () => {
  await mesh?.dispose();
  trap.close();
});
beforeEach(async () => {
  await mesh.mend("control");
  handled = 0;
  captured.length = 0;
});

const deliver = (service: string, { url, init }: Delivery): Promise<Response> =>
  mesh.raw(service).fetch(url, init);

/** How many answers there were of each status and problem. */
async function tally(answers: readonly Response[]): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const { status, headers } = answer;
    await answer.text();
    const name = `${status} ${headers.get("tulle-problem") ?? "opened"}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Sends the same request many times at the same moment, to one isolate after the other. */
async function flood(isolates: readonly string[], times: number, delivery: Delivery) {
  const to = Array.from({ length: times }, (_, at) => isolates[at % isolates.length] ?? "");
  return tally(await Promise.all(to.map((isolate) => deliver(isolate, delivery))));
}

/** A request that the vault would let in once: signed after its memory began. */
async function signedForVault(): Promise<Delivery> {
  const url = "http://vault/open";
  const first = await mallory.sign({ url, method: "POST", body: "gold", audience: "vault" });
  const refused = await deliver("vault", first);
  const watch = refused.headers.get("tulle-watch");
  await refused.text();
  // Where the memory began a while ago, this one was let in.
  handled = 0;
  const headers = watch === null ? {} : { "tulle-watch": watch };
  return mallory.sign({ url, method: "POST", body: "gold", audience: "vault", headers });
}

describe("a service that is strict about replays", () => {
  test("lets a request in once that comes a thousand times at once, to several of its isolates", async () => {
    await mesh.resetObjects();
    const stolen = await signedForVault();
    expect(await flood(vaults, 1_000, stolen)).toEqual({ "200 opened": 1, "400 unidentified": 999 });
    expect(handled).toBe(1);
  });

  test("refuses it in every isolate when the object that remembers it is started anew", async () => {
    const stolen = await signedForVault();
    expect(await flood(["vault"], 1, stolen)).toEqual({ "200 opened": 1 });
    await mesh.resetObjects();
    expect(await flood(vaults.slice(1), 30, stolen)).toEqual({
      "503 replay-undecided": 3,
      "400 unidentified": 27,
    });
    expect(handled).toBe(1);
  });

  test("does not believe that an old request is new because somebody adds the name of the new memory", async () => {
    const stolen = await signedForVault();
    await deliver("vault", stolen);
    await mesh.resetObjects();
    const watch = (await deliver("vault-2", stolen)).headers.get("tulle-watch") ?? "";
    expect(watch).not.toBe("");
    const changed = new Headers(stolen.init.headers);
    changed.set("tulle-watch", watch);
    const answers = await flood(["vault-3"], 1, { ...stolen, init: { ...stolen.init, headers: changed } });
    expect(answers).toEqual({ "400 unidentified": 1 });
  });

  test("is reached by its callers at once after a new start, with a write too", async () => {
    for (let round = 0; round < 2; round++) {
      await mesh.resetObjects();
      const response = await mesh.from("web").fetch("http://vault/open", { method: "POST", body: "gold" });
      expect([response.status, await response.text()]).toEqual([200, "opened"]);
      expect([...response.headers.keys()].filter((name) => name.startsWith("tulle-"))).toEqual([]);
    }
    expect(handled).toBe(2);
    const again = await Promise.all(
      Array.from({ length: 20 }, () => mesh.from("web").fetch("http://vault/open")),
    );
    expect(await tally(again)).toEqual({ "200 opened": 20 });
  });

  test("is closed while control does not answer, and says why; who is not strict notices nothing", async () => {
    await mesh.break("control", { status: 500 });
    const stolen = await mallory.sign({ url: "http://vault/closed", audience: "vault" });
    const refused = await deliver("vault-2", stolen);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await refused.json()).toEqual({
      type: "https://tulle.dev/problems/replay-undecided",
      title: "Nobody can tell whether this request was here before",
      status: 503,
    });
    expect(handled).toBe(0);
    const { reason } = await log.record(({ path, refusal }) => path === "/closed" && refusal !== "");
    expect(reason).toContain("control did not answer");
    const other = await mallory.sign({ url: "http://bank/", audience: "bank" });
    expect((await deliver("bank", other)).status).toBe(200);
  });
});

describe("a route that is strict about replays", () => {
  /** Lets web send it, and catches it. */
  async function steal(path: string): Promise<Delivery> {
    await mesh.from("web").fetch(`http://bank${path}`);
    const [stolen] = captured;
    if (stolen === undefined) throw new Error("nothing was captured");
    return stolen;
  }

  test("lets what goes by it in at most once, and leaves other routes of the service alone", async () => {
    await mesh.resetObjects();
    const doubtful = await steal("/transfers/1");
    expect(await flood(banks, 30, doubtful)).toEqual({ "503 replay-undecided": 3, "400 unidentified": 27 });
    expect(handled).toBe(0);
    captured.length = 0;
    const other = await steal("/balance");
    expect(await flood(banks, 30, other)).toEqual({ "200 opened": 3, "400 unidentified": 27 });
  });

  test("is in what is signed: who takes the demand off has no proof", async () => {
    const { url, init } = await steal("/transfers/2");
    const headers = new Headers(init.headers);
    expect(headers.get("tulle-replay")).toBe("strict");
    headers.delete("tulle-replay");
    expect(await flood(banks, 3, { url, init: { ...init, headers } })).toEqual({ "400 unidentified": 3 });
  });
});
