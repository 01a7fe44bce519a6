import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { freePorts } from "../../bench/support.ts";
import type { IdentityReport } from "../../cli/identity-explanation.ts";
import { tulle } from "../cli/tulle.ts";
import { AccessLog } from "../support/access-log.ts";
import { type Http2Front, type Outgoing, overHttp1, startHttp2Front } from "../support/http2-front.ts";
import { type Delivery, type Insider, joinAs } from "../support/insider.ts";

/** What the vault's handler, which runs here, was given. */
const handled: Request[] = [];
/** Stands where the vault's document says that the vault is, and keeps what is sent there. */
const captured: { method: string; path: string; headers: Headers; body: Uint8Array<ArrayBuffer> }[] = [];
const trap = createServer(async (request, response) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const { method = "", url: path = "", rawHeaders } = request;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (!/^(host|connection|transfer-encoding|content-length)$/i.test(name)) headers.append(name, value);
  }
  captured.push({ method, path, headers, body: new Uint8Array(Buffer.concat(chunks)) });
  response.end("caught");
});

const policies = (trapUrl: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: vault }
spec: { endpoint: { url: "${trapUrl}" } }
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: everybody-verified }
spec: { rules: [{ from: [{ source: { principals: ["*"] } }] }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: tulle, listeners: [{ name: http, protocol: HTTP, port: 80, hostname: bank.example.com }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public }
spec: { parentRefs: [{ name: public }], rules: [{ backendRefs: [{ name: bank, port: 80 }] }] }
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { accessLog: true }
`;

const log = new AccessLog();
const [bankPort = 0] = await freePorts(1);
let mesh: TestMesh;
/** Speaks HTTP/2 to the outside, and HTTP/1.1 to the bank. */
let front: Http2Front;
/** A real member of the mesh, as web, that signs whatever it likes. */
let mallory: Insider;

beforeAll(async () => {
  await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
  const handle = (request: Request): Response => {
    handled.push(request);
    return new Response(request.url, { status: 200 });
  };
  mesh = await startMesh({
    services: { web: { fetch: handle }, bank: { fetch: handle, port: bankPort }, vault: { fetch: handle } },
    policies: [policies(`http://127.0.0.1:${(trap.address() as AddressInfo).port}`)],
    onLog: log.take,
  });
  mallory = await joinAs(mesh, "web");
  front = await startHttp2Front(bankPort);
});
afterAll(async () => {
  await front?.[Symbol.asyncDispose]();
  await mesh?.dispose();
  trap.close();
});
beforeEach(() => {
  handled.length = 0;
  captured.length = 0;
});
const unidentified = {
  type: "https://tulle.dev/problems/unidentified",
  title: "The caller's workload identity could not be verified",
  status: 400,
};
const deliver = (service: string, { url, init }: Delivery): Promise<Response> =>
  mesh.raw(service).fetch(url, init);

/** Delivers something that must be refused, and tells why the access log says it was. */
async function reasonOf(service: string, url: string, init: RequestInit = {}): Promise<string> {
  const path = `/${crypto.randomUUID()}`;
  return refusedAt(service, new URL(path, url).href, init, path);
}

async function refusedAt(service: string, url: string, init: RequestInit, path: string): Promise<string> {
  const reasons = (): readonly string[] =>
    log
      .records((record) => record.workload === `default/${service}` && record.path === path)
      .flatMap(({ refusal, reason }) => (refusal === "unidentified" ? [reason] : []));
  const before = reasons().length;
  const runs = handled.length;
  const response = await mesh.raw(service).fetch(url, init);
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual(unidentified);
  expect(handled).toHaveLength(runs);
  await log.when(() => reasons().length > before);
  return /^step=(\S+)/.exec(reasons().at(-1) ?? "")?.[1] ?? "";
}

describe("a request past the gateway is refused, with one answer for all, when it carries", () => {
  const junk =
    "eyJhbGciOiJub25lIiwidHlwIjoid2l0K2p3dCJ9.eyJzdWIiOiJzcGlmZmU6Ly9tZXNoLmxvY2FsL25zL2RlZmF1bHQvc2Evd2ViIn0.";
  const input = (parameters: string) =>
    `wimse=("@method" "@request-target" "workload-identity-token");${parameters}`;
  const proper = `created=1;expires=31;nonce="n";tag="wimse-workload-to-workload";wimse-aud="spiffe://mesh.local/ns/default/sa/bank"`;
  const signature = `wimse=:${"A".repeat(86)}==:`;

  test.each<[string, Record<string, string>, string]>([
    ["no identity at all", {}, "missing"],
    [
      "names that others believe",
      {
        "x-spiffe-id": "spiffe://mesh.local/ns/default/sa/web",
        "x-forwarded-client-cert": "URI=spiffe://mesh.local/ns/default/sa/web",
        "tulle-evidence": "signature",
        "tulle-principal": "web",
      },
      "missing",
    ],
    [
      "a signature for somebody else's reasons",
      {
        "signature-input": 'sig1=("@method");created=1;keyid="mine";tag="web-bot-auth"',
        signature: "sig1=:AAAA:",
      },
      "missing",
    ],
    ["a token without a signature", { "workload-identity-token": junk }, "missing"],
    [
      "an empty token",
      { "workload-identity-token": "", "signature-input": input(proper), signature },
      "missing",
    ],
    [
      "a token that nobody has signed",
      {
        "workload-identity-token": junk,
        "signature-input": input(proper),
        signature,
      },
      "token",
    ],
    ["a signature without a token", { "signature-input": input(proper), signature }, "missing"],
    [
      "a key of its own choice",
      {
        "workload-identity-token": junk,
        "signature-input": input(`${proper};keyid="mine"`),
        signature,
      },
      "malformed",
    ],
    [
      "a signature that is none",
      {
        "workload-identity-token": junk,
        "signature-input": input(proper),
        signature: "wimse=:AAAA:",
      },
      "malformed",
    ],
    [
      "two signatures with our tag",
      {
        "workload-identity-token": junk,
        "signature-input": `${input(proper)}, other${input(proper).slice(5)}`,
        signature,
      },
      "malformed",
    ],
  ])("%s", async (_what, headers, step) => {
    expect(await reasonOf("bank", "http://bank/", { headers })).toBe(step);
  });

  test("a real token, and a signature by another key", async () => {
    const { init } = await mallory.sign({ url: "http://bank/", audience: "bank" });
    const headers = new Headers(init.headers);
    headers.set("signature", signature);
    expect(await refusedAt("bank", "http://bank/", { headers }, "/")).toBe("proof");
  });
});

test("what is signed for this workload, once and now, is let in: the refusals above and below have their reasons", async () => {
  const delivery = await mallory.sign({
    url: "http://bank/mine",
    method: "POST",
    body: "1",
    audience: "bank",
  });
  expect((await deliver("bank", delivery)).status).toBe(200);
  expect(handled).toHaveLength(1);
  expect(
    [...(handled[0]?.headers.keys() ?? [])].filter((name) => /^(signature|workload|tulle)/.test(name)),
  ).toEqual([]);
});

describe("a request that came over HTTP/2 and goes on over HTTP/1.1 has the same verdict", () => {
  type Change = (sent: Outgoing) => Outgoing;
  const withHeaders =
    (changed: Readonly<Record<string, string | string[]>>): Change =>
    (sent) => ({ ...sent, headers: { ...sent.headers, ...changed } });

  test.each<[what: string, status: number, change: Change]>([
    ["as it was signed", 200, (sent) => sent],
    ["with a cookie in crumbs", 200, withHeaders({ cookie: ["a=1", "b=2"] })],
    ["for another path", 400, (sent) => ({ ...sent, path: "/h2/other?box=7" })],
    ["with its query encoded otherwise", 400, (sent) => ({ ...sent, path: sent.path.replace("7", "%37") })],
    ["by another method", 400, (sent) => ({ ...sent, method: "PUT" })],
    ["with another body", 400, (sent) => ({ ...sent, body: new TextEncoder().encode("lead") })],
    ["without a body", 400, (sent) => ({ ...sent, body: undefined })],
    ["with a header of the mesh put in", 400, withHeaders({ "tulle-hops": "1" })],
    ["with an authorization that nobody signed", 400, withHeaders({ authorization: "Bearer x" })],
    ["with two tokens", 400, (sent) => ({ ...sent, headers: doubled(sent.headers) })],
  ])("%s: %i", async (_what, status, change) => {
    const replies = [];
    for (const send of [(sent: Outgoing) => overHttp1(bankPort, sent), front.send]) {
      const url = "http://bank/h2/box?box=7";
      const { init } = await mallory.sign({ url, method: "POST", body: "gold", audience: "bank" });
      const { pathname, search } = new URL(url);
      const headers = Object.fromEntries(init.headers);
      const sent = { method: "POST", path: pathname + search, headers, body: init.body };
      replies.push(await send(change(sent)));
    }
    const [direct, downgraded] = replies;
    expect([direct?.status, downgraded?.status]).toEqual([status, status]);
    if (status !== 200) for (const reply of replies) expect(JSON.parse(reply.text)).toEqual(unidentified);
    expect(handled).toHaveLength(status === 200 ? 2 : 0);
  });

  const doubled = (headers: Outgoing["headers"]): Outgoing["headers"] => {
    const token = String(headers["workload-identity-token"]);
    return { ...headers, "workload-identity-token": [token, token] };
  };
});

describe("from outside", () => {
  test("forged identities and mesh headers end at the gateway, whose own identity goes on", async () => {
    const response = await mesh.fetch("http://bank.example.com/from-outside", {
      headers: {
        "workload-identity-token": mallory.credential.wit,
        "signature-input": 'wimse=("@method");tag="wimse-workload-to-workload"',
        signature: "wimse=:AAAA:",
        "tulle-hops": "99",
        "tulle-deadline-ms": "0",
        "tulle-epoch": "999999",
        "x-spiffe-id": "spiffe://mesh.local/ns/default/sa/vault",
      },
    });
    expect(response.status).toBe(200);
    const seen = [...(handled[0]?.headers.keys() ?? [])];
    expect(seen.filter((name) => /^(signature|workload|tulle|x-spiffe)/.test(name))).toEqual([]);
    const { peer } = await log.record(
      ({ path, direction }) => path === "/from-outside" && direction === "inbound",
    );
    expect(peer).toBe("spiffe://mesh.local/ns/default/sa/gateway");
  });

  test.each(["http://bank.example.com/", "http://unknown.example.com/"])(
    "no answer of %s carries a header of the mesh",
    async (url) => {
      const { headers } = await mesh.fetch(url);
      expect([...headers.keys()].filter((name) => name.startsWith("tulle-"))).toEqual([]);
    },
  );
});

describe("a request that was captured on its way to the vault", () => {
  const url = "http://vault/open?box=7";
  /** Lets web send it, and catches it. */
  async function steal(init: RequestInit = { method: "POST", body: "gold" }) {
    await mesh.from("web").fetch(url, init);
    const [stolen] = captured;
    if (stolen === undefined) throw new Error("nothing was captured");
    return stolen;
  }

  test("opens the vault when it comes there first, so that it is a real one", async () => {
    expect((await mesh.raw("vault").fetch(url, await steal())).status).toBe(200);
    expect(handled).toHaveLength(1);
  });

  test("is refused when it comes again", async () => {
    const stolen = await steal();
    expect((await mesh.raw("vault").fetch(url, stolen)).status).toBe(200);
    for (let again = 0; again < 3; again++)
      expect(await refusedAt("vault", url, stolen, "/open")).toBe("replay");
  });

  test("comes in once at most when it comes ten times at the same moment", async () => {
    const stolen = await steal();
    const answers = await Promise.all(Array.from({ length: 10 }, () => mesh.raw("vault").fetch(url, stolen)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(handled).toHaveLength(1);
  });

  test("is explained to an operator by what control says: why the vault takes it, and the bank does not", async () => {
    const { method, path, headers } = await steal();
    const stdin = [
      `${method} ${path} HTTP/1.1`,
      ...[...headers].map((pair) => pair.join(": ")),
      "",
      "gold",
    ].join("\r\n");
    const env = { TULLE_URL: mesh.operator.url, TULLE_TOKEN: mesh.operator.token };
    const explained = async (service: string, at: number) => {
      const time = new Date(at).toISOString();
      const words = ["identity", "explain", "-", "--service", service, "--at", time, "-o", "json"];
      const { code, stdout } = await tulle(words, { env, stdin });
      const { caller, refusal } = JSON.parse(stdout) as IdentityReport;
      return {
        code,
        caller: caller?.spiffeId,
        step: refusal?.kind === "unidentified" ? refusal.step : undefined,
      };
    };
    const made = 1_000 * Number(/;created=(\d+)/.exec(headers.get("signature-input") ?? "")?.[1]);
    expect(await explained("vault", made)).toEqual({
      code: 0,
      caller: "spiffe://mesh.local/ns/default/sa/web",
      step: undefined,
    });
    expect(await explained("bank", made)).toEqual({ code: 1, caller: undefined, step: "audience" });
  });

  test("is refused by every other workload, its sender too", async () => {
    const stolen = await steal();
    expect(await refusedAt("bank", url, stolen, "/open")).toBe("audience");
    expect(await refusedAt("web", url, stolen, "/open")).toBe("audience");
  });

  test("is refused by another workload under that one's own host name", async () => {
    expect(await refusedAt("bank", "http://bank/open?box=7", await steal(), "/open")).toBe("audience");
  });

  test.each<[string, string, RequestInit, string]>([
    ["for another box", "http://vault/open?box=8", {}, "proof"],
    ["for another path", "http://vault/open/all?box=7", {}, "proof"],
    ["with a question mark more", "http://vault/open?box=7?", {}, "proof"],
    ["by another method", url, { method: "PUT" }, "proof"],
    ["with another body", url, { body: "lead" }, "digest"],
    ["without a body", url, { body: null }, "digest"],
  ])("is refused %s", async (_how, at, changed, step) => {
    const stolen = await steal();
    expect(await refusedAt("vault", at, { ...stolen, ...changed }, new URL(at).pathname)).toBe(step);
  });

  test.each<[string, string | null, string]>([
    ["content-digest", "sha-256=:AAAA:", "proof"],
    ["content-digest", null, "proof"],
    ["content-type", "application/json", "proof"],
    ["tulle-deadline-ms", "86400000", "proof"],
    ["tulle-attempt-credits", "10", "proof"],
    ["tulle-hops", null, "proof"],
    ["tulle-anything", "1", "malformed"],
    ["authorization", "Bearer another", "malformed"],
    ["workload-identity-token", null, "missing"],
    ["signature", null, "missing"],
  ])("is refused with another %s: %s", async (name, text, step) => {
    const stolen = await steal();
    if (text === null) stolen.headers.delete(name);
    else stolen.headers.set(name, text);
    expect(await refusedAt("vault", url, stolen, "/open")).toBe(step);
  });

  test("lends its token to nobody: a proof by another key is refused", async () => {
    const stolen = await steal();
    const other = await mallory.sign({ url, method: "POST", body: "gold", audience: "vault" });
    for (const name of ["signature", "signature-input"])
      stolen.headers.set(name, other.init.headers.get(name) ?? "");
    expect(await refusedAt("vault", url, stolen, "/open")).toMatch(/^(malformed|proof)$/);
  });

  test("is refused when it comes late, and its nonce has long been forgotten", async () => {
    const stolen = await steal();
    await mesh.advance("31s");
    expect(await refusedAt("vault", url, stolen, "/open")).toBe("clock");
  });
});

test("a proof that is made ahead of its time is refused", async () => {
  // The clocks of the mesh were moved on by 31 s above.
  const signed = await mallory.sign({ url: "http://bank/early", audience: "bank", clockMs: 31_000 + 20_000 });
  expect(await refusedAt("bank", signed.url, signed.init, "/early")).toBe("clock");
});
