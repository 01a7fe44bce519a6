import { env, exports } from "cloudflare:workers";
import { contentDigest } from "@tulle/mesh-runtime/identity/content-digest.ts";
import { credentialFrom } from "@tulle/mesh-runtime/identity/credential.ts";
import { signMessage } from "@tulle/mesh-runtime/identity/proof.ts";
import { witType } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import type { KeysAnswer, RevocationsAnswer } from "../../../control/api/contract.ts";
import { Freshness } from "../../../control/freshness.ts";
import { readForeignBundle } from "../../../control/issuer/federation/foreign-bundle.ts";
import { controlId, WorkloadDoor } from "../../../control/workload-http.ts";
import { api, apply, joinRequest, permission, reportRequest, service, store, workload } from "../support.ts";
import { add, inForce, partner, withPartner } from "./partner.ts";

withPartner();

describe("our own bundle", () => {
  test("is served to anybody in SPIFFE's form, and holds neither secrets nor other domains' keys", async () => {
    await add();
    const response = await exports.default.fetch("https://control.test/.well-known/tulle/jwks.json");
    expect(response.headers.get("cache-control")).toBe("public, max-age=60");
    const text = await response.text();
    const served = JSON.parse(text) as { keys: readonly Record<string, unknown>[] };
    expect(served).toMatchObject({ spiffe_sequence: expect.any(Number), spiffe_refresh_hint: 300 });
    expect(served.keys.map((each) => Object.keys(each).sort())).toEqual([
      ["alg", "crv", "kid", "kty", "use", "x", "y"],
    ]);
    expect(served.keys.map(({ use }) => use)).toEqual(["wit-svid"]);
    expect(text).not.toMatch(/"d"/);
    expect(text).not.toContain(partner.keys.publicJwk.x);
  });

  test("is one that another mesh takes", async () => {
    const mine = (await api<KeysAnswer>("GET", "/api/keys")).body.keys.filter(({ use }) => use === "signing");
    const served = await (
      await exports.default.fetch("https://control.test/.well-known/tulle/jwks.json")
    ).text();
    const read = await readForeignBundle(served, []);
    expect(read.ok && read.value.keys.map(({ kid }) => kid)).toEqual(mine.map(({ kid }) => kid));
  });
});

describe("an identity of another trust domain", () => {
  const theirs = "spiffe://partner.example/ns/default/sa/web";

  test("is revoked here until it is lifted, if its domain is federated", async () => {
    expect((await api("POST", "/api/identity/revocations", { spiffeId: theirs })).status).toBe(400);
    await add();
    const { status, body } = await api<RevocationsAnswer>("POST", "/api/identity/revocations", {
      spiffeId: theirs,
    });
    expect([status, body.revoked.map(({ value }) => value)]).toEqual([200, [theirs]]);
    expect(await inForce()).toMatchObject({ revoked: [{ sub: theirs }] });
  });

  test("may be written into a policy without a warning, if its domain is federated", async () => {
    const allow = permission("web", "x").replace("mesh.local/ns", "partner.example/ns");
    const strange = await apply(service("web", "  evidence: signature\n"), allow);
    expect(strange.body.issues.map(({ message }) => message)).toEqual([
      expect.stringContaining("no other is federated"),
    ]);
    await add();
    expect((await apply(allow.replace("/sa/x", "/sa/y"))).body.issues).toEqual([]);
  });

  test("is issued by nobody here: a Service of another mesh is no workload of this one", async () => {
    const ledger = "  trustDomain: partner.example\n  endpoint:\n    url: https://ledger.partner.example\n";
    expect((await apply(service("web"), service("ledger", ledger))).body.applied).toBe(true);
    const joined = await workload({ service: "ledger" }).join(await joinRequest());
    expect(joined).toMatchObject({ ok: false, reason: "unregistered" });
  });

  test("reports nothing here, whatever its own issuer says of it", async () => {
    await add();
    const ledger = "  trustDomain: partner.example\n  endpoint:\n    url: https://ledger.partner.example\n";
    await apply(service("web"), service("ledger", ledger));
    const { keys, time } = partner;
    const sub = "spiffe://partner.example/ns/default/sa/ledger";
    const wit = await new SignJWT({ sub, jti: "theirs", cnf: { jwk: { ...keys.publicJwk, alg: "ES256" } } })
      .setProtectedHeader({ alg: "ES256", typ: witType, kid: "issuer-1" })
      .setIssuedAt(Math.floor(time / 1_000))
      .setExpirationTime(Math.floor(time / 1_000) + 600)
      .sign(keys.privateKey);
    const credential = credentialFrom(wit, keys, time, () => 0.5);
    if (!credential.ok) throw new Error(credential.reason);
    const body = JSON.stringify(reportRequest("default/ledger"));
    const headers = new Headers({ "content-type": "application/json" });
    headers.set("content-digest", await contentDigest(new TextEncoder().encode(body)));
    const url = "https://control.test/workload/report";
    const audience = controlId(env.TRUST_DOMAIN);
    const proof = { audience, credential: credential.value, now: time, nonce: "theirs" };
    expect((await signMessage({ method: "POST", url, headers }, proof)).ok).toBe(true);
    const request = new Request(url, { method: "POST", headers, body });
    const { status } = await new WorkloadDoor(new Freshness()).report(request, env, () => undefined);
    expect(status).toBe(400);
  });

  test("has a circuit that our workloads may speak of, as nobody else here can", async () => {
    const ledger = "  trustDomain: partner.example\n  endpoint:\n    url: https://ledger.partner.example\n";
    await apply(service("web"), service("ledger", ledger));
    const { services = [] } = await store().view(-1);
    const view = services.find((each) => each.service === "default/ledger");
    expect(view).toMatchObject({ virtual: true, access: { mode: "PERMISSIVE", rules: [] } });
  });
});
