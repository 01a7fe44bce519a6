import { beforeAll, describe, expect, test } from "vitest";
import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import type { Endpoint } from "../../mesh-runtime/foundation/ports.ts";
import { verifyMessage } from "../../mesh-runtime/identity/proof.ts";
import type { Credential } from "../../mesh-runtime/identity/words.ts";
import { outbound } from "../../mesh-runtime/outbound.ts";
import { meshTraffic } from "../../mesh-runtime/policy/defaults.ts";
import { RetryBudgets } from "../../mesh-runtime/resilience/retried.ts";
import { makeWorld, now, self, verifier, type World } from "../unit/identity/fixture.ts";
import { quietPorts } from "../unit/journeys/quiet-ports.ts";
import { allowAll, policy, service } from "../unit/policy/writing.ts";
import { forge } from "./attacker.ts";
import { isolate, loadedPolicy } from "./journey.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const documents = [
  allowAll(),
  policy("MeshConfig", "mesh", "{trustDomain: example.org}"),
  service("web"),
  service("payments"),
  service("ledger", "{endpoint: {url: https://ledger.example}}"),
];

interface Left {
  readonly response: Response;
  /** All that left, one for each try. */
  readonly sent: readonly { readonly endpoint: Endpoint; readonly request: Request }[];
  /** What was believed of the answers. */
  readonly heard: readonly string[];
}

/** A call of `default/web` through the whole outbound journey, and what somebody answers. */
async function leave(
  host: string,
  headers: Readonly<Record<string, string>>,
  answer: () => Response = () => new Response("ok"),
  body: Uint8Array | null = null,
  credential: Credential | undefined = world.credential,
  asked: { readonly method?: string; readonly target?: string } = {},
): Promise<Left> {
  const loaded = await loadedPolicy((snapshot) => snapshot, documents, "default/web");
  const target = loaded.destinationByHost(host);
  if (target === undefined) throw new Error(`nobody is ${host}`);
  const sent: { endpoint: Endpoint; request: Request }[] = [];
  const heard: string[] = [];
  let nonces = 0;
  const journey = outbound(
    quietPorts(loaded, {
      clock: { now: () => now },
      budgets: new RetryBudgets(() => 0.99),
      credential: () => credential,
      nonce: () => `departure-${nonces++}`,
      transport: {
        send: async (endpoint, request) => {
          sent.push({ endpoint, request });
          return answer();
        },
        vouchesFor: ({ kind }) => kind === "binding",
      },
      hear: (epoch, circuits) => heard.push(...[epoch, circuits].filter((said) => said !== null)),
    }),
  );
  const response = await journey({
    message: {
      url: new URL(`http://${host}${asked.target ?? "/charge?x=1"}`),
      method: asked.method ?? "POST",
      headers: new Fields(new Headers(headers)),
      body,
    },
    signal: undefined,
    cause: undefined,
    startedAt: now,
    background: { run: () => undefined },
    target,
    traffic: meshTraffic,
    policy: loaded,
  });
  return { response, sent, heard };
}

const only = ({ sent }: Left): Request => {
  const [first] = sent;
  if (first === undefined || sent.length !== 1) throw new Error(`${sent.length} requests left`);
  return first.request;
};

describe("nothing forged leaves", () => {
  test("77: what proves a caller is not passed on, though an application copies every header", async () => {
    const arriving = await forge(world, {
      headers: { "x-spiffe-id": "spiffe://example.org/ns/default/sa/admin", "txn-token": "t" },
    });
    const copied = Object.fromEntries(arriving.headers);
    const request = only(await leave("payments", copied));
    expect(request.headers.get("signature")).not.toBe(copied.signature);
    expect(request.headers.get("signature-input")).not.toContain("attack");
    for (const name of ["x-spiffe-id", "txn-token"]) expect(request.headers.has(name)).toBe(false);
    // It is the caller's own proof, for this callee alone.
    const { method, url, headers } = request;
    const verified = await verifyMessage({ method, url, headers }, verifier(world));
    expect(verified).toMatchObject({ ok: true, value: { caller: { id: { uri: world.credential.id.uri } } } });
    const elsewhere = verifier(world, { audience: self.replace("payments", "ledger") });
    expect(await verifyMessage({ method, url, headers }, elsewhere)).toMatchObject({
      ok: false,
      reason: { step: "audience" },
    });
  });

  test("44: a digest that an application wrote does not leave: the mesh's own does", async () => {
    const request = only(
      await leave(
        "payments",
        { "content-digest": "sha-256=:AAAA:" },
        undefined,
        new TextEncoder().encode("amount=3"),
      ),
    );
    expect(request.headers.get("content-digest")).toBe(
      "sha-256=:sJB/9efbJMQTlvJ0LgV4yBGUn/QChdx7OSzAHJivK9M=:",
    );
    const bodiless = only(await leave("payments", { "content-digest": "sha-256=:AAAA:" }));
    expect(bodiless.headers.has("content-digest")).toBe(false);
  });

  test("81: what leaves arrives, body and all, and with any covered header changed on the way does not", async () => {
    const request = only(
      await leave(
        "payments",
        { "content-type": "text/plain", authorization: "Bearer app" },
        undefined,
        new TextEncoder().encode("amount=3"),
      ),
    );
    const bytes = await request.arrayBuffer();
    const covered = [...request.headers.keys()].filter((name) =>
      request.headers.get("signature-input")?.includes(`"${name}"`),
    );
    expect(covered).toEqual(
      expect.arrayContaining(["authorization", "content-digest", "content-type", "workload-identity-token"]),
    );
    const arrive = async (change: (headers: Headers) => void) => {
      const headers = new Headers(request.headers);
      change(headers);
      const at = isolate(await loadedPolicy(), () => world.bundle);
      return at.arrive(new Request(request.url, { method: request.method, headers, body: bytes }));
    };
    expect((await arrive(() => undefined)).status).toBe(200);
    for (const name of covered) {
      for (const change of [
        (headers: Headers) => headers.delete(name),
        (headers: Headers) => headers.set(name, "x"),
        (headers: Headers) => headers.append(name, "x"),
      ]) {
        const seen = await arrive(change);
        expect([name, seen.status, seen.handled]).toEqual([name, 400, undefined]);
      }
    }
  });

  test("61: each try has a proof of its own, and none is told from the last one's", async () => {
    let tries = 0;
    const refusesOnce = () =>
      tries++ === 0
        ? new Response("{}", {
            status: 503,
            headers: { "tulle-problem": "mesh-not-ready", "tulle-attempt-credits": "9" },
          })
        : new Response("ok");
    const { response, sent } = await leave("payments", {}, refusesOnce);
    expect([response.status, sent.length]).toEqual([200, 2]);
    for (const name of ["signature", "signature-input"]) {
      const [first, second] = sent.map(({ request }) => request.headers.get(name));
      expect(first).not.toBe(second);
      expect(second).toMatch(/^wimse=[^,]*$/);
    }
    const by = verifier(world);
    for (const { request } of sent) {
      const { method, url, headers } = request;
      expect(await verifyMessage({ method, url, headers }, by)).toMatchObject({ ok: true });
    }
  });

  test.each(["payments", "ledger"])(
    "34: what leaves is for %s, whom policy names, whatever host the application writes",
    async (name) => {
      const headers = {
        host: "evil.example",
        "x-forwarded-host": "evil.example",
        forwarded: "host=evil.example",
      };
      const input = only(await leave(name, headers)).headers.get("signature-input");
      expect(input).toContain(`;wimse-aud="${self.replace("payments", name)}"`);
    },
  );

  test.each([
    "/",
    "/?",
    "/a?",
    "/a//b",
    "/a/../b",
    "/%61?b=%20c+d&b",
    "/a%2Fb;x=1",
    "/caf\u00e9?\u00fc=\u00e4",
    "/a#fragment",
    "/a?b#c?d",
    `/${"a".repeat(2_000)}?${"b=1&".repeat(500)}`,
  ])("41, 42: what is signed is what is sent, to the byte: %s", async (target) => {
    for (const method of ["GET", "PUT", "PATCH", "OPTIONS"]) {
      const asked = { method, target };
      const request = only(await leave("payments", {}, undefined, null, world.credential, asked));
      const { url, headers } = request;
      expect(request.method).toBe(method);
      const verified = await verifyMessage({ method, url, headers }, verifier(world));
      expect([method, verified.ok]).toEqual([method, true]);
    }
  });

  test.each<readonly [string, Readonly<Record<string, string>>, string]>([
    ["38: a control character in a covered value", { "content-type": "text/plain\u0001" }, "POST"],
    ["38: a letter outside of ASCII in a covered value", { "content-type": "text/caf\u00e9" }, "POST"],
    ["40: a method in lower case, which runtimes write differently", {}, "patch"],
  ])(
    "%s: what two could read differently does not leave, signed or unsigned",
    async (_what, headers, method) => {
      const left = await leave("payments", headers, undefined, null, world.credential, { method });
      expect([left.response.status, left.sent.length]).toEqual([500, 0]);
      expect(await left.response.text()).not.toContain("caf");
    },
  );

  test("23: without a credential, or with one that has run out, nothing leaves", async () => {
    const old = await leave("payments", {}, undefined, null, { ...world.credential, expiresAt: now });
    expect([old.response.status, old.sent.length]).toEqual([503, 0]);
  });

  test("no key leaves, in no header and by no export", async () => {
    const request = only(await leave("ledger", {}));
    expect(JSON.stringify([...request.headers])).not.toMatch(/"d"|privateKey/);
    for (const format of ["jwk", "pkcs8"] as const)
      await expect(crypto.subtle.exportKey(format, world.credential.privateKey)).rejects.toThrow();
  });
});

describe("nothing forged is believed", () => {
  const lies = { "tulle-epoch": "999", "tulle-circuits": "default/payments;open" };

  test("50: a redirect is handed back as it is, and no proof is sent anywhere else", async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const answer = () =>
        new Response(null, { status, headers: { location: "https://evil.example/charge" } });
      const left = await leave("ledger", {}, answer);
      expect(only(left).redirect).toBe("manual");
      expect(left.response.status).toBe(status);
      expect(left.sent.map(({ endpoint }) => endpoint)).toEqual([
        { kind: "url", url: expect.stringContaining("ledger.example") },
      ]);
    }
  });

  test("49: who answers at an address is not heard about the mesh; who answers at a binding is", async () => {
    const answer = () => new Response("ok", { headers: lies });
    expect((await leave("ledger", {}, answer)).heard).toEqual([]);
    expect((await leave("payments", {}, answer)).heard).toEqual(["999", "default/payments;open"]);
  });
});
