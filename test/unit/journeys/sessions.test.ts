import { CompactSign } from "jose";
import { expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import { signDocument } from "../../../mesh-runtime/identity/signed-document.ts";
import { bundleType } from "../../../mesh-runtime/identity/trust-bundle.ts";
import { createMesh } from "../../../mesh-runtime/mesh.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import type { ControlPort, JoinRequest } from "../../../mesh-runtime/workload-contract.ts";
import { issuedKey } from "../identity/agreement.ts";
import { documents, service } from "../policy/writing.ts";

const start = 1_790_000_000_000;
const startS = start / 1_000;

/** A control whose policy has another epoch with each report. */
async function changingControl(): Promise<ControlPort> {
  const [root, issuer] = [await generateKeys(), await generateKeys()];
  const snapshot = compile(documents(service("web"), service("payments"))).get("default/web");
  const text = canonicalJson(snapshot);
  const digest = await digestOf(text);
  let epoch = 1;
  const head = () =>
    signDocument(
      { workload: "default/web", epoch, digest, iat: startS },
      "tulle-head+jwt",
      "root",
      root.privateKey,
    );
  const bundle = {
    trustDomain: snapshot?.trustDomain,
    ...{ sequence: 1, iat: startS, exp: startS + 86_400, revoked: [] },
    keys: [{ ...issuer.publicJwk, kid: "issuer", use: "wit-svid" }],
  };
  return {
    async join({ publicJwk }: JoinRequest) {
      const claims = { sub: snapshot?.spiffeId, iat: startS, exp: startS + 3_600, cnf: { jwk: publicJwk } };
      return {
        ok: true as const,
        trustDomain: snapshot?.trustDomain ?? "",
        wit: await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
          .setProtectedHeader({ alg: "ES256", typ: "wit+jwt", kid: "issuer" })
          .sign(issuer.privateKey),
        rootJwk: root.publicJwk,
        bundle: await signDocument(bundle, bundleType, "root", root.privateKey),
        head: await head(),
        snapshot: text,
        circuits: [],
      };
    },
    async report() {
      epoch++;
      return { ok: true as const, epoch, circuits: [], nextReportMs: 1_000, head: await head() };
    },
    admit: async () => ({ ok: true as const, verdict: "fresh" as const, watch: "w" }),
  };
}

test("a session goes on when another policy comes into force, with whichever a request keeps", async () => {
  const [control, { publicKey }] = [await changingControl(), await issuedKey()];
  const proofs: string[] = [];
  const mesh = createMesh({
    clock: { now: () => start },
    random: () => 0.5,
    wait: () => new Promise(() => undefined),
    background: { run: () => undefined },
    ids: { traceId: () => "a".repeat(32), spanId: () => "b".repeat(16) },
    transport: {
      send: async (_endpoint, { headers }) => {
        proofs.push(headers.has("tulle-session") ? "session" : "signature");
        return new Response("paid", { headers: { "tulle-session-key": publicKey } });
      },
      vouchesFor: () => true,
    },
    fetchDocument: async () => {
      throw new Error("nobody fetches anything here");
    },
    control: () => control,
    missingControl: "",
    coldStart: async () => undefined,
    pinnedRoots: undefined,
    workload: "",
    uuid: () => crypto.randomUUID(),
    log: () => undefined,
    crashed: (error) => {
      throw error;
    },
  });
  const call = async (loaded = mesh.loaded()) => {
    const destination = loaded?.destinationByHost("payments");
    if (loaded === undefined || destination === undefined) throw new Error("nobody is payments");
    const message = { url: new URL("http://payments/"), method: "GET", headers: new Fields(new Headers()) };
    await mesh.depart(
      { message: { ...message, body: null }, signal: undefined, cause: undefined },
      loaded,
      destination,
    );
  };
  await mesh.ready();
  const first = mesh.loaded();
  for (let count = 0; count < 5; count++) await call();
  await mesh.report();
  expect(mesh.loaded()?.epoch).not.toBe(first?.epoch);
  await call();
  await call(first);
  await call();
  expect(proofs).toEqual([...Array(4).fill("signature"), ...Array(4).fill("session")]);
});
