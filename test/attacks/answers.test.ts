import { describe, expect, test } from "vitest";
import type { Answer, Message } from "../../mesh-runtime/foundation/exchange.ts";
import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import { ok } from "../../mesh-runtime/foundation/result.ts";
import { contentDigest } from "../../mesh-runtime/identity/content-digest.ts";
import { signMessage } from "../../mesh-runtime/identity/proof.ts";
import { type Recipient, signed } from "../../mesh-runtime/identity/signed.ts";
import { caller, now, self, value } from "../unit/identity/fixture.ts";
import {
  ask,
  input,
  nonce,
  other,
  payments,
  proofNames,
  recipient,
  type Way,
  wire,
  world,
} from "./answered.ts";
import { isolate, loadedPolicy } from "./journey.ts";

describe("an answer that must be signed", () => {
  test("is believed when it is, and shows the application nothing of that", async () => {
    const { ending, status, text, headers, handled } = await ask();
    expect([ending, status, text, handled]).toEqual(["believed", 200, "paid", 1]);
    expect(proofNames.filter((name) => headers?.has(name))).toEqual([]);
    expect(headers?.get("content-type")).toBe("text/plain");
  });

  test.each<[string, Way, number, string]>([
    ["without a body", { handler: async () => new Response(null, { status: 204 }) }, 204, ""],
    ["with an empty body", { handler: async () => new Response("") }, 200, ""],
    [
      "to HEAD, whatever the application makes",
      { method: "HEAD", handler: async () => new Response("long") },
      200,
      "long",
    ],
    ["that says no", { handler: async () => new Response("sold out", { status: 404 }) }, 404, "sold out"],
    [
      "without a body where the application says what its digest is",
      {
        handler: async () => new Response(null, { status: 204, headers: { "content-digest": "md5=:AA==:" } }),
      },
      204,
      "",
    ],
    ["that moved", { handler: async () => Response.redirect("https://payments/new", 302) }, 302, ""],
    [
      "that the application had signed for its own reasons",
      {
        handler: async () =>
          new Response("paid", { headers: { signature: "sig=:AAAA:", "content-digest": "md5=:AA==:" } }),
      },
      200,
      "paid",
    ],
    [
      "that is passed on as it came from elsewhere",
      { handler: async () => fetch("data:text/plain,elsewhere") },
      200,
      "elsewhere",
    ],
  ])("is believed %s", async (_, way, status, text) => {
    const on = way.method === "HEAD" ? wire(() => undefined) : undefined;
    const come = await ask({
      ...way,
      ...(on === undefined ? {} : { settings: { largeBody: "unsigned" }, on }),
    });
    expect([come.ending, come.status, come.text]).toEqual(["believed", status, text]);
  });

  test("is signed too where the mesh refuses, once it knows the caller", async () => {
    const failed = await ask({ handler: () => Promise.reject(new Error("inner")) });
    expect([failed.ending, failed.status]).toEqual(["believed", 500]);
    expect(failed.text).toContain("problems/handler-failed");
    const unasked = await ask({ method: "DELETE" });
    expect([unasked.ending, unasked.status, unasked.handled]).toEqual(["believed", 403, 0]);
  });

  test("is not made, and nothing is done for it, where there is no credential to sign it with", async () => {
    const { ending, handled } = await ask({ by: null });
    expect(ending).toMatch(/^answer-unverified missing: .*503 mesh-not-ready/);
    expect(handled).toBe(0);
  });

  test("becomes a signed problem above the limit, or goes unsigned as far as policy says", async () => {
    const large = "x".repeat(5_000);
    const handler = async () => new Response(large);
    const refused = await ask({ handler });
    expect([refused.ending, refused.status]).toEqual(["believed", 501]);
    expect(refused.text).toContain("problems/answer-unsigned");
    const passed = await ask({ handler, settings: { largeBody: "unsigned" } });
    expect([passed.ending, passed.status, passed.text]).toEqual(["believed", 200, large]);
    const changed = await ask({
      handler,
      settings: { largeBody: "unsigned" },
      on: wire((headers) => headers.delete("signature")),
    });
    expect(changed.ending).toMatch(/^answer-unverified missing/);
  });

  test("says what was signed before its callee was revoked, however late its body comes; no other one is believed", async () => {
    let bundle = world.bundle;
    const workloads = new Map([[self, Number.POSITIVE_INFINITY]]);
    const revoke = () => {
      bundle = { ...bundle, sequence: bundle.sequence + 1, revoked: { ...bundle.revoked, workloads } };
    };
    const late = (text: string) => (answer: Response) => {
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        revoke();
        controller.enqueue(new TextEncoder().encode(text));
        controller.close();
      };
      return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), answer);
    };
    const trust = () => bundle;
    expect(await ask({ trust, on: late("paid") })).toMatchObject({ ending: "believed", text: "paid" });
    expect((await ask({ trust })).ending).toMatch(/^answer-unverified revoked/);
    bundle = world.bundle;
    expect((await ask({ trust, on: late("not paid") })).ending).toMatch(/^answer-unverified digest/);
  });

  test.each<[string, NonNullable<Way["on"]>, RegExp]>([
    [
      "has no signature",
      wire((headers) => proofNames.forEach((name) => void headers.delete(name))),
      /missing: .*200/,
    ],
    ["is another 200 altogether", () => new Response("paid"), /missing/],
    ["is an error that somebody else makes", () => new Response("no", { status: 503 }), /missing: .*503/],
    [
      "says that the request never arrived, so that it would be sent again",
      () => new Response("no", { status: 503, headers: { "tulle-problem": "mesh-not-ready" } }),
      /missing: .*503 mesh-not-ready/,
    ],
    [
      "has another status",
      (answer) => new Response(answer.body, { status: 201, headers: answer.headers }),
      /proof/,
    ],
    ["has another body", (answer) => new Response("paid twice", answer), /digest/],
    ["has lost its body", (answer) => new Response(null, answer), /digest/],
    [
      "has the digest of another body",
      async (answer) => {
        const changed = new Response("paid twice", answer);
        changed.headers.set("content-digest", await contentDigest(new TextEncoder().encode("paid twice")));
        return changed;
      },
      /proof/,
    ],
    ["has no digest", wire((headers) => headers.delete("content-digest")), /proof/],
    ["has another content-type", wire((headers) => headers.set("content-type", "text/html")), /proof/],
    ["has one more word of the mesh", wire((headers) => headers.set("tulle-circuits", "x")), /malformed/],
    ["has one less word of the mesh", wire((headers) => headers.delete("tulle-epoch")), /proof/],
    [
      "answers another request, it says",
      input(/wimse-req-nonce="[^"]*"/, 'wimse-req-nonce="other"'),
      /proof/,
    ],
    ["does not say which request it answers", input(/;wimse-req-nonce="[^"]*"/, ""), /malformed/],
    ["names a key", input(";tag", ';keyid="mine";tag'), /malformed/],
    ["names an algorithm", input(";tag", ';alg="hmac-sha256";tag'), /malformed/],
    ["has another tag", input("wimse-workload-to-workload", "web-bot-auth"), /malformed/],
    ["has an audience", input(";tag", ';wimse-aud="x";tag'), /malformed/],
    ["does not cover its status", input('"@status" ', ""), /malformed/],
    ["does not cover the method", input('"@method";req ', ""), /malformed/],
    ["does not cover who asked", input('"workload-identity-token";req ', ""), /malformed/],
    ["covers a method of its own", input('"@method";req', '"@method"'), /malformed/],
    ["covers something twice", input('"@status"', '"@status" "@status"'), /malformed/],
    ["has parameters that nobody knows", input('"@status"', '"@status";sf'), /malformed/],
    [
      "has two signatures with our tag",
      wire((headers) => headers.append("signature-input", `b${headers.get("signature-input")}`)),
      /malformed/,
    ],
    [
      "is the request's own proof, reflected",
      (answer, request) =>
        wire((headers) => {
          for (const name of proofNames) headers.set(name, request.headers.get(name) ?? "");
        })(answer),
      /malformed/,
    ],
    ["has a token that is none", wire((headers) => headers.set("workload-identity-token", "a.b.c")), /token/],
    [
      "has the token of somebody else",
      wire((headers) => headers.set("workload-identity-token", other.wit)),
      /proof/,
    ],
  ])("49: is refused when it %s", async (_, on, step) => {
    const { ending, handled } = await ask({ on });
    expect(ending).toMatch(new RegExp(`^answer-unverified (?:${step.source})`));
    expect(ending).not.toMatch(/eyJ/);
    expect(handled).toBe(1);
  });

  test("49: is refused when it is made to lead elsewhere, or nowhere", async () => {
    const moved = async () => Response.redirect("https://payments/new", 302);
    const made = async () => new Response(null, { status: 201 });
    const elsewhere = wire((headers) => headers.set("location", "https://evil.example/"));
    const nowhere = wire((headers) => headers.delete("location"));
    expect((await ask({ handler: moved })).headers?.get("location")).toBe("https://payments/new");
    expect((await ask({ handler: moved, on: elsewhere })).ending).toMatch(/^answer-unverified proof/);
    expect((await ask({ handler: moved, on: nowhere })).ending).toMatch(/^answer-unverified proof/);
    expect((await ask({ handler: made, on: elsewhere })).ending).toMatch(/^answer-unverified malformed/);
  });

  test("49: is refused when it had no body and is given one, also where bodies may go unsigned", async () => {
    const on = wire(() => undefined);
    for (const [handler, status] of [
      [async () => new Response(null), 200],
      [async () => Response.redirect("https://payments/new", 302), 302],
    ] as const) {
      const settings = { largeBody: "unsigned" } as const;
      expect(await ask({ handler, settings, on })).toMatchObject({ ending: "believed", status });
      const given = (answer: Response) => new Response(new Uint8Array([1, 2, 3]), answer);
      expect((await ask({ handler, settings, on: given })).ending).toMatch(/^answer-unverified digest/);
    }
  });

  test("49: is told of by its status alone where it says something of its own about why it is what it is", async () => {
    const { ending } = await ask({
      on: () => new Response("no", { status: 503, headers: { "tulle-problem": `a ${"x".repeat(60_000)}` } }),
    });
    expect(ending).toBe("answer-unverified missing: the answer is not signed (it came with 503)");
  });

  test("49: is refused when another workload of the mesh has signed it", async () => {
    expect((await ask({ by: other })).ending).toMatch(/^answer-unverified audience/);
    expect((await ask({ by: world.credential })).ending).toMatch(/^answer-unverified audience/);
    expect(caller).not.toBe(self);
  });

  test("49: is refused when it is the true answer to another request, or to the same one before", async () => {
    const seen: Response[] = [];
    const keep = (answer: Response) => {
      seen.push(answer.clone());
      return answer;
    };
    await ask({ on: keep });
    await ask({ on: keep, handler: async () => new Response("sold out", { status: 404 }) });
    for (const former of seen) {
      const { ending } = await ask({ on: () => former });
      expect(ending).toMatch(/^answer-unverified replay/);
    }
  });

  test("49: is refused when it was made for somebody else, who asked the same with the nonce of this request", async () => {
    let made: Response | undefined;
    const { ending, handled } = await ask({
      on: async (_answer, request, arrive) => {
        const nonce = /;nonce="([^"]*)"/.exec(request.headers.get("signature-input") ?? "")?.[1] ?? "";
        const headers = new Headers();
        const { method, url } = request;
        const proof = { audience: self, credential: other, now, nonce, signResponse: true };
        value(await signMessage({ method, url, headers }, proof));
        made = await arrive(new Request(url, { method, headers }));
        return made.clone();
      },
    });
    // The attacker may not even call: the refusal is signed as well.
    expect([made?.status, made?.headers.has("signature")]).toEqual([403, true]);
    expect(ending).toMatch(/^answer-unverified proof/);
    expect(handled).toBe(1);
  });

  test("49: is refused when it comes later than it is valid", async () => {
    expect((await ask({ lateMs: 29_999 })).ending).toBe("believed");
    expect((await ask({ lateMs: 30_000 })).ending).toMatch(/^answer-unverified clock/);
  });
});

test("49: an answer that nobody demands to be signed is as the application made it", async () => {
  const seen: Headers[] = [];
  const { responses: _, ...settings } = recipient().settings;
  const keep = (answer: Response) => {
    seen.push(answer.headers);
    return answer;
  };
  const unsigned = { ...recipient(), settings };
  expect(unsigned.settings).not.toHaveProperty("responses");
  const callee = isolate(await loadedPolicy(), () => world.bundle, undefined, undefined, undefined, {
    credential: () => payments,
    nonce,
  });
  const step = signed({ credential: () => world.credential, clock: { now: () => now }, nonce }).wrap<{
    message: Message;
    recipient: Recipient;
  }>(async ({ message }): Promise<Answer> => {
    const request = new Request(message.url, { method: "POST", headers: [...message.headers] });
    expect(request.headers.get("signature-input")).not.toContain("wimse-sign-response");
    const { status, headers, body } = await callee.arrive(request);
    return ok(keep(new Response(body, { status, headers })));
  });
  const message = {
    url: new URL("https://payments/charge"),
    method: "POST",
    headers: new Fields(),
    body: null,
  };
  const answer = await step({ message, recipient: unsigned });
  expect(answer.ok && (await answer.value.text())).toBe("paid");
  expect(proofNames.some((name) => seen[0]?.has(name))).toBe(false);
  expect(seen[0]?.has("content-digest")).toBe(false);
});
