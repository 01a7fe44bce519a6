import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { contentDigest } from "@tulle/mesh-runtime/identity/content-digest.ts";
import {
  credentialFrom,
  generateKeys,
  jwkThumbprint,
  type WorkloadKeys,
} from "@tulle/mesh-runtime/identity/credential.ts";
import { signMessage } from "@tulle/mesh-runtime/identity/proof.ts";
import type { Credential } from "@tulle/mesh-runtime/identity/words.ts";
import { evidence } from "@tulle/mesh-runtime/join-evidence.ts";
import type { Declined, JoinAnswer, NonceAnswer } from "@tulle/mesh-runtime/workload-contract.ts";
import { afterEach, beforeAll, beforeEach, vi } from "vitest";
import type { EntriesAnswer, EntryLine, EntryRequest } from "../../../control/api/contract.ts";
import { Freshness } from "../../../control/freshness.ts";
import { controlId, WorkloadDoor } from "../../../control/workload-http.ts";
import { type Claims, OidcIssuer, type Signing, selectors } from "../../support/oidc-issuer.ts";
import { api, apply, joined, service } from "../support.ts";

/** Where control listens. */
export const origin = "https://control.test";
/** Of whoever may read. */
export const viewer = "viewer-token-of-the-tests-0123456789";
/** The identity of a service. */
export const idOf = (name: string): string => `spiffe://mesh.local/ns/default/sa/${name}`;
/** Of a control that believes our stand-in for Deno Deploy. */
const believing = { ...env, TULLE_DENO_ISSUER: "https://oidc.example.com" };

let issuer: OidcIssuer;
let door: WorkloadDoor;
/** What control has warned of in this test. */
export let said: string[];

/** Has each test of a file begin with a control that knows `pay` and `payroll`, and believes our stand-in. */
export function believingControl(): void {
  beforeAll(async () => {
    issuer = await OidcIssuer.at("https://oidc.example.com");
  });
  beforeEach(async () => {
    await reset();
    said = [];
    vi.spyOn(console, "warn").mockImplementation((line: string) => void said.push(line));
    const keySet = await issuer.keySet();
    vi.stubGlobal("fetch", async (url: string) =>
      url === `${issuer.url}/.well-known/jwks.json`
        ? Response.json(keySet)
        : new Response(null, { status: 404 }),
    );
    door = new WorkloadDoor(new Freshness());
    await apply(service("pay"), service("payroll"));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
}

/** Parts of a registration entry that shall be otherwise. */
export type Wish = { readonly [Name in keyof EntryRequest]?: EntryRequest[Name] | undefined };

/** Makes an entry for `pay`, by an app of Deno Deploy unless it says something else. */
export const create = (request: Wish = {}, token?: string) =>
  api<EntryLine>(
    "POST",
    "/api/identity/entries",
    { service: "pay", attestor: "deno-deploy", selectors, ...request },
    token,
  );
/** Revokes an entry. */
export const revokeEntry = (id: string, reason = "gone") =>
  api<EntryLine>("POST", `/api/identity/entries/${id}/revoke`, { reason });
/** Every entry that there is. */
export const entries = async () => (await api<EntriesAnswer>("GET", "/api/identity/entries")).body.entries;

/** Knocks at the door for workers without a binding. */
export async function post<Answer>(path: "join" | "report", body: string, headers = new Headers()) {
  headers.set("content-type", "application/json");
  const request = new Request(`${origin}/workload/${path}`, { method: "POST", headers, body });
  const response = await door[path](request, believing, () => undefined);
  return { status: response.status, body: await response.json<Answer>() };
}

/** What a token has to be about. */
export async function nonce(): Promise<string> {
  return (await (await door.nonce(believing)).json<NonceAnswer>()).nonce;
}

/** A join, and what is changed of it. */
export interface Try {
  readonly keys?: WorkloadKeys;
  readonly name?: string;
  readonly nonce?: string;
  readonly claims?: Claims;
  readonly signing?: Signing;
  readonly audience?: string;
  /** For whose key the platform vouched. */
  readonly vouchedFor?: WorkloadKeys;
  readonly sealingKey?: string;
  readonly change?: Partial<Awaited<ReturnType<typeof evidence>>>;
}

/** A join as the adapter for Deno makes it, with parts of it changed. */
export async function attested(tried: Try = {}) {
  const { keys = await generateKeys(), name = "pay" } = tried;
  const thumbprint = await jwkThumbprint((tried.vouchedFor ?? keys).publicJwk);
  const audience = tried.audience ?? `${origin}/attest#${tried.nonce ?? (await nonce())}.${thumbprint}`;
  const idToken = await issuer.token(audience, Date.now(), tried.claims, tried.signing);
  const shown = await evidence({
    ...keys,
    idToken,
    joinToken: undefined,
    sealingKey: tried.sealingKey,
    workload: `default/${name}`,
    trustDomain: undefined,
    now: Date.now(),
    jti: crypto.randomUUID(),
  });
  const request = { version: 1, isolate: "isolate-1", ...shown, ...tried.change };
  return post<JoinAnswer | Declined>("join", JSON.stringify(request));
}

/** What such a join ends in. */
export async function credential(tried: Try = {}): Promise<Credential> {
  const keys = await generateKeys();
  const { body } = await attested({ keys, ...tried });
  const made = credentialFrom(joined(body).wit, keys, Date.now(), () => 0.5);
  if (!made.ok) throw new Error(made.reason);
  return made.value;
}

/** A request that is signed as a workload does. */
export async function signed<Answer>(path: "join" | "report", value: object, by: Credential) {
  const body = JSON.stringify(value);
  const headers = new Headers({ "content-type": "application/json" });
  headers.set("content-digest", await contentDigest(new TextEncoder().encode(body)));
  const proof = await signMessage(
    { method: "POST", url: `${origin}/workload/${path}`, headers },
    { audience: controlId("mesh.local"), credential: by, now: Date.now(), nonce: crypto.randomUUID() },
  );
  if (!proof.ok) throw new Error(proof.reason);
  return post<Answer>(path, body, headers);
}
