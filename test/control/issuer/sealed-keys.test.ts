import { reset } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { contentDigest } from "@tulle/mesh-runtime/identity/content-digest.ts";
import { credentialFrom, generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import { signMessage } from "@tulle/mesh-runtime/identity/proof.ts";
import { importPublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { makeOpener, type Opener } from "@tulle/mesh-runtime/identity/sealed-keys.ts";
import type { IssuedSessionKey } from "@tulle/mesh-runtime/identity/session-keys.ts";
import type { Declined, JoinAnswer, JoinRequest } from "@tulle/mesh-runtime/workload-contract.ts";
import { beforeEach, describe, expect, test } from "vitest";
import type { TokenAnswer } from "../../../control/api/contract.ts";
import { Freshness } from "../../../control/freshness.ts";
import { controlId, WorkloadDoor } from "../../../control/workload-http.ts";
import { api, apply, joined, joinRequest, service, workload } from "../support.ts";
import * as attesting from "./attesting.ts";

const origin = "https://control.test";
const web = "default/web";
let opener: Opener;
beforeEach(async () => {
  await reset();
  await apply(service("web"), service("payments"));
  opener = await makeOpener();
});

const token = async () =>
  (await api<TokenAnswer>("POST", "/api/identity/tokens", { service: "web" })).body.token;

/** A join over HTTP, as it stands in a body. */
async function sent(request: JoinRequest): Promise<JoinAnswer | Declined> {
  const init = { method: "POST", body: JSON.stringify(request) };
  return (await exports.default.fetch(`${origin}/workload/join`, init)).json<JoinAnswer | Declined>();
}
const first = async (change: Parameters<typeof joinRequest>[0] = {}) =>
  sent(await joinRequest({ workload: web, joinToken: await token(), ...change }));

type Times = Pick<IssuedSessionKey, "from" | "until"> & { readonly name: string };
const times = ({ name, from, until }: Times): Times => ({ name, from, until });
/** The keys that an isolate of the same service has by its binding. */
const bound = async (name = "web"): Promise<readonly Times[]> =>
  (joined(await workload({ service: name }).join(await joinRequest())).sessionKeys ?? []).map(
    ({ publicKey, from, until }) => ({ name: publicKey, from, until }),
  );
/** What a process makes of an answer. */
async function opened(answer: JoinAnswer | Declined, by = opener): Promise<readonly Times[] | string> {
  const { sealedSessionKeys, wit, rootJwk } = joined(answer);
  const root = await importPublicJwk(rootJwk);
  if (!root.ok) return root.reason;
  const keys = await by.open(sealedSessionKeys, wit, [root.value]);
  return keys.ok ? keys.value.map(times) : keys.reason;
}

describe("who joins over HTTP with a sealing key", () => {
  test("is given its service's keys sealed and never as they are, the ones that bindings bring", async () => {
    const answer = await first({ sealingKey: opener.sealingKey });
    expect(answer).not.toHaveProperty("sessionKeys");
    expect(await opened(answer)).toEqual(await bound());
    expect(await opened(answer, await makeOpener())).toBe("the keys are sealed for another key");
    for (const { name } of await bound("payments")) expect(JSON.stringify(answer)).not.toContain(name);
  });

  test("is given them with its renewals, each sealed for that join", async () => {
    const keys = await generateKeys();
    const begun = joined(await first({ keys }));
    const credential = credentialFrom(begun.wit, keys, Date.now(), () => 0.5);
    if (!credential.ok) throw new Error(credential.reason);
    const request = await joinRequest({ workload: web, sealingKey: opener.sealingKey });
    const body = JSON.stringify(request);
    const headers = new Headers({ "content-type": "application/json" });
    headers.set("content-digest", await contentDigest(new TextEncoder().encode(body)));
    const url = `${origin}/workload/join`;
    const proof = { credential: credential.value, now: Date.now(), nonce: "renewal" };
    await signMessage({ method: "POST", url, headers }, { ...proof, audience: controlId(env.TRUST_DOMAIN) });
    const renewal = new Request(url, { method: "POST", headers, body });
    const response = await new WorkloadDoor(new Freshness()).join(renewal, env, () => undefined);
    const answer = await response.json<JoinAnswer | Declined>();
    expect(answer).not.toHaveProperty("sessionKeys");
    expect(await opened(answer)).toEqual(await bound());
  });

  test("is given others once its identity was revoked and that was lifted", async () => {
    const before = await opened(await first({ sealingKey: opener.sealingKey }));
    const spiffeId = "spiffe://mesh.local/ns/default/sa/web";
    expect((await api("POST", "/api/identity/revocations", { spiffeId, reason: "stolen" })).status).toBe(200);
    expect((await api("POST", "/api/identity/revocations/lift", { spiffeId })).status).toBe(200);
    const after = await opened(await first({ sealingKey: opener.sealingKey }));
    expect(after).toEqual(await bound());
    for (const { name } of Array.isArray(after) ? after : [])
      expect(JSON.stringify(before)).not.toContain(name);
  });

  test("joins, and is given none, where that is a point of low order", async () => {
    for (const sealingKey of ["A".repeat(43), `AQ${"A".repeat(41)}`]) {
      const answer = await first({ sealingKey });
      expect(joined(answer).wit).toBeDefined();
      for (const member of ["sessionKeys", "sealedSessionKeys"]) expect(answer).not.toHaveProperty(member);
    }
  });

  test("is declined, and its token stays, where that is no key", async () => {
    const joinToken = await token();
    const texts = [
      "A".repeat(42),
      "A".repeat(44),
      `${"A".repeat(42)}B`,
      `${"A".repeat(42)}=`,
      "",
      7 as never,
    ];
    for (const sealingKey of texts)
      expect(await first({ joinToken, sealingKey })).toMatchObject({ ok: false, reason: "malformed" });
    expect((await first({ joinToken, sealingKey: opener.sealingKey })).ok).toBe(true);
  });

  test("is declined, and its token stays, where its proof of possession names another, or one of both names none", async () => {
    const joinToken = await token();
    const { sealingKey: theirs } = await makeOpener();
    for (const [named, sealingKey] of [
      [opener.sealingKey, theirs],
      [undefined, theirs],
      [opener.sealingKey, undefined],
    ]) {
      const proven = named === undefined ? {} : { sealingKey: named };
      const { sealingKey: _, ...rest } = await joinRequest({ workload: web, joinToken, ...proven });
      const answer = await sent({ ...rest, ...(sealingKey === undefined ? {} : { sealingKey }) });
      expect(answer).toMatchObject({ ok: false, reason: "bad-possession" });
    }
    expect((await first({ joinToken })).ok).toBe(true);
  });
});

describe("an app of Deno Deploy", () => {
  attesting.believingControl();

  test("is given its service's keys sealed", async () => {
    await attesting.create();
    const { body } = await attesting.attested({ sealingKey: opener.sealingKey });
    expect(body).not.toHaveProperty("sessionKeys");
    await attesting.create({ attestor: "binding", selectors: [] });
    expect(await opened(body)).toEqual(await bound("pay"));
  });

  test("is declined where its proof of possession names another sealing key", async () => {
    await attesting.create();
    const { sealingKey } = await makeOpener();
    const { body } = await attesting.attested({ sealingKey, change: { sealingKey: opener.sealingKey } });
    expect(body).toMatchObject({ ok: false, reason: "bad-possession" });
  });
});

test("who joins over HTTP without a sealing key, as runtimes did before, is given no keys in any form", async () => {
  const answer = await first();
  expect(answer.ok).toBe(true);
  for (const member of ["sessionKeys", "sealedSessionKeys"]) expect(answer).not.toHaveProperty(member);
});

test("who joins over a binding is given them as they are, whatever sealing key it sends", async () => {
  const { sealingKey } = opener;
  const answer = joined(await workload({ service: "web" }).join(await joinRequest({ sealingKey })));
  expect(answer.sessionKeys?.length).toBeGreaterThan(1);
  expect(answer).not.toHaveProperty("sealedSessionKeys");
});
