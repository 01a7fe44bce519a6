import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeysAnswer, StatusAnswer, TokenAnswer } from "../../control/api/contract.ts";
import {
  credentialFrom,
  generateKeys,
  jwkThumbprint,
  provePossession,
} from "../../mesh-runtime/identity/credential.ts";
import { signMessage } from "../../mesh-runtime/identity/proof.ts";
import type { Credential } from "../../mesh-runtime/identity/words.ts";
import { contractVersion, type JoinAnswer } from "../../mesh-runtime/workload-contract.ts";
import { word } from "../support/answers.ts";
import { open } from "../support/policy-texts.ts";

const id = (service: string): string => `spiffe://mesh.local/ns/default/sa/${service}`;

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      payments: { fetch: () => new Response("paid"), kv: { TULLE_KV: "tulle-policies" } },
    },
    policies: [open("web", "payments")],
  });
  await mesh.stopClock();
});
afterAll(() => mesh.dispose());

async function json<Answer>(path: string, body?: object): Promise<Answer> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await mesh.api(path, init);
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

/** The time by the clocks of the mesh, which a test has moved on. */
const now = async (): Promise<number> => Date.parse((await json<StatusAnswer>("/api/status")).time);

/** A key and a token of `web` in the hands of somebody who takes no notice of what control says. */
async function stolen(): Promise<Credential> {
  const { token } = await json<TokenAnswer>("/api/identity/tokens", { service: "web" });
  const keys = await generateKeys();
  const at = await now();
  const possession = await provePossession({
    ...keys,
    workload: "default/web",
    trustDomain: undefined,
    joinToken: token,
    now: at,
    jti: crypto.randomUUID(),
  });
  const { publicJwk } = keys;
  const request = {
    version: contractVersion,
    isolate: "thief",
    workload: "default/web",
    publicJwk,
    possession,
  };
  const response = await mesh.api("/workload/join", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...request, joinToken: token }),
  });
  const { wit } = (await response.json()) as JoinAnswer;
  const credential = credentialFrom(wit, keys, at, () => 0.5);
  if (!credential.ok) throw new Error(credential.reason);
  return credential.value;
}

/** What `payments` answers to a request that is signed with a credential, whoever sends it. */
async function used(credential: Credential): Promise<string> {
  const url = "http://payments/";
  const headers = new Headers();
  const signed = await signMessage(
    { method: "GET", url, headers },
    { audience: id("payments"), credential, now: await now(), nonce: crypto.randomUUID() },
  );
  if (!signed.ok) throw new Error("cannot sign");
  return word(mesh.raw("payments").fetch(url, { headers }));
}

const idOf = (wit: string): string => {
  const [, payload = ""] = wit.split(".");
  return (JSON.parse(Buffer.from(payload, "base64url").toString()) as { readonly jti: string }).jti;
};

describe("a credential that was stolen, and that its callee has verified and cached", () => {
  test.each<[what: string, revocation: (credential: Credential) => Promise<object>]>([
    ["the identity", async () => ({ spiffeId: id("web") })],
    ["the token", async ({ wit }) => ({ jti: idOf(wit) })],
    ["the key", async ({ publicJwk }) => ({ thumbprint: await jwkThumbprint(publicJwk) })],
  ])("is refused with the callee's next report when %s is revoked", async (_what, revocation) => {
    const credential = await stolen();
    expect(await used(credential)).toBe("200");
    const body = await revocation(credential);
    await json("/api/identity/revocations", body);
    await mesh.advance("1s");
    expect(await used(credential)).toBe("unidentified");
    await json("/api/identity/revocations/lift", body);
    await mesh.advance("2s");
    const isLifted = "spiffeId" in body ? "unidentified" : "200";
    expect(await used(credential)).toBe(isLifted);
    expect(await word(mesh.from("web").fetch("http://payments/"))).toBe("200");
  });

  test("is refused when the key that signed it is taken out of the bundle", async () => {
    const credential = await stolen();
    expect(await used(credential)).toBe("200");
    const { keys } = await json<KeysAnswer>("/api/keys");
    await json("/api/keys/revoke", { kid: keys.find(({ state }) => state === "active")?.kid });
    await mesh.advance("1s");
    expect(await used(credential)).toBe("unidentified");
    await mesh.advance("2s");
    expect(await word(mesh.from("web").fetch("http://payments/"))).toBe("200");
  });
});

describe("a worker that starts from KV while control is down", () => {
  /** What it answers to a request that carries no identity: 400 if it runs, 503 if not. */
  const knock = async (): Promise<number> => (await mesh.raw("payments").fetch("http://payments/")).status;
  const pin = async (...keys: readonly object[]): Promise<void> => {
    await mesh.mend("control");
    await mesh.restart({
      payments: { TULLE_WORKLOAD: "default/payments", TULLE_ROOT: JSON.stringify(keys) },
    });
    await mesh.break("control", { status: 500 });
  };
  const roots = async (): Promise<readonly object[]> =>
    (await json<KeysAnswer>("/api/keys")).keys.flatMap(({ publicJwk }) => publicJwk ?? []);

  test("believes the next root key where it is pinned beside the present one, and only there", async () => {
    await json("/api/keys/rotate", { key: "root" });
    const [present = {}, next = {}] = await roots();
    await json("/api/keys/rotate", { key: "root", activate: true, force: true });
    await pin(present);
    expect(await knock()).toBe(503);
    await pin(present, next);
    expect(await knock()).toBe(400);
    await pin(next);
    expect(await knock()).toBe(400);
  });

  test("does not start on what has ended", async () => {
    await mesh.mend("control");
    const [present = {}] = await roots();
    await pin(present);
    await mesh.advance("25h");
    expect(await knock()).toBe(503);
    await mesh.mend("control");
    await mesh.advance("2s");
    expect(await knock()).toBe(400);
  });
});
