import { reset, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import { importPublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { loadBundle } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, vi } from "vitest";
import type { FederationAnswer, FederationLine } from "../../../control/api/contract.ts";
import { api, issuerObject, issuing } from "../support.ts";

/** Of whoever may read. */
export const viewer = "viewer-token-of-the-tests-0123456789";
/** Where the partner publishes its bundle. */
export const url = "https://partner.example/bundle.json";
/** What an admin asks for. */
export const wanted = { trustDomain: "partner.example", bundleEndpoint: { url, profile: "https_web" } };

/** The other mesh: its key, what its endpoint answers, what it was asked for, and what time it is. */
export const partner = {
  keys: await generateKeys(),
  answer: (): Response | Promise<Response> => Response.json(bundle()),
  asked: [] as string[],
  time: 0,
};

/** Has each test of a file begin with a control that federates with nobody, and a partner that answers. */
export function withPartner(): void {
  beforeEach(async () => {
    await reset();
    partner.keys = await generateKeys();
    partner.answer = () => Response.json(bundle());
    partner.asked = [];
    vi.stubGlobal("fetch", async (to: string) => {
      partner.asked.push(to);
      return partner.answer();
    });
    partner.time = Date.now();
    vi.spyOn(Date, "now").mockImplementation(() => partner.time);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
}

/** A key of its bundle. */
export const key = (kid = "issuer-1") => ({ ...partner.keys.publicJwk, kid, use: "wit-svid" });
/** What it publishes. */
export const bundle = (changed: object = {}) => ({
  keys: [key()],
  spiffe_sequence: 7,
  spiffe_refresh_hint: 300,
  ...changed,
});

/** Federates with it. */
export const add = (body: object = wanted) =>
  api<FederationLine & { detail: string }>("POST", "/api/federation", body);
/** Every federation. */
export const list = async () => (await api<FederationAnswer>("GET", "/api/federation")).body.federations;
/** Looks at its bundle now. */
export const refresh = () => api<FederationLine>("POST", "/api/federation/partner.example/refresh");
/** Lets time pass, and the alarm ring that is due then. */
export async function pass(ms: number): Promise<void> {
  partner.time += ms;
  await runDurableObjectAlarm(issuerObject());
}
/** What the signed bundle in KV says. */
export const inForce = async () =>
  decodeJwt((await env.POLICIES.get("bundle")) ?? "") as unknown as Record<string, unknown>;
/** The names of the keys that workers believe, by trust domain. */
export const believed = async () => {
  const published = await issuing().bundle();
  if (!published.ok) throw new Error(published.reason);
  const root = await importPublicJwk(published.value.rootJwk);
  const loaded = root.ok
    ? await loadBundle(published.value.signed, root.value, undefined, partner.time)
    : root;
  if (!loaded.ok) throw new Error(loaded.reason);
  return Object.fromEntries(
    [...(loaded.value.federated ?? [])].map(([name, each]) => [name, [...each.keys.keys()]] as const),
  );
};
