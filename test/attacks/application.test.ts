import { beforeAll, describe, expect, test } from "vitest";
import { identityHeaders } from "../../mesh-runtime/foundation/headers.ts";
import { makeWorld, nowS, type World } from "../unit/identity/fixture.ts";
import { policy, read, service } from "../unit/policy/writing.ts";
import { expectDenied, expectRefused, target } from "./attack.ts";
import { type Forged, forge, token } from "./attacker.ts";
import { isolate, loadedPolicy, type Seen } from "./journey.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const claimed: Readonly<Record<string, string>> = {
  "x-spiffe-id": "spiffe://example.org/ns/default/sa/admin",
  "x-forwarded-client-cert": "URI=spiffe://example.org/ns/default/sa/admin",
  "x-client-cert": "MIIB",
  "workload-proof-token": "eyJ.e30.AA",
  "txn-token": "eyJ.e30.AA",
  "tulle-problem": "unreachable",
  "tulle-caller": "default/admin",
  "tulle-credits": "99",
};
const bare = (headers: Readonly<Record<string, string>> = {}): Request =>
  new Request("https://payments/charge", { method: "POST", headers });
const permissive = () =>
  loadedPolicy((snapshot) => ({
    ...snapshot,
    inbound: { ...snapshot.inbound, mode: "PERMISSIVE", authorization: [] },
  }));

/** Which of the headers that could be taken for an identity the application saw. */
const claims = ({ handled }: Seen): readonly string[] =>
  [...(handled?.request.headers.keys() ?? ["nothing was handled"])].filter(
    (name) => name.startsWith("tulle-") || identityHeaders.includes(name) || handled === undefined,
  );

describe("76: an attacker claims an identity by headers", () => {
  test("and is nobody under STRICT", async () => {
    expectRefused(await (await target(world)).arrive(bare(claimed)), /missing/);
  });

  test("which no application sees, nor the mesh hears, under PERMISSIVE", async () => {
    const at = isolate(await permissive(), () => world.bundle);
    const { "tulle-caller": _, ...others } = claimed;
    const seen = await at.arrive(bare({ ...others, "tulle-hops": "99", "tulle-deadline-ms": "0" }));
    // Hops and deadline would have refused it, had they been believed.
    expect(seen.status).toBe(200);
    expect(claims(seen)).toEqual([]);
    expect(seen.handled?.handling.principal).toBeUndefined();
  });

  test("beside a sound proof, and is who the proof says", async () => {
    const seen = await (await target(world)).arrive(await forge(world, { headers: claimed }));
    expect(seen.status).toBe(200);
    expect(claims(seen)).toEqual([]);
    expect(seen.handled?.handling.principal?.id.uri).toBe("spiffe://example.org/ns/default/sa/web");
  });

  test("and fails under PERMISSIVE too, once it tries to prove one", async () => {
    const at = isolate(await permissive(), () => world.bundle);
    const tries: readonly Forged[] = [
      { arrives: { method: "PUT" } },
      { wire: (headers) => headers.delete("signature") },
      { wire: (headers) => headers.delete("workload-identity-token") },
      { wire: (headers) => headers.set("workload-identity-token", "") },
    ];
    for (const forged of tries) expectRefused(await at.arrive(await forge(world, forged)), /.*/);
  });

  test("with a binding's word where a signature is demanded", async () => {
    const props = { service: "web", namespace: "default" };
    expectRefused(await (await target(world)).arrive(bare(), undefined, props), /evidence/);
  });

  test("with a binding's word beside a bad proof: the proof is what counts", async () => {
    const believing = await loadedPolicy((snapshot) => ({
      ...snapshot,
      inbound: { ...snapshot.inbound, evidence: "binding" },
    }));
    const at = isolate(believing, () => world.bundle);
    const props = { service: "web", namespace: "default" };
    expect((await at.arrive(bare(), undefined, props)).status).toBe(200);
    expectRefused(
      await at.arrive(await forge(world, { arrives: { method: "PUT" } }), undefined, props),
      /proof/,
    );
    for (const other of [
      { service: "we" },
      { service: "web", namespace: "default/.." },
      { service: ["web"] },
    ])
      expectRefused(await at.arrive(bare(), undefined, other), /malformed/);
  });
});

describe("78: an attacker with an identity of its own", () => {
  test.each([
    "spiffe://example.org/ns/default/sa/we",
    "spiffe://example.org/ns/default/sa/web2",
    "spiffe://example.org/ns/default/sa/payments",
    "spiffe://example.org/ns/other/sa/web",
    "spiffe://example.org/ns/default-x/sa/web",
  ])("75: as %s is denied: names are compared whole", async (sub) => {
    expectDenied(
      await (await target(world)).arrive(await forge(world, { wit: await token(world, { sub }) })),
    );
  });

  test("is denied where nobody wrote a rule", async () => {
    const ruleless = await loadedPolicy((snapshot) => ({
      ...snapshot,
      inbound: { ...snapshot.inbound, authorization: [] },
    }));
    expectDenied(await isolate(ruleless, () => world.bundle).arrive(await forge(world)));
  });

  test("learns from no answer which check failed: all have the same bytes and headers", async () => {
    const at = await target(world);
    const used: Forged = { parameters: { nonce: '"used"' } };
    await at.arrive(await forge(world, used));
    const revoked = { ...world.bundle.revoked, tokens: new Set(["gone"]) };
    const strict = isolate(await loadedPolicy(), () => ({ ...world.bundle, revoked }));
    const failures = [
      await at.arrive(bare()),
      await at.arrive(await forge(world, { wire: (headers) => headers.delete("signature") })),
      await at.arrive(await forge(world, { wire: (headers) => headers.set("signature", "x") })),
      await at.arrive(await forge(world, { wit: await token(world, { exp: nowS - 90 }) })),
      await at.arrive(await forge(world, { wit: await token(world, {}, { kid: "x" }) })),
      await at.arrive(await forge(world, { wit: await token(world, { sub: "spiffe://other.org/x" }) })),
      await at.arrive(await forge(world, { arrives: { method: "PUT" } })),
      await at.arrive(await forge(world, { parameters: { "wimse-aud": '"x"' } })),
      await at.arrive(await forge(world, { parameters: { created: String(nowS + 20) } })),
      await at.arrive(await forge(world, used)),
      await at.arrive(await forge(world, { body: "a", arrives: { body: "b" } })),
      await at.arrive(bare(), undefined, { service: "web", namespace: "default" }),
      await strict.arrive(await forge(world, { wit: await token(world, { jti: "gone" }) })),
    ];
    const steps = failures.map(({ reason }) => reason.split(" ")[0]);
    expect(steps).toEqual(
      "missing missing malformed token token trust-domain proof audience clock replay digest evidence revoked"
        .split(" ")
        .map((step) => `step=${step}`),
    );
    const faces = failures.map(({ status, headers, body }) => JSON.stringify([status, [...headers], body]));
    expect(new Set(faces).size).toBe(1);
  });

  test("learns from no denial which rule denied it", async () => {
    const at = await target(world);
    const denials = [
      await at.arrive(await forge(world, { method: "DELETE" })),
      await at.arrive(await forge(world, { url: "https://payments/admin" })),
      await at.arrive(await forge(world, { url: "https://payments/a%2Fb" })),
      await at.arrive(
        await forge(world, { wit: await token(world, { sub: "spiffe://example.org/ns/a/sa/b" }) }),
      ),
    ];
    expect(
      new Set(denials.map(({ status, headers, body }) => JSON.stringify([status, [...headers], body]))).size,
    ).toBe(1);
    expect(denials[0]?.status).toBe(403);
  });
});

describe("79: an attacker who makes the mesh itself throw", () => {
  test("finds it closed when the bundle cannot be had", async () => {
    const at = isolate(await loadedPolicy(), () => {
      throw new Error("storage is gone");
    });
    const seen = await at.arrive(await forge(world));
    expect([seen.status, seen.problem, seen.handled]).toEqual([500, "internal", undefined]);
    expect(seen.body).not.toContain("storage");
  });

  test("finds it closed when rules cannot be judged", async () => {
    const loaded = await loadedPolicy();
    const decide = () => {
      throw new Error("a rule is broken");
    };
    const at = isolate({ ...loaded, inbound: { ...loaded.inbound, decide } }, () => world.bundle);
    const seen = await at.arrive(await forge(world));
    expect([seen.status, seen.problem, seen.handled]).toEqual([500, "internal", undefined]);
    expect(seen.body).not.toContain("rule");
  });

  test("finds it closed when a body breaks off before it is whole", async () => {
    const sound = await forge(world, { body: "amount=3" });
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error("gone")),
    });
    const request = new Request(sound.url, { method: "POST", headers: sound.headers, body: broken });
    const seen = await (await target(world)).arrive(request);
    expect([seen.status, seen.handled]).toEqual([499, undefined]);
  });

  test("learns nothing of what an application throws", async () => {
    const failing = isolate(
      await loadedPolicy(),
      () => world.bundle,
      async () => {
        throw new Error("password is hunter2");
      },
    );
    const seen = await failing.arrive(await forge(world));
    expect([seen.status, seen.problem]).toEqual([500, "handler-failed"]);
    expect(seen.body + seen.line).not.toContain("hunter2");
  });
});

describe("80: verification cannot be switched off", () => {
  const modes = ["OFF", "DISABLED", "NONE", "strict", "permissive", "", null, false];

  test.each(modes)("by mode %j in a document", (mode) => {
    const spec = `{defaults: {mode: ${JSON.stringify(mode)}}}`;
    expect(read(policy("MeshConfig", "mesh", spec)).issues).not.toEqual([]);
    expect(read(service("web", `{mode: ${JSON.stringify(mode)}}`)).issues).not.toEqual([]);
  });

  test.each(["none", "", null, false])("by evidence %j in a document", (evidence) => {
    const spec = `{defaults: {evidence: ${JSON.stringify(evidence)}}}`;
    expect(read(policy("MeshConfig", "mesh", spec)).issues).not.toEqual([]);
  });

  test.each([...modes, undefined])("by mode %j in a snapshot", async (mode) => {
    const off = loadedPolicy((snapshot) => ({ ...snapshot, inbound: { ...snapshot.inbound, mode } }));
    await expect(off).rejects.toThrow("Cannot load snapshot");
  });

  test.each(["none", "", null, undefined])("by evidence %j in a snapshot", async (evidence) => {
    const off = loadedPolicy((snapshot) => ({ ...snapshot, inbound: { ...snapshot.inbound, evidence } }));
    await expect(off).rejects.toThrow("Cannot load snapshot");
  });

  test("by rules that are left out of a snapshot", async () => {
    const off = loadedPolicy((snapshot) => ({
      ...snapshot,
      inbound: { ...snapshot.inbound, authorization: undefined },
    }));
    await expect(off).rejects.toThrow("Cannot load snapshot");
  });

  test("by nothing at all: who writes no mode has STRICT, and who writes no evidence demands a signature", async () => {
    expect((await loadedPolicy()).inbound).toMatchObject({ mode: "STRICT", evidence: "signature" });
  });
});
