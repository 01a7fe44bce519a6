import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePorts } from "../../bench/support.ts";
import { AccessLog } from "../support/access-log.ts";
import { type Insider, joinAs, type Signing } from "../support/insider.ts";
import { type Bytes, type RawReply, written } from "../support/raw-socket.ts";
import type { Entry } from "./workers/ledger-words.ts";

/*
 * What no `fetch` would send: trailers, bodies on a GET, names that are none, heads without end. An attacker writes it
 * on a socket of a real workerd, or comes over a binding, past every shim, with proofs by the key of a real member.
 */

const everybody = `
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
const entry = fileURLToPath(new URL("workers/ledger.ts", import.meta.url));
const [port = 0] = await freePorts(1);
const log = new AccessLog();
let mesh: TestMesh;
let mallory: Insider;

beforeAll(async () => {
  mesh = await startMesh({
    services: { web: { fetch: () => new Response("web") }, ledger: { entry, port } },
    policies: [everybody],
    onLog: log.take,
  });
  mallory = await joinAs(mesh, "web");
});
afterAll(() => mesh?.dispose());

type Door = (request: Bytes) => Promise<Pick<RawReply, "status" | "text">>;

const overSocket: Door = (request) => written(port, request);
/** From a worker that has a binding and no shim, to the ledger. */
const overBinding: Door = async ({ method, target, lines, body }) => {
  const headers = new Headers(lines.map(([name, value]): [string, string] => [name, value]));
  // As bytes: a text would bring a type with it.
  const init = { method, headers, ...(body === undefined ? {} : { body: new TextEncoder().encode(body) }) };
  const response = await mesh.raw("ledger").fetch(`http://ledger${target}`, init);
  return { status: response.status, text: await response.text() };
};

let targets = 0;
/** A sound request, with a target of its own, signed by whoever it is. */
async function signed(what: Partial<Signing> = {}, by = mallory): Promise<Bytes> {
  const { body } = what;
  const target = `/entries/${targets++}`;
  const { init } = await by.sign({ audience: "ledger", ...what, url: `http://ledger${target}` });
  return {
    method: init.method,
    target,
    lines: [...init.headers],
    ...(body === undefined ? {} : { body }),
  };
}

const entryOf = ({ status, text }: Pick<RawReply, "status" | "text">): Entry => {
  expect(status).toBe(200);
  return JSON.parse(text) as Entry;
};
/** What the ledger has had to do until now, this one sound request included. */
const asked = async (): Promise<Entry> => entryOf(await overSocket(await signed()));

const refusal = {
  type: "https://tulle.dev/problems/unidentified",
  title: "The caller's workload identity could not be verified",
  status: 400,
};

/** Delivers what must not get in: 400, the one answer for all, the application not called, and the operator told why. */
async function expectRefused(door: Door, request: Bytes, step: string): Promise<void> {
  const { runs } = await asked();
  const { status, text } = await door(request);
  expect(status).toBe(400);
  // The answer to a HEAD has no body.
  if (request.method !== "HEAD") expect(JSON.parse(text)).toEqual(refusal);
  expect((await asked()).runs).toBe(runs + 1);
  const { reason } = await log.record(({ path }) => path === request.target);
  expect(reason).toMatch(new RegExp(`^step=${step} `));
}

describe("44: a body", () => {
  const doors: readonly (readonly [string, Door])[] = [
    ["over a binding", overBinding],
    ["on a socket", overSocket],
  ];

  test.each(doors)("that is the signed one gets in, %s", async (_, door) => {
    expect(entryOf(await door(await signed({ method: "POST", body: "gold" }))).body).toBe("gold");
    expect(entryOf(await door(await signed({ method: "POST", body: "" }))).body).toBe("");
    expect(entryOf(await door(await signed({ method: "DELETE", body: "gold" }))).body).toBe("gold");
  });

  test.each<[what: string, signedFor: string | undefined, sent: string | undefined]>([
    ["another one", "gold", "lead"],
    ["a cut one", "gold", "go"],
    ["one with more behind", "gold", "golden"],
    ["an empty one in its place", "gold", ""],
    ["none in its place", "gold", undefined],
    ["one in the place of an empty one", "", "gold"],
    ["one in the place of none", undefined, "gold"],
  ])("that is %s is refused, over a binding and on a socket", async (_, body, sent) => {
    for (const [, door] of doors) {
      const { body: _signed, ...rest } = await signed({
        method: "POST",
        ...(body === undefined ? {} : { body }),
      });
      await expectRefused(door, sent === undefined ? rest : { ...rest, body: sent }, "digest");
    }
  });

  test.each(["GET", "HEAD"])(
    "on a %s is refused, in one piece or in chunks, signed for or not",
    async (method) => {
      const chunked = { body: "gold", trailers: [] };
      await expectRefused(overSocket, { ...(await signed({ method })), body: "gold" }, "digest");
      await expectRefused(overSocket, { ...(await signed({ method })), ...chunked }, "digest");
      await expectRefused(overSocket, await signed({ method, body: "gold" }), "digest");
    },
  );

  test("on a GET that only says that it is empty is none, and the request gets in", async () => {
    expect(entryOf(await overSocket({ ...(await signed()), body: "" }))).toMatchObject({
      method: "GET",
      body: "",
    });
    expect(entryOf(await overSocket({ ...(await signed()), body: "", trailers: [] })).body).toBe("");
    expect(entryOf(await overSocket(await signed({ body: "" }))).body).toBe("");
  });
});

describe("46: what really comes in trailers", () => {
  test("is no header of a sound request, covered or not: nothing of it reaches the application", async () => {
    const trailers = [
      ["x-late", "1"],
      ["tulle-hops", "1"],
      ["authorization", "Bearer late"],
      ["workload-identity-token", "a.b.c"],
      ["content-digest", "sha-256=:AAAA:"],
    ] as const;
    const names = trailers.map(([name]) => name).join(", ");
    for (const announced of [[], [["trailer", names] as const]]) {
      const { lines, ...request } = await signed({ method: "POST", body: "gold" });
      const sent = { ...request, lines: [...lines, ...announced], trailers };
      const { body, headers } = entryOf(await overSocket(sent));
      expect(body).toBe("gold");
      const { "content-digest": digest, ...others } = headers;
      expect(digest).not.toContain("AAAA");
      for (const name of ["x-late", "tulle-hops", "authorization", "workload-identity-token"])
        expect(others[name]).toBeUndefined();
    }
  });

  test.each([
    ["content-digest", "proof"],
    ["workload-identity-token", "missing"],
    ["signature", "missing"],
    ["signature-input", "missing"],
  ])("is no %s: a request that has its own there, and not in its head, is refused", async (name, step) => {
    for (const announced of [[], [["trailer", name] as const]]) {
      const { lines, ...request } = await signed({ method: "POST", body: "gold" });
      const trailers = lines.filter(([each]) => each === name);
      expect(trailers).toHaveLength(1);
      const head = [...lines.filter(([each]) => each !== name), ...announced];
      await expectRefused(overSocket, { ...request, lines: head, trailers }, step);
    }
  });

  test("is no second request behind the first", async () => {
    const { runs } = await asked();
    const trailers = [["GET /smuggled HTTP/1.1\r\nhost", "ledger"]] as const;
    const { status } = await overSocket({ ...(await signed({ method: "POST", body: "gold" })), trailers });
    expect(status).not.toBe(200);
    expect((await asked()).runs).toBe(runs + 1);
  });
});

describe("29: a header that is called as a derived component", () => {
  test.each(["@method", "@request-target"])("%s reaches nobody: workerd refuses the name", async (name) => {
    const { runs } = await asked();
    const { lines, ...request } = await signed();
    const { status, text } = await overSocket({ ...request, lines: [...lines, [name, "DELETE"]] });
    expect([status, text]).toEqual([400, "invalid HTTP header parsed"]);
    expect((await asked()).runs).toBe(runs + 1);
  });
});

describe("47: a head without measure", () => {
  const many = (count: number, length: number, prefix = "x-") =>
    Array.from({ length: count }, (_, at) => [`${prefix}${at}`, "v".repeat(length)] as const);
  const withMore = async (more: Bytes["lines"]): Promise<Bytes> => {
    const { lines, ...request } = await signed();
    return { ...request, lines: [...lines, ...more] };
  };

  test("of 200 headers beside a sound proof, 100 KB of them, costs no more cryptography than one", async () => {
    const before = await asked();
    const after = entryOf(await overSocket(await withMore(many(200, 500))));
    expect(after.verified).toEqual({ ...before.verified, proofs: before.verified.proofs + 1 });
  });

  test.each<[string, string, () => Promise<Bytes>]>([
    ["of 140 KB beside a sound proof", "malformed", () => withMore(many(140, 1_000))],
    ["of 200 headers of the mesh's own", "malformed", () => withMore(many(200, 1, "tulle-"))],
    [
      "with a Signature-Input of 20 KB",
      "malformed",
      () => withMore([["signature-input", "a,".repeat(10_000)]]),
    ],
    ["with a Signature of 20 KB", "malformed", () => withMore([["signature", "a,".repeat(10_000)]])],
    ["with a token of 20 KB", "malformed", () => withMore([["workload-identity-token", "a".repeat(20_000)]])],
  ])("%s is refused, and nothing is verified for it", async (_, step, request) => {
    const { verified } = await asked();
    await expectRefused(overSocket, await request(), step);
    expect((await asked()).verified).toEqual({ ...verified, proofs: verified.proofs + 3 });
  });

  test("of more than half a megabyte reaches nobody: workerd answers 431", async () => {
    const { runs } = await asked();
    expect((await overSocket(await withMore(many(600, 1_000)))).status).toBe(431);
    expect((await asked()).runs).toBe(runs + 1);
  });
});

describe("70: a token that an isolate has not seen", () => {
  /** Twenty requests of one member, each signed on its own. */
  const twenty = (by: Insider): Promise<Bytes[]> =>
    Promise.all(Array.from({ length: 20 }, () => signed({}, by)));
  const atOnce = (door: Door, requests: readonly Bytes[]): Promise<Entry[]> =>
    Promise.all(requests.map(async (request) => entryOf(await door(request))));

  test.each<[string, Door]>([
    ["over a binding", overBinding],
    ["on sockets", overSocket],
  ])("is verified once when twenty requests bring it at once, %s, and never again", async (_, door) => {
    const member = await joinAs(mesh, "web");
    const { tokens } = (await asked()).verified;
    const [first, later] = [await twenty(member), await twenty(member)];
    await atOnce(door, first);
    expect((await asked()).verified.tokens).toBe(tokens + 1);
    await atOnce(door, later);
    expect((await asked()).verified.tokens).toBe(tokens + 1);
  });

  test("is verified once each when it is junk under a known key, and costs a known caller nothing", async () => {
    const { verified } = await asked();
    const junk = await Promise.all(
      (await twenty(mallory)).map(async ({ lines, ...request }, at) => {
        const [head = "", payload = "", signature = ""] = mallory.credential.wit.split(".");
        const other = `${head}.${payload.slice(0, -2)}${String.fromCharCode(0x41 + at)}A.${signature}`;
        return {
          ...request,
          lines: lines.map(
            ([name, value]) => [name, value === mallory.credential.wit ? other : value] as const,
          ),
        };
      }),
    );
    const answers = await Promise.all(junk.map(overSocket));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(400));
    const after = (await asked()).verified;
    expect(after).toEqual({ tokens: verified.tokens + 20, proofs: verified.proofs + 1 });
  });
});
