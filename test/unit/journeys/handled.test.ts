import { describe, expect, test } from "vitest";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import { type Handle, handled } from "../../../mesh-runtime/handled.ts";
import { parseSpiffeId } from "../../../mesh-runtime/identity/spiffe-id.ts";
import type { Principal } from "../../../mesh-runtime/identity/words.ts";

type Ready = Parameters<ReturnType<typeof handled>>[0];

const id = parseSpiffeId("spiffe://mesh.local/ns/default/sa/web");
if (!id.ok) throw new Error(id.reason);
const web: Principal = { id: id.value, namespace: "default", service: "web", evidence: "signature" };

/** Lets one request through the step; tells what came out, and what was said to have crashed. */
async function answer(
  handle: (request: Request) => unknown,
  { principal = web, circuits = "", headers = {}, said = {}, sessionKey }: Given = {},
): Promise<{ readonly answer: Answer; readonly crashes: readonly unknown[] }> {
  const crashes: unknown[] = [];
  const step = handled({
    tell: () => ({ epoch: 41, circuits }),
    crashed: (error) => crashes.push(error),
  });
  const exchange = {
    principal: principal ?? undefined,
    request: new Request("http://payments/charge", { headers }),
    said: { epoch: null, credits: null, ...said },
    trace: {},
    deadlineAt: undefined,
    credits: { left: 2 },
    hops: 1,
    policy: {},
    handle: handle as unknown as Handle,
    sessionKey,
  };
  return { answer: await step(exchange as unknown as Ready), crashes };
}

interface Given {
  readonly principal?: Principal | null;
  readonly circuits?: string;
  readonly headers?: Record<string, string>;
  readonly said?: { readonly epoch?: string; readonly credits?: string };
  readonly sessionKey?: string;
}

async function headersOf(...given: Parameters<typeof answer>): Promise<Record<string, string>> {
  const { answer: answered } = await answer(...given);
  if (!answered.ok) throw new Error(answered.reason.kind);
  return Object.fromEntries(answered.value.headers);
}

/** As `fetch` answers it. */
function immutable(): Response {
  const response = new Response("ok");
  const locked = new Headers(response.headers);
  const refuse = (): never => {
    throw new TypeError("Can't modify immutable headers.");
  };
  Object.assign(locked, { set: refuse, delete: refuse });
  return Object.defineProperty(response, "headers", { value: locked });
}

describe("the application's answer", () => {
  test("tells a known caller the epoch, the credits that are left, and circuits that are not closed", async () => {
    expect(await headersOf(() => new Response(null))).toEqual({
      "tulle-epoch": "41",
      "tulle-attempt-credits": "2",
    });
    expect(await headersOf(() => new Response(null), { circuits: "default/ledger;open" })).toMatchObject({
      "tulle-circuits": "default/ledger;open",
    });
  });

  test("tells only what the caller has not said itself, and is then the application's own object", async () => {
    const said = { epoch: "41", credits: "2" };
    const own = new Response("ok");
    const { answer: answered } = await answer(() => own, { said });
    expect(answered.ok && answered.value === own).toBe(true);
    expect(Object.fromEntries(own.headers)).not.toHaveProperty("tulle-epoch");
    expect(await headersOf(() => new Response(null), { said: { ...said, epoch: "40" } })).toEqual({
      "tulle-epoch": "41",
    });
    expect(await headersOf(() => new Response(null), { said: { ...said, credits: "3" } })).toEqual({
      "tulle-attempt-credits": "2",
    });
  });

  test("tells the credits in any case where it failed, because silence there means that they are spent", async () => {
    const said = { epoch: "41", credits: "2" };
    expect(await headersOf(() => new Response(null, { status: 503 }), { said })).toEqual({
      "tulle-attempt-credits": "2",
    });
  });

  test("tells a caller without identity nothing, and is the application's own object", async () => {
    const own = new Response("ok");
    const { answer: answered } = await answer(() => own, { principal: null });
    expect(answered).toEqual({ ok: true, value: own });
  });

  test.each([web, null])("carries no header of the mesh that the application made up", async (principal) => {
    const forged = {
      "tulle-problem": "mesh-not-ready",
      "tulle-circuits": "default/ledger;open",
      "tulle-epoch": "999",
      "tulle-anything": "1",
      "x-app": "1",
    };
    const headers = await headersOf(() => new Response(null, { headers: forged }), { principal });
    expect(headers).toEqual({
      "x-app": "1",
      ...(principal === null ? {} : { "tulle-epoch": "41", "tulle-attempt-credits": "2" }),
    });
  });

  test.each([
    ["with a body, which is sent once", () => new Response("ok", { headers: { "tulle-problem": "denied" } })],
    ["with headers that cannot be changed", () => Response.redirect("http://payments/", 302)],
    ["with a body and headers that cannot be changed", immutable],
  ])("is told on and cleaned %s", async (_what, handle) => {
    const headers = await headersOf(handle);
    expect(headers).toMatchObject({ "tulle-epoch": "41", "tulle-attempt-credits": "2" });
    expect(headers).not.toHaveProperty("tulle-problem");
  });

  test("tells the key to begin sessions with, where the caller is to be told, and never the application's", async () => {
    const claimed = () => new Response(null, { headers: { "tulle-session-key": "its own" } });
    expect(await headersOf(claimed)).not.toHaveProperty("tulle-session-key");
    expect(await headersOf(claimed, { sessionKey: "ours" })).toMatchObject({ "tulle-session-key": "ours" });
  });

  test("is told on where it opens a WebSocket, and keeps that", async () => {
    const { 0: client } = new WebSocketPair();
    const opening = () => new Response(null, { status: 101, webSocket: client });
    const { answer: answered } = await answer(opening, { sessionKey: "ours" });
    if (!answered.ok) throw new Error(answered.reason.kind);
    expect(answered.value.status).toBe(101);
    expect(answered.value.headers.get("tulle-session-key")).toBe("ours");
    expect(answered.value.webSocket).toBe(client);
  });

  test("without a body is left as it is, since the application may answer with it again", async () => {
    const shared = new Response(null, { headers: { "x-app": "1" } });
    await answer(() => shared);
    expect(Object.fromEntries(shared.headers)).toEqual({ "x-app": "1" });
  });

  test("with a body is not wrapped in another", async () => {
    const own = new Response("ok");
    const { answer: answered } = await answer(() => own);
    expect(answered.ok && answered.value === own && (await answered.value.text())).toBe("ok");
  });

  test("keeps two cookies apart", async () => {
    const cookies: [string, string][] = [
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ];
    const { answer: answered } = await answer(() => new Response(null, { headers: cookies }));
    expect(answered.ok && answered.value.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });
});

describe("handler-failed", () => {
  const inUse = (): Response => {
    const response = new Response("read by somebody");
    void response.body?.getReader();
    return response;
  };
  const used = async (): Promise<Response> => {
    const response = new Response("read by somebody");
    await response.text();
    return response;
  };
  test.each([
    ["throws", () => Promise.reject(new RangeError("secret")), "RangeError"],
    ["throws what is no error", () => Promise.reject("secret"), "string"],
    ["answers nothing", () => undefined, "TypeError"],
    ["answers something else", () => ({ status: 200 }), "TypeError"],
    ["answers a response whose body has been read", used, "TypeError"],
    ["answers a response whose body somebody else is reading", inUse, "TypeError"],
  ])("is what an application gets that %s", async (_what, handle, detail) => {
    const { answer: answered, crashes } = await answer(handle);
    expect(answered).toEqual({ ok: false, reason: { kind: "handler-failed", detail } });
    expect(crashes).toHaveLength(1);
  });

  test("is also what it gets when its caller has no identity", async () => {
    const { answer: answered } = await answer(() => undefined, { principal: null });
    expect(answered).toMatchObject({ ok: false, reason: { kind: "handler-failed" } });
  });
});
