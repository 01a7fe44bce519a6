import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { signMessage, verifyMessage } from "../../../mesh-runtime/identity/proof.ts";
import { signatureBase } from "../../../mesh-runtime/identity/signature-base.ts";
import { parseSignature, parseSignatureInput } from "../../../mesh-runtime/identity/signature-input.ts";
import { WitCache } from "../../../mesh-runtime/identity/svid.ts";
import wimse from "../../vectors/wimse.json" with { type: "json" };
import {
  caller,
  makeWorld,
  now,
  nowS,
  outcome,
  self,
  signedMessage,
  validMessage,
  value,
  verifier,
  type World,
} from "./fixture.ts";
import { components, header, tampered } from "./tampering.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

describe("a signed message", () => {
  test("carries token, parameters and signature as the profile says", async () => {
    const { headers } = await signedMessage(world);
    expect(headers.get("workload-identity-token")).toBe(world.credential.wit);
    expect(headers.get("signature-input")).toMatch(
      new RegExp(
        `^wimse=\\(${components}\\);created=${nowS};expires=${nowS + 30};nonce="nonce-\\d+"` +
          `;tag="wimse-workload-to-workload";wimse-aud="${self}"$`,
      ),
    );
    expect(headers.get("signature")).toMatch(/^wimse=:[A-Za-z0-9+/]{86}==:$/);
  });

  test("is accepted, and says who called and what its body must be", async () => {
    const message = await signedMessage(world, validMessage({ "content-digest": "sha-256=:AAAA:" }));
    const verified = value(await verifyMessage(message, verifier(world)));
    expect(verified.caller.id.uri).toBe(caller);
    expect(verified.contentDigest).toBe("sha-256=:AAAA:");
    expect(value(await verifyMessage(await signedMessage(world), verifier(world))).contentDigest).toBe(
      undefined,
    );
  });

  test("covers every header that must be covered and is there, and no response's", async () => {
    const message = validMessage({
      accept: "*/*",
      authorization: "Bearer a",
      "content-digest": "sha-256=:AAAA:",
      "content-type": "text/plain",
      "tulle-circuits": "x",
      "tulle-deadline-ms": "5",
      "tulle-future": "y",
      "txn-token": "t",
    });
    const { headers } = await signedMessage(world, message);
    const parsed = value(parseSignatureInput(headers.get("signature-input") ?? ""));
    expect(parsed.components.toSorted()).toEqual([
      "@method",
      "@request-target",
      "authorization",
      "content-digest",
      "content-type",
      "tulle-deadline-ms",
      "tulle-future",
      "txn-token",
      "workload-identity-token",
    ]);
    expect(await outcome(message, verifier(world))).toBe("accepted");
  });

  test("replaces the proof of an earlier attempt", async () => {
    const message = await signedMessage(world);
    const first = message.headers.get("signature");
    await signedMessage(world, message, now + 1_000);
    expect(message.headers.get("signature")).not.toBe(first);
    expect([...message.headers.keys()].filter((name) => name.startsWith("signature"))).toHaveLength(2);
    expect(await outcome(message, verifier(world, { now: now + 1_000 }))).toBe("accepted");
  });

  test("may pass through proxies that turn header names' case and order", async () => {
    const { method, url, headers } = await signedMessage(world);
    const turned = [...headers]
      .reverse()
      .map(([name, text]): [string, string] => [name.toUpperCase(), ` ${text}\t`]);
    expect(await outcome({ method, url, headers: new Headers(turned) }, verifier(world))).toBe("accepted");
  });

  test("may carry other signatures beside ours", async () => {
    const message = await tampered(world, ({ headers }) => {
      headers.set(
        "signature-input",
        `sig=("@authority");tag="web-bot-auth", ${headers.get("signature-input")}`,
      );
      headers.set("signature", `sig=:AAAA:, ${headers.get("signature")}`);
      return undefined;
    });
    expect(await outcome(message, verifier(world))).toBe("accepted");
  });

  test("may have any header changed that is not covered", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^x-[a-z]{1,10}$/),
        fc.stringMatching(/^[ -~]{0,20}$/),
        async (name, text) => {
          expect(await outcome(await tampered(world, header(name, text)), verifier(world))).toBe("accepted");
        },
      ),
      { seed: 42, numRuns: 25 },
    );
  });

  test.each(["get", "Get", "p\u00f6st", "", "A B"])("is not made for the method %j", async (method) => {
    const proof = { audience: self, credential: world.credential, now, nonce: "n" };
    expect((await signMessage({ ...validMessage(), method }, proof)).ok).toBe(false);
  });

  test("is not made over a covered header that two readers could read differently", async () => {
    const proof = { audience: self, credential: world.credential, now, nonce: "n" };
    const message = validMessage({ "content-type": "text/plain\u0001" });
    expect(await signMessage(message, proof)).toEqual({
      ok: false,
      reason: expect.stringContaining("content-type"),
    });
    expect(message.headers.has("signature")).toBe(false);
  });

  test("is not made over more parts than a verifier looks at", async () => {
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`tulle-x${at}`, "1"]));
    const proof = { audience: self, credential: world.credential, now, nonce: "n" };
    expect((await signMessage(validMessage(many), proof)).ok).toBe(false);
  });
});

describe("the token cache", () => {
  test("takes in verified tokens only", async () => {
    const cache = new WitCache();
    const by = verifier(world, { cache });
    for (const junk of ["a.b.c", `${world.credential.wit}x`, "\u007f"]) {
      await outcome(await tampered(world, header("workload-identity-token", junk)), by);
    }
    expect(cache.size).toBe(0);
    await outcome(await signedMessage(world), by);
    await outcome(await signedMessage(world), by);
    expect(cache.size).toBe(1);
  });
});

describe("the draft's example request", () => {
  const headers = new Headers(
    wimse.request.headers.map(([name = "", text = ""]): [string, string] => [name, text]),
  );
  const message = { method: "GET", url: `https://svcb.example.com${wimse.request.requestTarget}`, headers };

  test("has the base that we build, and verifies with the key of its token", async () => {
    const {
      components: covered,
      parameters,
      label,
    } = value(parseSignatureInput(headers.get("signature-input") ?? ""));
    const values: Readonly<Record<string, string>> = {
      "@method": "GET",
      "@request-target": wimse.request.requestTarget,
    };
    const base = value(
      signatureBase(covered, parameters, (name) => values[name] ?? headers.get(name) ?? undefined),
    );
    expect(base).toBe(wimse.request.signatureBase);
    const key = await crypto.subtle.importKey("jwk", wimse.request.publicKey, "Ed25519", false, ["verify"]);
    const signature = value(parseSignature(headers.get("signature") ?? "", label));
    expect(await crypto.subtle.verify("Ed25519", key, signature, new TextEncoder().encode(base))).toBe(true);
  });

  test("is refused here: no key of ours signed its token", async () => {
    expect(await outcome(message, verifier(world, { now: wimse.request.validAtUnix * 1_000 }))).toBe("token");
  });
});
