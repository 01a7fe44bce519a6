import { reset } from "cloudflare:test";
import type { IssuedSessionKey } from "@tulle/mesh-runtime/identity/session-keys.ts";
import { importSessionKeys } from "@tulle/mesh-runtime/identity/session-keys.ts";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { sessionKeysFor } from "../../../control/issuer/session-keys.ts";
import { api, apply, joined, joinRequest, service, workload } from "../support.ts";

const payments = "spiffe://mesh.local/ns/default/sa/payments";
const drawing = {
  secret: "a secret of thirty-two characters",
  since: 0,
  now: 1_790_000_000_000,
  ttlMs: 3_600_000,
};
const names = (keys: readonly IssuedSessionKey[] = []) => keys.map(({ publicKey }) => publicKey);

describe("the keys that callers agree sessions with", () => {
  test("are the same for every isolate of a service in the same hour, and each hour has its own", async () => {
    const [first, again] = [await sessionKeysFor(payments, drawing), await sessionKeysFor(payments, drawing)];
    expect(again).toEqual(first);
    expect(new Set(names(first)).size).toBe(first.length);
    const later = await sessionKeysFor(payments, { ...drawing, now: drawing.now + 3_600_000 });
    expect(names(later).slice(0, -1)).toEqual(names(first).slice(1));
  });

  test("are of the hour before, of this one, and of all that the token lives through, without a gap", async () => {
    const hour = 3_600_000;
    const start = Math.floor(drawing.now / hour) * hour;
    for (const [ttlMs, hours] of [
      [600_000, 2],
      [hour, 3],
      [4 * hour, 6],
    ] as const) {
      const keys = await sessionKeysFor(payments, { ...drawing, now: start + 100_000, ttlMs });
      expect(keys.map(({ from, until }) => [from, until])).toEqual(
        Array.from({ length: hours }, (_, index) => [start + (index - 1) * hour, start + index * hour]),
      );
    }
  });

  test.each([
    ["another service", "spiffe://mesh.local/ns/default/sa/payments2", {}],
    ["another secret", payments, { secret: "another secret, also long enough." }],
    ["an identity that was revoked in between", payments, { since: 1_789_999_999_999 }],
  ])("are others for %s", async (_, id, change) => {
    const theirs = names(await sessionKeysFor(id, { ...drawing, ...change }));
    for (const name of names(await sessionKeysFor(payments, drawing))) expect(theirs).not.toContain(name);
  });

  test("are what a runtime can import, and both halves belong together", async () => {
    const issued = await sessionKeysFor(payments, drawing);
    const keys = await importSessionKeys(issued);
    expect(keys.map(({ name }) => name)).toEqual(names(issued));
    const algorithm = { name: "X25519" };
    const other = (await crypto.subtle.generateKey(algorithm, true, ["deriveBits"])) as CryptoKeyPair;
    const [key] = keys;
    if (key === undefined) throw new Error("there is no key");
    const theirs = await crypto.subtle.importKey("raw", key.publicKey, algorithm, false, []);
    const agree = (ours: CryptoKey, $public: CryptoKey) =>
      crypto.subtle.deriveBits({ name: "X25519", public: $public } as { name: string }, ours, 256);
    const [one, two] = [await agree(other.privateKey, theirs), await agree(key.privateKey, other.publicKey)];
    expect(new Uint8Array(one)).toEqual(new Uint8Array(two));
  });
});

describe("who joins over a binding", () => {
  beforeEach(async () => {
    await reset();
    await apply(service("web"), service("payments"));
  });
  const join = async (name: string) => joined(await workload({ service: name }).join(await joinRequest()));

  test("is given its own service's keys, as every other isolate of it", async () => {
    const [one, two, other] = [await join("payments"), await join("payments"), await join("web")];
    expect(one.sessionKeys?.length).toBeGreaterThan(1);
    expect(one.sessionKeys).toEqual(two.sessionKeys);
    for (const name of names(other.sessionKeys)) expect(names(one.sessionKeys)).not.toContain(name);
  });

  test("is given others once its identity was revoked and that was lifted", async () => {
    const before = names((await join("payments")).sessionKeys);
    const what = { spiffeId: payments, reason: "stolen" };
    expect((await api("POST", "/api/identity/revocations", what)).status).toBe(200);
    const lifted = await api("POST", "/api/identity/revocations/lift", { spiffeId: payments });
    expect(lifted.status).toBe(200);
    for (const name of names((await join("payments")).sessionKeys)) expect(before).not.toContain(name);
  });

  test("and is revoked while its token is signed, is given none, although that was lifted: those are for who comes after", async () => {
    const before = names((await join("payments")).sessionKeys);
    const request = await joinRequest();
    const sign = crypto.subtle.sign.bind(crypto.subtle);
    const signing = vi.spyOn(crypto.subtle, "sign").mockImplementationOnce(async (...given) => {
      await api("POST", "/api/identity/revocations", { spiffeId: payments, reason: "stolen" });
      await api("POST", "/api/identity/revocations/lift", { spiffeId: payments });
      return sign(...given);
    });
    const late = await workload({ service: "payments" }).join(request);
    signing.mockRestore();
    expect(late).toMatchObject({ ok: false, reason: "revoked" });
    for (const name of names((await join("payments")).sessionKeys)) expect(before).not.toContain(name);
  });
});
