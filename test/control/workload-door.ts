import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { contentDigest } from "@tulle/mesh-runtime/identity/content-digest.ts";
import { credentialFrom, generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import { signMessage } from "@tulle/mesh-runtime/identity/proof.ts";
import type { Credential } from "@tulle/mesh-runtime/identity/words.ts";
import type { Declined, JoinAnswer } from "@tulle/mesh-runtime/workload-contract.ts";
import type { TokenAnswer } from "../../control/api/contract.ts";
import { Freshness } from "../../control/freshness.ts";
import { controlId, WorkloadDoor } from "../../control/workload-http.ts";
import { api, apply, joinRequest, service } from "./support.ts";

/** Where workloads join and report over HTTP. */
export let door: WorkloadDoor;

/** Begins anew, with a door of its own: the worker's would remember the keys of the mesh before the reset. */
export async function openDoor(): Promise<void> {
  await reset();
  door = new WorkloadDoor(new Freshness());
  await apply(service("web"), service("payments"));
}

export const origin = "https://control.test";
export const token = async (name = "web", ttlMs?: number) =>
  (await api<TokenAnswer>("POST", "/api/identity/tokens", { service: name, ...(ttlMs ? { ttlMs } : {}) }))
    .body.token;

export async function post<Answer>(path: string, body: string, headers = new Headers()) {
  headers.set("content-type", "application/json");
  const request = new Request(origin + path, { method: "POST", headers, body });
  const verb = path === "/workload/join" ? "join" : "report";
  const response = await door[verb](request, env, () => undefined);
  const type = response.headers.get("content-type");
  return { status: response.status, type, body: await response.json<Answer>() };
}

export const joinWith = async (joinToken: string, change = {}) =>
  post<JoinAnswer | Declined>(
    "/workload/join",
    JSON.stringify(await joinRequest({ workload: "default/web", joinToken, ...change })),
  );

/** A credential by a first join. */
export async function credential(): Promise<Credential> {
  const keys = await generateKeys();
  const { body } = await joinWith(await token(), { keys });
  if (!body.ok) throw new Error(body.detail);
  const made = credentialFrom(body.wit, keys, Date.now(), () => 0.5);
  if (!made.ok) throw new Error(made.reason);
  return made.value;
}

/** Sends a body signed as a workload does, with parts of it changed on the way. */
export async function signed<Answer>(
  path: string,
  value: object,
  by: Credential,
  change: { audience?: string; body?: string; nonce?: string; undigested?: true; signResponse?: true } = {},
) {
  const body = JSON.stringify(value);
  const headers = new Headers({ "content-type": "application/json" });
  if (change.undigested === undefined)
    headers.set("content-digest", await contentDigest(new TextEncoder().encode(body)));
  const proof = await signMessage(
    { method: "POST", url: origin + path, headers },
    {
      audience: change.audience ?? controlId(env.TRUST_DOMAIN),
      credential: by,
      now: Date.now(),
      nonce: change.nonce ?? crypto.randomUUID(),
      signResponse: change.signResponse ?? false,
    },
  );
  if (!proof.ok) throw new Error(proof.reason);
  return post<Answer>(path, change.body ?? body, headers);
}

/** A signed renewal of which the last byte has still to come: `rest` sends it. */
export async function held(by: Credential) {
  const request = await joinRequest({ workload: "default/web", trustDomain: "mesh.local" });
  const bytes = new TextEncoder().encode(JSON.stringify(request));
  const headers = new Headers({ "content-type": "application/json" });
  headers.set("content-digest", await contentDigest(bytes));
  const url = `${origin}/workload/join`;
  const proof = { audience: controlId(env.TRUST_DOMAIN), credential: by, now: Date.now(), nonce: "held" };
  const made = await signMessage({ method: "POST", url, headers }, proof);
  if (!made.ok) throw new Error(made.reason);
  const { promise: isRead, resolve: reading } = Promise.withResolvers<void>();
  const { promise: isSent, resolve: rest } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reading();
        await isSent;
        controller.enqueue(bytes);
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const answered = door.join(new Request(url, { method: "POST", headers, body }), env, () => undefined);
  await isRead;
  return async () => {
    rest();
    const response = await answered;
    return { status: response.status, body: await response.json<JoinAnswer | Declined>() };
  };
}
