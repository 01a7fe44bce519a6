import { expect, test } from "vitest";
import { httpControl } from "../../../mesh-runtime/adapters/web/control-client.ts";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import { workloadId } from "../../../mesh-runtime/identity/spiffe-id.ts";
import type { ReportRequest } from "../../../mesh-runtime/workload-contract.ts";

const request: ReportRequest = {
  version: 1,
  isolate: "isolate",
  workload: "default/outer",
  id: "report",
  epoch: 1,
  digest: "d",
  bundleSequence: 1,
  circuits: [],
  edges: [],
  spans: [],
  counters: {},
};

const declined = { ok: false, reason: "bad-token", detail: "It was used.", remedy: "Make a new one." };
const problem = "application/problem+json";

/** Control as it would be if it answered so. */
const answering = (response: Response, seen: Request[] = []) =>
  httpControl({
    url: "https://control.example.com",
    credential: () => undefined,
    fetch: async (input, init) => {
      seen.push(new Request(input, init));
      return response;
    },
    now: () => 0,
    nonce: () => "nonce",
  });

const answered = (status: number, body: unknown, type: string): Response =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), {
    status,
    headers: { "content-type": type },
  });

test("a verb is a POST of its request to control, without a signature while there is no credential", async () => {
  const seen: Request[] = [];
  const answer = { ok: true, epoch: 1, circuits: [], nextReportMs: 5_000 };
  const control = answering(answered(200, answer, "application/json"), seen);
  expect(await control.report(request)).toEqual(answer);
  const [sent] = seen;
  expect([sent?.method, sent?.url]).toEqual(["POST", "https://control.example.com/workload/report"]);
  expect(sent?.headers.has("signature")).toBe(false);
  expect(await sent?.json()).toEqual(request);
});

test("whether a proof was used is asked over HTTP as over a binding", async () => {
  const seen: Request[] = [];
  const answer = { ok: true, verdict: "repeated", watch: "w-1" };
  const question = { version: 1, workload: "default/outer", sender: "s", nonce: "n", created: 1, expires: 2 };
  const control = answering(answered(200, answer, "application/json"), seen);
  expect(await control.admit({ ...question, watch: "" })).toEqual(answer);
  expect(seen[0]?.url).toBe("https://control.example.com/workload/admit");
  // A control from before has no such verb.
  await expect(answering(answered(404, "", "text/plain")).admit({ ...question, watch: "" })).rejects.toThrow(
    "control answered 404 to admit",
  );
});

test("what control declines is read as it is over RPC, whatever the status", async () => {
  const body = { type: "https://tulle.dev/problems/declined", title: "…", status: 400, ...declined };
  for (const status of [400, 403, 503]) {
    const control = answering(answered(status, body, `${problem}; charset=utf-8`));
    expect(await control.report(request)).toEqual(declined);
  }
});

test.each([
  ["a redirect", new Response(null, { status: 302, headers: { location: "https://elsewhere.example/" } })],
  ["a proxy's page", answered(502, "<h1>Bad gateway</h1>", "text/html")],
  ["somebody else's JSON", answered(400, declined, "application/json")],
  ["another problem", answered(413, { type: "about:blank", status: 413 }, problem)],
  ["a reason that the contract does not have", answered(400, { ...declined, reason: "toString" }, problem)],
  ["a problem that agrees", answered(400, { ...declined, ok: true }, problem)],
  ["a problem that is no object", answered(400, "null", problem)],
])("%s is silence, and not control's word", async (_, response) => {
  await expect(answering(response).report(request)).rejects.toThrow(
    `control answered ${response.status} to report`,
  );
});

test("a join for which the platform vouches goes unsigned, so that a credential that ended is no obstacle", async () => {
  const { publicJwk, privateKey } = await generateKeys();
  const id = workloadId("mesh.local", "default", "outer");
  const credential = { id, publicJwk, privateKey, wit: "a.b.c", issuedAt: 0, expiresAt: 1e12, renewAt: 0 };
  const seen: Request[] = [];
  const control = httpControl({
    url: "https://control.example.com",
    credential: () => credential,
    fetch: async (input, init) => {
      seen.push(new Request(input, init));
      return Response.json({ ok: true });
    },
    now: () => 1_790_000_000_000,
    nonce: () => "nonce",
  });
  const join = { version: 1, isolate: "i", publicJwk, possession: "p", workload: "default/outer" };
  await control.join(join);
  await control.join({ ...join, idToken: "token" });
  expect(seen.map(({ headers }) => headers.has("signature"))).toEqual([true, false]);
});

test("who answers a join over a network gives nobody a key to believe callers by, unless it is sealed", async () => {
  const { publicJwk } = await generateKeys();
  const answer = {
    ok: true,
    trustDomain: "example.org",
    wit: "w",
    rootJwk: publicJwk,
    bundle: "b",
    head: "h",
  };
  const sealed = { sealedSessionKeys: "a.b.c" };
  const keys = [{ publicKey: "A".repeat(43), secret: "A".repeat(43), from: 0, until: 1 }];
  const control = answering(
    answered(200, { ...answer, ...sealed, circuits: [], sessionKeys: keys }, "application/json"),
  );
  const join = { version: 1, isolate: "isolate", publicJwk, possession: "p", workload: "default/outer" };
  expect(await control.join(join)).toEqual({ ...answer, ...sealed, circuits: [] });
});
