import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Answer, Message } from "../../../mesh-runtime/foundation/exchange.ts";
import type { Endpoint } from "../../../mesh-runtime/foundation/ports.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { contentDigest } from "../../../mesh-runtime/identity/content-digest.ts";
import { verifyMessage } from "../../../mesh-runtime/identity/proof.ts";
import { type Recipient, type SignedPorts, signed } from "../../../mesh-runtime/identity/signed.ts";
import { parseSpiffeId } from "../../../mesh-runtime/identity/spiffe-id.ts";
import { makeWorld, now, outcome, self, value, verifier, type World } from "./fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const recipient = (settings: Partial<Recipient["settings"]> = {}, address?: Endpoint): Recipient => ({
  id: value(parseSpiffeId(self)),
  settings: { evidence: "signature", largeBody: "reject", maxDigestBytes: 1_024, ...settings },
  ...(address === undefined ? {} : { endpoint: { address } }),
});
const bytes = (text: string) => new TextEncoder().encode(text);
const streamOf = (...texts: string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const text of texts) controller.enqueue(bytes(text));
      controller.close();
    },
  });
const message = (body: Message["body"] = null, headers: Record<string, string> = {}): Message => ({
  url: new URL("https://payments/charge?a=1"),
  method: "POST",
  headers: new Headers(headers),
  body,
});

let nonces = 0;

/** Lets a message through the layer; gives the message that came out, or the refusal's kind. */
async function leave(
  leaving: Message,
  to = recipient(),
  ports: Partial<SignedPorts> = {},
): Promise<Message | string> {
  let left: Message | undefined;
  const sign = signed({
    credential: () => world.credential,
    clock: { now: () => now },
    nonce: () => `n${nonces++}`,
    ...ports,
  }).wrap<{ message: Message; recipient: Recipient }>(async (exchange): Promise<Answer> => {
    left = exchange.message;
    return ok(new Response());
  });
  const answer = await sign({ message: leaving, recipient: to });
  if (!answer.ok) return answer.reason.kind;
  return left ?? "not reached";
}
async function left(...given: Parameters<typeof leave>): Promise<Message> {
  const result = await leave(...given);
  if (typeof result === "string") throw new Error(result);
  return result;
}
const verified = (sent: Message) => outcome({ ...sent, url: sent.url.href }, verifier(world));

describe("signed", () => {
  test("proves a message so that its recipient believes it", async () => {
    const sent = await left(message());
    expect(await verified(sent)).toBe("accepted");
    expect(sent.headers.has("content-digest")).toBe(false);
  });

  test("digests bytes, and a stream after reading it", async () => {
    const digest = await contentDigest(bytes("hello"));
    const whole = await left(message(bytes("hello")));
    expect(whole.headers.get("content-digest")).toBe(digest);
    const streamed = await left(message(streamOf("he", "llo")));
    expect(streamed.headers.get("content-digest")).toBe(digest);
    expect(streamed.body).toEqual(bytes("hello"));
    const proof = await verifyMessage({ ...streamed, url: streamed.url.href }, verifier(world));
    expect(value(proof).contentDigest).toBe(digest);
  });

  test("replaces what an earlier attempt or the application put there, and leaves authorization alone", async () => {
    const own = {
      authorization: "Bearer app",
      "content-digest": "sha-256=:AAAA:",
      signature: "sig=:AAAA:",
      "signature-input": "sig=()",
      "txn-token": "t",
      "workload-identity-token": "a.b.c",
      "workload-proof-token": "a.b.c",
      "x-spiffe-id": "spiffe://example.org/admin",
    };
    const sent = await left(message(bytes("hello"), own));
    const first = sent.headers.get("signature");
    expect([...sent.headers.keys()]).toEqual([
      "authorization",
      "content-digest",
      "signature",
      "signature-input",
      "workload-identity-token",
    ]);
    expect(await verified(sent)).toBe("accepted");
    const again = await left(sent);
    expect(again.headers.get("signature")).not.toBe(first);
    expect(await verified(again)).toBe("accepted");
  });

  test("takes an application's digest away from a message without body", async () => {
    const sent = await left(message(null, { "content-digest": "sha-256=:AAAA:" }));
    expect(sent.headers.has("content-digest")).toBe(false);
  });

  test("refuses a body above the limit, bytes or stream", async () => {
    const large = "a".repeat(1_025);
    expect(await leave(message(bytes(large)))).toBe("body-too-large");
    expect(await leave(message(streamOf(large.slice(0, 600), large.slice(600))))).toBe("body-too-large");
    expect(typeof (await leave(message(bytes(large.slice(1)))))).toBe("object");
  });

  test("sends a body above the limit whole and without digest where the policy lets it", async () => {
    const to = recipient({ largeBody: "unsigned" });
    const parts = ["a".repeat(600), "b".repeat(600), "c".repeat(600)];
    const own = { "content-digest": "sha-256=:AAAA:" };
    for (const body of [bytes(parts.join("")), streamOf(...parts)]) {
      const sent = await left(message(body, own), to);
      expect(sent.headers.has("content-digest")).toBe(false);
      expect(await new Response(sent.body as ReadableStream<Uint8Array>).text()).toBe(parts.join(""));
      expect(await verified(sent)).toBe("accepted");
    }
  });

  test("says of no body that it is none where a body may come without a digest", async () => {
    const sent = await left(message(), recipient({ largeBody: "unsigned" }));
    expect(sent.headers.get("content-digest")).toBe(await contentDigest(new Uint8Array()));
    expect(sent.body).toBeNull();
    expect(await verified(sent)).toBe("accepted");
  });

  test("does not read a stream that says itself that it is above the limit", async () => {
    const body = streamOf("a".repeat(2_000));
    const sent = await left(
      message(body, { "content-length": "2000" }),
      recipient({ largeBody: "unsigned" }),
    );
    expect(sent.body).toBe(body);
    expect(body.locked).toBe(false);
    expect(await verified(sent)).toBe("accepted");
    expect(await leave(message(streamOf("a".repeat(2_000)), { "content-length": "2000" }))).toBe(
      "body-too-large",
    );
  });

  test("waits for no byte of a stream where none is digested", async () => {
    const never = new ReadableStream<Uint8Array>();
    const sent = await left(message(never), recipient({ largeBody: "unsigned", maxDigestBytes: 0 }));
    expect(sent.body).toBe(never);
    expect(await verified(sent)).toBe("accepted");
  });

  test("believes no stream that says it is within the limit", async () => {
    const lying = message(streamOf("a".repeat(2_000)), { "content-length": "5" });
    expect(await leave(lying)).toBe("body-too-large");
  });

  test("does nothing for a binding whose owner takes the platform's word, but take away claimed identities", async () => {
    const to = recipient({ evidence: "binding" }, { kind: "binding", binding: "PAYMENTS" });
    const body = streamOf("hello");
    const sent = await left(
      message(body, { signature: "sig=:AAAA:", "x-app": "1", authorization: "Bearer app" }),
      to,
      { credential: () => undefined },
    );
    expect([...sent.headers.keys()]).toEqual(["authorization", "x-app"]);
    expect(sent.body).toBe(body);
  });

  test("asks nothing of cryptography for such a binding, and does for a signature", async () => {
    const [sign, digest] = [vi.spyOn(crypto.subtle, "sign"), vi.spyOn(crypto.subtle, "digest")];
    onTestFinished(() => void vi.restoreAllMocks());
    const to = recipient({ evidence: "binding" }, { kind: "binding", binding: "PAYMENTS" });
    await left(message(bytes("hello")), to);
    expect([sign.mock.calls.length, digest.mock.calls.length]).toEqual([0, 0]);
    await left(message(bytes("hello")));
    expect([sign.mock.calls.length, digest.mock.calls.length]).toEqual([1, 1]);
  });

  test("signs for a URL or a dispatch namespace although the owner would take a binding's word, for there is none", async () => {
    const url = recipient({ evidence: "binding" }, { kind: "url", url: "https://payments.example.com" });
    const dispatch = recipient(
      { evidence: "binding" },
      { kind: "dispatch", binding: "TENANTS", worker: "a" },
    );
    expect(await verified(await left(message(), dispatch))).toBe("accepted");
    expect(await verified(await left(message(), url))).toBe("accepted");
    expect(await verified(await left(message(), recipient({ evidence: "binding" })))).toBe("accepted");
    const binding = recipient({}, { kind: "binding", binding: "PAYMENTS" });
    expect(await verified(await left(message(), binding))).toBe("accepted");
  });

  test("refuses without a credential, and with one that has expired", async () => {
    expect(await leave(message(), recipient(), { credential: () => undefined })).toBe("mesh-not-ready");
    const clock = { now: () => world.credential.expiresAt };
    expect(await leave(message(), recipient(), { clock })).toBe("mesh-not-ready");
  });

  test("signs and sends once more what its recipient has told of its watch, and tells nobody else", async () => {
    const telling = (watch: string) => new Response("no", { status: 503, headers: { "tulle-watch": watch } });
    const answers: Response[] = [telling("w-2")];
    const seen: (string | null)[] = [];
    const signatures = new Set<string | null>();
    const sign = signed({
      credential: () => world.credential,
      clock: { now: () => now },
      nonce: () => `n${nonces++}`,
    }).wrap<{ message: Message; recipient: Recipient }>(async (exchange): Promise<Answer> => {
      seen.push(exchange.message.headers.get("tulle-watch"));
      signatures.add(exchange.message.headers.get("signature"));
      if (exchange.message.body !== null)
        expect(await new Response(exchange.message.body as BodyInit).text()).toBe("gold");
      expect(await verified(exchange.message)).toMatch(/accepted|audience/);
      return ok(answers.shift() ?? new Response());
    });
    const other = { ...recipient(), id: value(parseSpiffeId("spiffe://example.org/ns/default/sa/other")) };
    const send = async (to: Recipient, body: Message["body"] = null) => {
      seen.length = 0;
      const answer = await sign({ message: message(body), recipient: to });
      return [value(answer).status, ...seen];
    };
    expect(await send(recipient(), streamOf("go", "ld"))).toEqual([200, null, "w-2"]);
    expect(await send(other)).toEqual([200, null]);
    expect(await send(recipient())).toEqual([200, "w-2"]);
    answers.push(telling("no name;"));
    expect(await send(recipient())).toEqual([503, "w-2"]);
    // One that it has been told already, and ever other ones: once more at most.
    answers.push(telling("w-2"));
    expect(await send(recipient())).toEqual([503, "w-2"]);
    answers.push(telling("w-3"), telling("w-4"));
    expect(await send(recipient())).toEqual([503, "w-2", "w-3"]);
    // What has gone by is not sent again; the next try knows more.
    answers.push(telling("w-5"));
    const unsigned = recipient({ largeBody: "unsigned", maxDigestBytes: 0 });
    expect(await send(unsigned, streamOf("gold"))).toEqual([503, "w-4"]);
    expect(await send(recipient())).toEqual([200, "w-5"]);
    expect(signatures.size).toBe(10);
  });

  test("tells no other mesh which policy is in force in this one", async () => {
    const said = { "tulle-epoch": "7", "tulle-hops": "1" };
    const near = await left(message(null, said));
    expect(near.headers.get("tulle-epoch")).toBe("7");
    const far = await left(message(null, said), recipient({ trustDomain: "partner.example" }));
    expect([far.headers.has("tulle-epoch"), far.headers.get("tulle-hops")]).toEqual([false, "1"]);
    expect(await verified(far)).toBe("accepted");
  });

  test("refuses what cannot be signed unambiguously", async () => {
    expect(await leave(message(null, { "content-type": "a\u0001" }))).toBe("internal");
  });
});
