import { describe, expect, test } from "vitest";
import { BodyRoom } from "../../../mesh-runtime/identity/body-room.ts";
import type { IdentifiedPorts } from "../../../mesh-runtime/identity/identified.ts";
import { ReplayWindow } from "../../../mesh-runtime/identity/replay.ts";
import { arrive, proven, sent, url, world } from "./arriving.ts";
import { caller, makeWit, now, signedMessage } from "./fixture.ts";

test("a caller that holds uploads open is refused once half of the room is his, and others are heard", async () => {
  const bodies = new BodyRoom(20_000);
  const until = now + 30_000;
  // Somebody else's, still on its way.
  expect(bodies.place("spiffe://mesh.local/ns/default/sa/other", until).take(900, now)).toBe(true);
  const body = "x".repeat(600);
  const first = bodies.place(caller, until);
  expect(first.take(5_000, now)).toBe(true);
  expect((await arrive(await proven(body), {}, { bodies })).outcome).toBe("overloaded");
  first.leave();
  expect((await arrive(await proven(body), {}, { bodies })).outcome).toBe("accepted");
  expect(bodies.held).toBe(900 + 4_096);
});

test("a caller whose uploads the runtime tore down is heard again once their proofs have expired", async () => {
  const bodies = new BodyRoom(20_000);
  const { headers } = await proven("x");
  await new Promise<void>((waited) => {
    let pulled = 0;
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) =>
      pulled++ === 0 ? controller.enqueue(new Uint8Array(900)) : waited();
    const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
    // None of its lines runs any more.
    void arrive(new Request(url, { method: "POST", headers, body }), {}, { bodies });
  });
  expect(bodies.held).toBe(900 + 4_096);
  expect((await arrive(await proven("y".repeat(600)), {}, { bodies })).outcome).toBe("accepted");
  expect(bodies.place(caller, now + 60_000).take(5_000, now + 29_999)).toBe(false);
  expect(bodies.place(caller, now + 60_000).take(5_000, now + 30_000)).toBe(true);
});

describe("a request whose body is held back", () => {
  /** Its body comes when what happens meanwhile has happened. */
  async function held(meanwhile: () => void, ports: Partial<IdentifiedPorts>): Promise<string> {
    const whole = await proven("late");
    const bytes = new Uint8Array(await whole.clone().arrayBuffer());
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          meanwhile();
          controller.enqueue(bytes);
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const request = new Request(url, { method: "POST", headers: whole.headers, body });
    return (await arrive(request, {}, ports)).outcome;
  }

  test("goes through while its proof is valid, and by a newer bundle that believes its caller too", async () => {
    let bundle = world.bundle;
    let time = now;
    const ports = { trust: () => bundle, clock: { now: () => time } };
    const meanwhile = () => {
      time = now + 29_999;
      bundle = { ...world.bundle, sequence: world.bundle.sequence + 1 };
    };
    expect(await held(meanwhile, ports)).toBe("accepted");
  });

  test("is refused when its proof has expired", async () => {
    let time = now;
    const meanwhile = () => {
      time = now + 30_000;
    };
    expect(await held(meanwhile, { clock: { now: () => time } })).toBe("unidentified clock");
  });

  test("is refused when its caller has been revoked", async () => {
    let bundle = world.bundle;
    const revoked = { ...bundle.revoked, workloads: new Map([[caller, Number.POSITIVE_INFINITY]]) };
    const meanwhile = () => {
      bundle = { ...bundle, sequence: bundle.sequence + 1, revoked };
    };
    expect(await held(meanwhile, { trust: () => bundle })).toBe("unidentified revoked");
  });
});

describe("a request whose body streams, because policy lets it go unsigned", () => {
  test("is judged when it arrives, and goes on when its caller is revoked in the middle; no other one does", async () => {
    let bundle = world.bundle;
    const { headers } = await proven("", {}, false);
    const pieces = ["a", "b"].map((piece) => new TextEncoder().encode(piece));
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    };
    const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
    const unsigned = { largeBody: "unsigned" } as const;
    const ports = { trust: () => bundle };
    const request = new Request(url, { method: "POST", headers, body });
    const begun = await arrive(request, unsigned, ports);
    // The application has it, and nothing of the body has been read.
    expect([begun.outcome, pieces.length]).toEqual(["accepted", 2]);
    const revoked = { ...bundle.revoked, workloads: new Map([[caller, Number.POSITIVE_INFINITY]]) };
    bundle = { ...bundle, sequence: bundle.sequence + 1, revoked };
    expect(await begun.request?.text()).toBe("ab");
    expect((await arrive(await proven("c", {}, false), unsigned, ports)).outcome).toBe(
      "unidentified revoked",
    );
  });
});

describe("a request with a proof", () => {
  test("is from who signed it", async () => {
    const { outcome, principal, notes } = await arrive(await proven());
    expect(outcome).toBe("accepted");
    expect(principal).toMatchObject({
      id: { uri: caller },
      namespace: "default",
      service: "web",
      evidence: "signature",
    });
    expect(notes).toMatchObject({ peer: caller, source: "default/web", evidence: "signature" });
  });

  test("goes on without a trace of any identity; what its caller's mesh said goes on beside it", async () => {
    const mesh = {
      "tulle-deadline-ms": "5",
      "tulle-attempt-credits": "2",
      "tulle-hops": "1",
      "tulle-epoch": "9",
    };
    const { request, said } = await arrive(
      await proven(undefined, {
        ...mesh,
        "tulle-other": "1",
        "x-spiffe-id": "spiffe://example.org/admin",
        authorization: "Bearer app",
      }),
    );
    expect(Object.fromEntries(request?.headers ?? [])).toEqual({
      "x-app": "1",
      authorization: "Bearer app",
    });
    expect(said).toEqual({ deadline: "5", credits: "2", hops: "1", epoch: "9" });
  });

  test("hands its verified body on", async () => {
    const { outcome, request } = await arrive(await proven("hello"));
    expect(outcome).toBe("accepted");
    expect(await request?.text()).toBe("hello");
  });

  test("hands an empty body on, digested or absent", async () => {
    expect((await arrive(await proven(""))).outcome).toBe("accepted");
    expect((await arrive(await proven("", {}, false))).outcome).toBe("accepted");
    const { request } = await arrive(await proven("", {}, false));
    expect(await request?.text()).toBe("");
  });

  test.each([
    ["another body", "hullo"],
    ["a shorter body", "hell"],
    ["a longer body", "hello!"],
    ["no body", undefined],
  ])("is refused with %s than the one that was signed", async (_, body) => {
    const { headers } = await proven("hello");
    const { outcome, request } = await arrive(sent(headers, body));
    expect(outcome).toBe("unidentified digest");
    expect(request).toBe(undefined);
  });

  test("is refused with a body that nobody signed, unless the policy lets bodies go unsigned", async () => {
    expect((await arrive(await proven("hello", {}, false))).outcome).toBe("unidentified digest");
    const { outcome, request } = await arrive(await proven("hello", {}, false), { largeBody: "unsigned" });
    expect(outcome).toBe("accepted");
    expect(await request?.text()).toBe("hello");
  });

  test("is still held to its digest where bodies may go unsigned", async () => {
    const { headers } = await proven("hello");
    expect((await arrive(sent(headers, "hullo"), { largeBody: "unsigned" })).outcome).toBe(
      "unidentified digest",
    );
  });

  test("is refused with a digested body above the limit", async () => {
    const body = "a".repeat(1_025);
    expect((await arrive(await proven(body))).outcome).toBe("body-too-large");
    expect((await arrive(await proven(body.slice(1)))).outcome).toBe("accepted");
  });

  test("is refused with a digest that has no sha-256", async () => {
    const request = await proven("hello", { "content-digest": "md5=:XUFAKrxLKna5cZ2REBfFkg==:" }, false);
    expect((await arrive(request)).outcome).toBe("unidentified digest");
  });

  test("whose caller goes away in mid-body is cancelled", async () => {
    const { method, headers } = await proven("hello");
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error("gone")),
    });
    expect((await arrive(new Request(url, { method, headers, body }))).outcome).toBe("cancelled");
  });

  test("is refused in PERMISSIVE mode too when the proof is bad", async () => {
    const request = await proven();
    const forged = new Request("https://payments/refund", request);
    const { outcome, counted } = await arrive(forged, { mode: "PERMISSIVE" });
    expect(outcome).toBe("unidentified proof");
    expect(counted).toEqual([]);
  });

  test.each(["signature", "signature-input"])(
    "is refused in PERMISSIVE mode without its %s",
    async (name) => {
      const { headers } = await proven();
      headers.delete(name);
      expect(
        (await arrive(new Request(url, { method: "POST", headers }), { mode: "PERMISSIVE" })).outcome,
      ).toBe("unidentified missing");
    },
  );

  test("is judged by its proof, not by what the binding says", async () => {
    const props = { bindingProps: { service: "admin", namespace: "default" } };
    expect((await arrive(await proven(), { evidence: "binding" }, props)).principal).toMatchObject({
      service: "web",
      evidence: "signature",
    });
    const forged = new Request("https://payments/refund", await proven());
    expect((await arrive(forged, { evidence: "binding" }, props)).outcome).toBe("unidentified proof");
  });

  test("waits for the mesh when there is no bundle yet", async () => {
    expect((await arrive(await proven(), {}, { trust: () => undefined })).outcome).toBe("mesh-not-ready");
  });

  test("is refused when its name is no workload's", async () => {
    const wit = await makeWit(world, { sub: "spiffe://example.org/admin" });
    const headers = new Headers();
    await signedMessage(
      { ...world, credential: { ...world.credential, wit } },
      { method: "GET", url, headers },
    );
    expect((await arrive(new Request(url, { headers }))).outcome).toBe("unidentified token");
  });

  test("is refused a second time, by the same isolate's memory", async () => {
    const replay = new ReplayWindow();
    const request = await proven();
    expect((await arrive(new Request(request), {}, { replay })).outcome).toBe("accepted");
    expect((await arrive(new Request(request), {}, { replay })).outcome).toBe("unidentified replay");
  });

  test("is not one with its token in Authorization", async () => {
    const headers = { authorization: `Bearer ${world.credential.wit}` };
    expect((await arrive(new Request(url, { headers }))).outcome).toBe("unidentified missing");
  });
});

describe("a proof that may be used once in the whole mesh", () => {
  const mine = {
    sender: expect.stringMatching(/^[\w-]{43}$/),
    owner: "spiffe://example.org/ns/default/sa/web",
    nonce: expect.stringMatching(/^nonce-/),
  };
  const times = { created: now / 1_000, expires: now / 1_000 + 30 };

  test("goes on to whoever remembers, where the policy of the workload wants it", async () => {
    const { oneUse, request } = await arrive(await proven(), { replay: "strict" });
    expect(oneUse).toEqual({ ...mine, ...times, watch: "" });
    expect((await arrive(await proven())).oneUse).toBeUndefined();
    expect(request?.headers.has("tulle-replay")).toBe(false);
  });

  test("goes on where the caller's route wants it, with the watch that the caller has heard of", async () => {
    const said = { "tulle-replay": "strict", "tulle-watch": "w-1" };
    const { oneUse, request } = await arrive(await proven(undefined, said));
    expect(oneUse).toEqual({ ...mine, ...times, watch: "w-1" });
    expect([...(request?.headers.keys() ?? [])]).toEqual(["x-app"]);
    expect((await arrive(await proven(undefined, { "tulle-replay": "window" }))).oneUse).toBeUndefined();
    const junk = { "tulle-replay": "strict", "tulle-watch": "w 1;" };
    expect((await arrive(await proven(undefined, junk))).oneUse).toMatchObject({ watch: "" });
  });

  test("is demanded by a signed header alone: one that is taken off, or put on, spoils the proof", async () => {
    const strictly = await proven(undefined, { "tulle-replay": "strict" });
    const bare = new Headers(strictly.headers);
    bare.delete("tulle-replay");
    expect((await arrive(sent(bare))).outcome).toBe("unidentified proof");
    const more = new Headers((await proven()).headers);
    more.set("tulle-watch", "w-1");
    expect((await arrive(sent(more))).outcome).toBe("unidentified malformed");
  });

  test("is nobody's whom the platform vouches for: there is none", async () => {
    const props = { service: "web", namespace: "default" };
    const { outcome, oneUse } = await arrive(
      sent(new Headers({ "tulle-replay": "strict" })),
      { evidence: "binding", replay: "strict" },
      { bindingProps: props },
    );
    expect([outcome, oneUse]).toEqual(["accepted", undefined]);
  });
});
