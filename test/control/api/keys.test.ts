import { evictAllDurableObjects, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { generateKeys, jwkThumbprint } from "@tulle/mesh-runtime/identity/credential.ts";
import type { ReportRequest } from "@tulle/mesh-runtime/workload-contract.ts";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type {
  AuditAnswer,
  CheckAnswer,
  IdentitiesAnswer,
  KeysAnswer,
  RevocationsAnswer,
} from "../../../control/api/contract.ts";
import { sentences } from "../../../control/api/root-readiness.ts";
import { api, apply, joined, joinRequest, reportRequest, service, workload } from "../support.ts";

beforeEach(async () => {
  await reset();
  await apply(service("web"));
});
afterEach(() => vi.useRealTimers());

const day = 86_400_000;
const web = "spiffe://mesh.local/ns/default/sa/web";
const viewer = "viewer-token-of-the-tests-0123456789";
const join = async (change: Parameters<typeof joinRequest>[0] = {}) =>
  workload({ service: "web" }).join(await joinRequest(change));
const payload = (jws: string) => decodeJwt(jws) as unknown as Record<string, unknown>;
const inForce = async () => payload((await env.POLICIES.get("bundle")) ?? "");

describe("the keys", () => {
  const list = async () => (await api<KeysAnswer>("GET", "/api/keys")).body;

  test("are listed with their state, and nothing of their private halves", async () => {
    const { status, body } = await api<KeysAnswer>("GET", "/api/keys", undefined, viewer);
    expect(status).toBe(200);
    expect(body.keys.map(({ use, state }) => `${use} ${state}`)).toEqual(["signing active", "root active"]);
    expect(body).toMatchObject({ rotationMs: 30 * 86_400_000, bundle: { sequence: 1 } });
    expect(JSON.stringify(body)).not.toMatch(/"d"|wrapped/);
  });

  test("are rotated on demand: the next one is published at once, in KV too, and signs later", async () => {
    const before = decodeProtectedHeader(joined(await join()).wit).kid;
    const { status, body } = await api<KeysAnswer>("POST", "/api/keys/rotate");
    expect([status, body.keys.map(({ state }) => state)]).toEqual([200, ["active", "prepared", "active"]]);
    expect(await inForce()).toMatchObject({ sequence: 2, keys: [{}, {}] });
    expect(decodeProtectedHeader(joined(await join()).wit).kid).toBe(before);
  });

  test("are taken out at once when one leaked, and a report brings the bundle that says so", async () => {
    const kid = String(decodeProtectedHeader(joined(await join()).wit).kid);
    const { body } = await api<KeysAnswer>("POST", "/api/keys/revoke", { kid });
    expect(body.keys.map((key) => key.kid)).not.toContain(kid);
    expect(decodeProtectedHeader(joined(await join()).wit).kid).toBe(body.keys[0]?.kid);
    const answer = await workload({ service: "web" }).report(
      reportRequest("default/web", { bundleSequence: 1 }),
    );
    expect(answer.ok && answer.bundle !== undefined && payload(answer.bundle)).toMatchObject({ sequence: 2 });
  });

  test("are changed by an admin alone, and only if they are there", async () => {
    for (const path of ["/api/keys/rotate", "/api/keys/revoke"])
      expect((await api("POST", path, {}, viewer)).status).toBe(403);
    expect((await api("POST", "/api/keys/revoke", { kid: "nobody" })).status).toBe(404);
    expect((await api("POST", "/api/keys/rotate", { key: "root", activate: true })).status).toBe(400);
    expect((await api("POST", "/api/keys/rotate", { activate: true })).status).toBe(400);
    expect((await list()).bundle.sequence).toBe(1);
  });

  test("of the root roll in two steps, and every head is then signed by the new one", async () => {
    const prepared = await api<KeysAnswer>("POST", "/api/keys/rotate", { key: "root" });
    const roots = prepared.body.keys.filter(({ use }) => use === "root");
    expect(roots.map(({ state }) => state)).toEqual(["active", "prepared"]);
    const { rootKeys } = (await api<CheckAnswer>("GET", "/api/check")).body;
    expect(rootKeys).toEqual(roots.map(({ publicJwk }) => publicJwk));
    vi.setSystemTime(Date.now() + day);
    await api("POST", "/api/keys/rotate", { key: "root", activate: true });
    const next = roots[1];
    expect(joined(await join()).rootJwk).toEqual(next?.publicJwk);
    for (const key of ["bundle", "heads/default/web"])
      expect(decodeProtectedHeader((await env.POLICIES.get(key)) ?? "").kid).toBe(next?.kid);
  });
});

describe("the next root key", () => {
  const activate = (more: object = {}) =>
    api<KeysAnswer & { type: string; detail: string }>("POST", "/api/keys/rotate", {
      key: "root",
      activate: true,
      ...more,
    });
  const prepare = async () => {
    const { body } = await api<KeysAnswer>("POST", "/api/keys/rotate", { key: "root" });
    return String(body.keys.find(({ use, state }) => use === "root" && state === "prepared")?.publicJwk?.x);
  };
  const report = (change: Partial<ReportRequest> = {}) =>
    workload({ service: "web" }).report(reportRequest("default/web", change));
  const checked = async () =>
    (await api<CheckAnswer>("GET", "/api/check")).body.checks.find(({ name }) => name === "signing keys")
      ?.detail;
  const outcome = async (more?: object): Promise<string> => {
    const { status, body } = await activate(more);
    return status === 200 ? "activated" : `${status} ${body.detail}`;
  };

  test("may not sign until every bundle that does not name it has ended, and the list says when", async () => {
    const now = Date.now();
    vi.setSystemTime(now);
    await prepare();
    const { keys } = (await api<KeysAnswer>("GET", "/api/keys")).body;
    expect(keys.at(-1)).toMatchObject({
      since: new Date(now).toISOString(),
      movesAt: new Date(now + day).toISOString(),
    });
    vi.setSystemTime(now + day - 1);
    expect(await outcome()).toMatch(/^409 It is published since .*--activate --force/);
    expect((await activate()).body.type).toMatch(/root-unknown$/);
    vi.setSystemTime(now + day);
    expect(await outcome()).toBe("activated");
  });

  test("may not sign while an isolate reports and does not say that it believes it", async () => {
    const x = await prepare();
    vi.setSystemTime(Date.now() + day);
    await report({ isolate: "unpinned", nextRoot: x });
    await report({ isolate: "pinned" });
    expect(await outcome()).toMatch(/^409 default\/web report that they run .*TULLE_ROOT/);
    await report({ isolate: "pinned", nextRoot: "A".repeat(43) });
    expect(await outcome()).toMatch(/^409/);
    expect(await checked()).toMatch(/waits to be activated\. default\/web report/);
    await report({ isolate: "pinned", nextRoot: x });
    expect(await checked()).toMatch(/may be activated/);
    expect(await outcome()).toBe("activated");
    expect(await checked()).not.toMatch(/root key/);
  });

  test("may not sign while a service has not reported since it was published, however long ago that was", async () => {
    await report();
    vi.setSystemTime(Date.now() + 1);
    const x = await prepare();
    vi.setSystemTime(Date.now() + 30 * day);
    expect(await outcome()).toMatch(/^409 default\/web have not reported since .* Send each a request/);
    await evictAllDurableObjects();
    expect(await outcome()).toMatch(/^409 default\/web have not reported/);
    await report({ nextRoot: x });
    vi.setSystemTime(Date.now() + day);
    await evictAllDurableObjects();
    expect(await outcome()).toBe("activated");
  });

  test("signs by force whoever is locked out, and the log tells that it was forced", async () => {
    await report();
    await prepare();
    expect(await outcome()).toMatch(/^409/);
    expect(await outcome({ force: true })).toBe("activated");
    const { entries } = (await api<AuditAnswer>("GET", "/api/audit")).body;
    const reasons = entries.filter(({ action }) => action === "keys.rotate").map(({ reason }) => reason);
    expect(reasons).toEqual(["prepare-root", "roll-root by force"]);
    expect((await api("POST", "/api/keys/rotate", { key: "root", force: true })).status).toBe(400);
  });

  test("is refused with the names of ten services, and the number of the others", () => {
    const standings = Array.from({ length: 13 }, (_, n) => ({
      service: `default/s${n}`,
      standing: { lacking: 1, lastSeenAt: 5 },
    }));
    const [said] = sentences(standings, 4);
    expect(said).toMatch(/^default\/s0, .*default\/s9, 3 more report/);
    const unknown = sentences([{ service: "default/a", standing: undefined }], 4);
    expect(unknown).toEqual([expect.stringMatching(/^default\/a could not be asked/)]);
    expect(sentences([{ service: "default/a", standing: { lacking: 0, lastSeenAt: 1 } }], 4)).toEqual([]);
  });
});

describe("heads", () => {
  test("end after seven days, and are signed anew before, in KV too", async () => {
    const signed = async () => payload((await env.POLICIES.get("heads/default/web")) ?? "");
    const first = await signed();
    expect(Number(first.exp) - Number(first.iat)).toBe(7 * 86_400);
    vi.setSystemTime(Date.now() + 3.6 * 86_400_000);
    await api("POST", "/api/sync", {});
    expect(Number((await signed()).exp)).toBeGreaterThan(Number(first.exp));
  });
});

describe("revocations", () => {
  const revoke = (body: object) => api<RevocationsAnswer>("POST", "/api/identity/revocations", body);
  const lift = (body: object) => api<RevocationsAnswer>("POST", "/api/identity/revocations/lift", body);

  test("of an identity stand in the bundle, and nothing is issued to it until they are lifted", async () => {
    const { iat } = payload(joined(await join()).wit);
    const { body } = await revoke({ spiffeId: web, reason: "leaked" });
    expect(body.revoked).toMatchObject([{ kind: "spiffeId", value: web, by: "operator", reason: "leaked" }]);
    const [entry] = (await inForce()).revoked as { sub: string; before: number }[];
    expect(entry).toEqual({ sub: web, before: expect.any(Number) });
    expect(entry?.before).toBeGreaterThan(Number(iat));
    expect(await join()).toMatchObject({
      ok: false,
      reason: "revoked",
      detail: expect.stringContaining(web),
    });

    const lifted = await lift({ spiffeId: web });
    expect(lifted.body.revoked).toMatchObject([{ value: web, liftedAt: expect.any(String) }]);
    expect(joined(await join()).ok).toBe(true);
    expect((await inForce()).revoked).toEqual([entry]);
  });

  test("of a key stop that key alone", async () => {
    const keys = await generateKeys();
    joined(await join({ keys }));
    const thumbprint = await jwkThumbprint(keys.publicJwk);
    await revoke({ thumbprint });
    expect((await inForce()).revoked).toEqual([{ jkt: thumbprint }]);
    expect(await join({ keys })).toMatchObject({ ok: false, reason: "revoked" });
    expect(joined(await join()).ok).toBe(true);
    await lift({ thumbprint });
    expect((await inForce()).revoked).toEqual([]);
    expect(joined(await join({ keys })).ok).toBe(true);
  });

  test("of a token stand in the bundle until no such token can be alive", async () => {
    const { jti } = payload(joined(await join()).wit);
    await revoke({ jti });
    expect((await inForce()).revoked).toEqual([{ jti }]);
    vi.setSystemTime(Date.now() + 86_400_000 + 61_000);
    await api("POST", "/api/sync", {});
    expect((await inForce()).revoked).toEqual([]);
  });

  test.each([
    ["nothing", {}],
    ["two things", { jti: "a", thumbprint: "A".repeat(43) }],
    ["no SPIFFE ID", { spiffeId: "https://example.org" }],
    ["one of another trust domain", { spiffeId: "spiffe://other.example/ns/default/sa/web" }],
    ["a short thumbprint", { thumbprint: "AAAA" }],
    ["an empty token id", { jti: "" }],
  ])("of %s are refused", async (_, body) => {
    expect((await revoke(body)).status).toBe(400);
    expect((await api<RevocationsAnswer>("GET", "/api/identity/revocations")).body.revoked).toEqual([]);
  });

  test("are made and lifted by an admin alone, and what is not revoked cannot be lifted", async () => {
    for (const path of ["/api/identity/revocations", "/api/identity/revocations/lift"])
      expect((await api("POST", path, { jti: "a" }, viewer)).status).toBe(403);
    expect((await lift({ jti: "a" })).status).toBe(404);
  });
});

test("whoever changes keys or revokes stands in the audit log", async () => {
  const { body } = await api<KeysAnswer>("POST", "/api/keys/rotate");
  await api("POST", "/api/keys/revoke", { kid: body.keys[0]?.kid });
  await api("POST", "/api/identity/revocations", { spiffeId: web, reason: "stolen" });
  await api("POST", "/api/identity/revocations/lift", { spiffeId: web });
  const { entries } = (await api<AuditAnswer>("GET", "/api/audit?newest=1&limit=4")).body;
  expect(entries.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
    "identity.lift done",
    "identity.revoke done",
    "keys.revoke done",
    "keys.rotate done",
  ]);
  expect(JSON.stringify(entries)).toContain(web);
});

test("identities are listed with what was issued to them, and whether they are revoked", async () => {
  await join();
  await join();
  const list = async () =>
    (await api<IdentitiesAnswer>("GET", "/api/identity", undefined, viewer)).body.identities;
  expect(await list()).toEqual([
    {
      service: "default/web",
      spiffeId: web,
      issued: 2,
      lastIssuedAt: expect.any(String),
      revoked: false,
      attestors: ["binding", "join-token"],
      registered: false,
    },
  ]);
  await api("POST", "/api/identity/revocations", { spiffeId: web });
  expect(await list()).toMatchObject([{ revoked: true }]);
  const later = "spiffe://mesh.local/ns/default/sa/later";
  await api("POST", "/api/identity/entries", { spiffeId: later, attestor: "join-token" });
  expect((await list()).slice(1)).toEqual([
    { service: "", spiffeId: later, issued: 0, revoked: false, attestors: ["join-token"], registered: true },
  ]);
});
