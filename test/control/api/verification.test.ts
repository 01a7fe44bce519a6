import { reset } from "cloudflare:test";
import { Fields } from "@tulle/mesh-runtime/foundation/fields.ts";
import { credentialFrom, generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import { explainIdentity } from "@tulle/mesh-runtime/identity/explanation/explain.ts";
import { signMessage } from "@tulle/mesh-runtime/identity/proof.ts";
import { importPublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { parseSpiffeId } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import { loadBundle } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { beforeEach, expect, test } from "vitest";
import type { VerificationAnswer } from "../../../control/api/contract.ts";
import { api, apply, joined, joinRequest, service, workload } from "../support.ts";

const payments = "spiffe://mesh.local/ns/default/sa/payments";

beforeEach(async () => {
  await reset();
  await apply(
    service("web"),
    service("payments", "  maxDigestBytes: 2048\n  mode: PERMISSIVE\n  replay: strict\n"),
  );
});

const asked = (query: string) =>
  api<VerificationAnswer & { detail?: string }>("GET", `/api/identity/verification${query}`);

test("with what control answers, a request of a workload that joined is verified as its callee would", async () => {
  const keys = await generateKeys();
  const answer = joined(await workload({ service: "web" }).join(await joinRequest({ keys })));
  const now = Date.now();
  const credential = credentialFrom(answer.wit, keys, now, () => 0.5);
  if (!credential.ok) throw new Error(credential.reason);
  const headers = new Fields();
  const message = { method: "GET", url: "http://payments/charge", headers };
  await signMessage(message, { audience: payments, credential: credential.value, now, nonce: "n" });

  const { bundle, rootKeys, service: known } = (await asked("?service=payments")).body;
  expect(known).toEqual({
    service: "default/payments",
    spiffeId: payments,
    inbound: {
      mode: "PERMISSIVE",
      evidence: "signature",
      maxDigestBytes: 2_048,
      largeBody: "reject",
      replay: "strict",
      // What may come once is signed.
      sessionProofs: "refused",
    },
  });
  const [root] = rootKeys;
  const key = root && (await importPublicJwk(root));
  const loaded = key?.ok ? await loadBundle(bundle, key.value, undefined, now) : undefined;
  const self = parseSpiffeId(payments);
  if (!loaded?.ok || !self.ok || known === undefined) throw new Error("the answer cannot be used");
  const captured = { ...message, body: undefined, repeated: [], props: undefined };
  const judge = { policy: { self: self.value, inbound: known.inbound }, bundle: loaded.value, now };
  expect(await explainIdentity(captured, judge)).toMatchObject({
    accepted: true,
    caller: { spiffeId: "spiffe://mesh.local/ns/default/sa/web" },
  });
});

test("nothing of it is secret, and a service need not be named", async () => {
  const { status, body } = await asked("");
  expect([status, Object.keys(body)]).toEqual([200, ["bundle", "rootKeys"]]);
  expect(JSON.stringify(body.rootKeys)).not.toMatch(/"d"|wrapped/);
});

test("a service that nobody knows is told, with the one that may be meant", async () => {
  const unknown = await asked("?service=paymants");
  expect([unknown.status, unknown.body.detail]).toEqual([
    404,
    'There is no service paymants; did you mean "payments"?',
  ]);
  expect((await asked(`?service=${"x".repeat(500)}`)).body.detail).toBe(
    `There is no service ${"x".repeat(127)}.`,
  );
});
