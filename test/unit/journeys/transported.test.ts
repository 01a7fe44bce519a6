import { describe, expect, test } from "vitest";
import { BreakingStream } from "../../../mesh-runtime/foundation/breaking-stream.ts";
import { transported } from "../../../mesh-runtime/transported.ts";

type Ready = Parameters<ReturnType<typeof transported>>[0];

/** A body that gives one chunk and breaks when it is told to. */
function body() {
  const failed = Promise.withResolvers<Uint8Array | undefined>();
  const chunks = [new Uint8Array(1_000)];
  const stream = new BreakingStream(
    async () => chunks.shift() ?? failed.promise,
    () => undefined,
  );
  return { stream, breakOff: () => failed.reject(new Error("the client went away")) };
}

/** Sends a body through the step to a callee that answers when it has read the whole of it. */
function send(stream: BreakingStream, signal?: AbortSignal) {
  const requests: Request[] = [];
  const step = transported({
    hear: () => undefined,
    transport: {
      vouchesFor: () => true,
      send: async (_endpoint, request) => {
        requests.push(request);
        return new Response(await request.text());
      },
    },
  });
  const exchange = {
    message: { url: new URL("http://payments/"), method: "POST", headers: new Headers(), body: stream },
    recipient: {
      settings: { key: "default/payments" },
      endpoint: { address: { kind: "binding", binding: "PAYMENTS" } },
    },
    signal,
  };
  return { answer: step(exchange as unknown as Ready), requests };
}

describe("transported", () => {
  test("calls a request off whose body breaks: a runtime could end it as if it were whole", async () => {
    const { stream, breakOff } = body();
    const { answer, requests } = send(stream);
    breakOff();
    expect(await answer).toEqual({ ok: false, reason: { kind: "cancelled" } });
    expect(requests[0]?.signal.aborted).toBe(true);
  });

  test("sends nothing of a body that is broken already", async () => {
    const { stream, breakOff } = body();
    breakOff();
    await new Response(stream).text().catch(() => undefined);
    const { answer, requests } = send(stream, new AbortController().signal);
    expect(await answer).toEqual({ ok: false, reason: { kind: "cancelled" } });
    expect(requests).toEqual([]);
  });

  test("blames no destination for a message that is no request", async () => {
    let sent = 0;
    const step = transported({
      hear: () => undefined,
      transport: {
        vouchesFor: () => true,
        send: async () => {
          sent++;
          return new Response();
        },
      },
    });
    const body = new Uint8Array(1);
    const message = { url: new URL("http://payments/"), method: "GET", headers: new Headers(), body };
    const recipient = {
      settings: { key: "default/payments" },
      endpoint: { address: { kind: "url", url: "http://x" } },
    };
    const answer = await step({ message, recipient, signal: undefined } as unknown as Ready);
    expect([answer, sent]).toMatchObject([{ ok: false, reason: { kind: "internal" } }, 0]);
  });

  test.each([
    ["heard where the runtime vouches for who answers", true, ["7", "default/stock=1.1.o"]],
    ["not heard from a server behind an address", false, []],
  ])("what an answer says about the mesh is %s", async (_who, vouched, heard) => {
    const said: (string | null)[] = [];
    const step = transported({
      hear: (...news) => said.push(...news),
      transport: {
        vouchesFor: () => vouched,
        send: async () =>
          new Response(null, { headers: { "tulle-epoch": "7", "tulle-circuits": "default/stock=1.1.o" } }),
      },
    });
    const message = { url: new URL("http://payments/"), method: "GET", headers: new Headers(), body: null };
    const recipient = {
      settings: { key: "default/payments" },
      endpoint: { address: { kind: "url", url: "http://x" } },
    };
    await step({ message, recipient, signal: undefined } as unknown as Ready);
    expect(said).toEqual(heard);
  });
});
