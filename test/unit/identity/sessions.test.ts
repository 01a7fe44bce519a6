import { beforeAll, describe, expect, test, vi } from "vitest";
import type { Answer, Message } from "../../../mesh-runtime/foundation/exchange.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { GrantedSessions } from "../../../mesh-runtime/identity/granted-sessions.ts";
import { verifyMessage } from "../../../mesh-runtime/identity/proof.ts";
import { ReplayWindow } from "../../../mesh-runtime/identity/replay.ts";
import type { SessionKey } from "../../../mesh-runtime/identity/session-keys.ts";
import { Sessions } from "../../../mesh-runtime/identity/sessions.ts";
import { type Recipient, signed } from "../../../mesh-runtime/identity/signed.ts";
import { parseSpiffeId } from "../../../mesh-runtime/identity/spiffe-id.ts";
import { WitCache } from "../../../mesh-runtime/identity/svid.ts";
import { sessionKey } from "./agreement.ts";
import { makeWit, makeWorld, now, self, value, verifier, type World } from "./fixture.ts";

let world: World;
let key: SessionKey;
beforeAll(async () => {
  world = await makeWorld();
  key = await sessionKey();
});

const bytes = (text: string) => new TextEncoder().encode(text);

/** A service that is called through the layer: what it takes, and how each request to it was proved. */
function called(
  given: { readonly keys?: readonly SessionKey[]; readonly settings?: Partial<Recipient["settings"]> } = {},
) {
  const { settings = {} } = given;
  const state = {
    at: now,
    keys: given.keys ?? [key],
    tells: key.name as string | undefined,
    credential: world.credential,
  };
  const granted = new GrantedSessions();
  const [cache, replay] = [new WitCache(), new ReplayWindow()];
  const how: string[] = [];
  const counted: string[] = [];
  let nonces = 0;
  const sign = signed({
    count: (counter) => counted.push(counter),
    credential: () => state.credential,
    clock: { now: () => state.at },
    nonce: () => `n${nonces++}`,
  }).wrap<{ message: Message; recipient: Recipient }>(async ({ message }): Promise<Answer> => {
    const { headers, method, url } = message;
    const by = verifier(world, { now: state.at, cache, replay, sessions: { keys: state.keys, granted } });
    const verified = await verifyMessage({ method, url: url.href, headers }, by);
    const bySession = headers.has("tulle-session");
    how.push(`${bySession ? "session" : "signature"}${verified.ok ? "" : `: ${verified.reason.step}`}`);
    if (!verified.ok)
      return ok(new Response("", { status: 400, headers: { "tulle-problem": "unidentified" } }));
    const told = bySession || state.tells === undefined ? {} : { "tulle-session-key": state.tells };
    return ok(new Response("paid", { headers: told }));
  });
  const recipient: Recipient = {
    id: value(parseSpiffeId(self)),
    settings: { evidence: "signature", largeBody: "reject", maxDigestBytes: 1_024, ...settings },
  };
  const send = async (body: Message["body"] = null, more: Record<string, string> = {}): Promise<string> => {
    how.length = 0;
    const headers = new Headers({ "tulle-session": "made.up.here", ...more });
    const message = { url: new URL("https://payments/charge"), method: "POST", headers, body };
    const answer = await sign({ message, recipient });
    return `${how.join(", ")} -> ${answer.ok ? answer.value.status : answer.reason.kind}`;
  };
  const many = async (count: number) => {
    const seen: string[] = [];
    for (let sent = 0; sent < count; sent++) seen.push(await send());
    return seen;
  };
  return { state, send, many, granted, counted };
}

const signedTo = "signature -> 200";
const bySession = "session -> 200";

describe("a caller that comes often", () => {
  test("signs four times, and then proves by a session, which its recipient verifies once", async () => {
    const { many, granted } = called();
    expect(await many(8)).toEqual([...Array(4).fill(signedTo), ...Array(4).fill(bySession)]);
    expect(granted.size).toBe(1);
  });

  test("begins another when that one ends, and after one that is signed, because a key must be heard of anew", async () => {
    const { state, many } = called({ keys: [await sessionKey(now - 1, now + 7_200_000)] });
    state.tells = state.keys[0]?.name;
    await many(5);
    state.at = now + 589_000;
    expect(await many(1)).toEqual([bySession]);
    state.at = now + 590_000;
    expect(await many(3)).toEqual([signedTo, bySession, bySession]);
  });

  test("begins none with a key that it heard of more than a minute ago", async () => {
    const { state, many } = called();
    await many(3);
    state.tells = undefined;
    await many(1);
    state.at = now + 61_000;
    expect(await many(2)).toEqual([signedTo, signedTo]);
  });

  test("begins another one with its next token", async () => {
    const { state, many } = called();
    await many(6);
    const wit = await makeWit(world, { jti: "next" });
    state.credential = { ...world.credential, wit };
    expect(await many(3)).toEqual([signedTo, bySession, bySession]);
  });

  test("begins none in the last minute of its token", async () => {
    const { state, many } = called();
    state.credential = { ...world.credential, expiresAt: now + 59_000 };
    expect(new Set(await many(8))).toEqual(new Set([signedTo]));
  });

  test("signs the same request at once where a session is not believed, and goes on signing for a minute", async () => {
    // An isolate that does not have the key which others tell of.
    const other = called({ keys: [] });
    other.state.tells = key.name;
    await other.many(4);
    expect(await other.send(bytes("gold"))).toBe("session: session, signature -> 200");
    expect(await other.many(6)).toEqual(Array(6).fill(signedTo));
    other.state.at = now + 59_999;
    expect(await other.send()).toBe(signedTo);
    other.state.at = now + 60_000;
    expect(await other.send()).toBe("session: session, signature -> 200");
  });

  test("signs where it can be sent only once, because its body is read as it goes", async () => {
    const { many, send } = called({ settings: { largeBody: "unsigned", maxDigestBytes: 0 } });
    await many(6);
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes("gold"));
        controller.close();
      },
    });
    expect(await send(stream)).toBe(signedTo);
    expect(await send()).toBe(bySession);
  });

  test("signs what its route lets come once in the whole mesh", async () => {
    const { many, send } = called();
    const once = { "tulle-replay": "strict" };
    for (let count = 0; count < 6; count++) expect(await send(null, once)).toBe(signedTo);
    await many(5);
    expect(await send()).toBe(bySession);
    expect(await send(null, once)).toBe(signedTo);
  });

  test.each<readonly [string, Partial<Recipient["settings"]>]>([
    ["the recipient wants each request signed", { sessionProofs: "refused" }],
    ["answers must be signed", { responses: "signed" }],
    ["the recipient is of another mesh", { trustDomain: "partner.example" }],
  ])("signs each request where %s", async (_, settings) => {
    const { many } = called({ settings });
    for (const seen of await many(7)) expect(seen).toMatch(/^signature -> /);
  });

  test("goes on signing where it is told no key, and does not try", async () => {
    const { state, many, counted } = called();
    state.tells = "no key at all";
    expect(new Set(await many(7))).toEqual(new Set([signedTo]));
    expect(counted).toEqual([]);
  });

  test("goes on signing where it is told a key of low order, and tries once in a minute", async () => {
    const { state, many, counted } = called();
    state.tells = "A".repeat(43);
    expect(new Set(await many(9))).toEqual(new Set([signedTo]));
    expect(counted).toEqual(["session_proofs_failed"]);
    state.at = now + 60_000;
    expect(new Set(await many(9))).toEqual(new Set([signedTo]));
    expect(counted).toEqual(["session_proofs_failed", "session_proofs_failed"]);
  });

  test("goes on signing in a runtime that cannot agree keys", async () => {
    const { many, counted } = called();
    const generate = vi.spyOn(crypto.subtle, "generateKey").mockRejectedValue(new Error("no X25519"));
    try {
      expect(new Set(await many(6))).toEqual(new Set([signedTo]));
    } finally {
      generate.mockRestore();
    }
    expect(counted).toEqual(["session_proofs_failed"]);
  });

  test("keeps its session when an older one is refused late", async () => {
    const sessions = new Sessions();
    const begin = async () => {
      for (let count = 0; count < 4; count++) sessions.signed(self, key.name, now);
      const session = await sessions.next(self, world.credential, now);
      if (session === undefined) throw new Error("none was begun");
      return session;
    };
    const old = await begin();
    const renewed = { ...world.credential, wit: await makeWit(world, { jti: "renewed" }) };
    for (let count = 0; count < 4; count++) sessions.signed(self, key.name, now);
    const present = await sessions.next(self, renewed, now);
    sessions.refused(self, old, now);
    expect(sessions.next(self, renewed, now)).toBe(present);
    if (present !== undefined) sessions.refused(self, present, now);
    expect(sessions.next(self, renewed, now)).toBeUndefined();
  });

  test("does not wait for another request that begins a session: it is signed meanwhile", async () => {
    const sessions = new Sessions();
    for (let count = 0; count < 4; count++) sessions.signed(self, key.name, now);
    const first = sessions.next(self, world.credential, now);
    expect(first).toBeInstanceOf(Promise);
    expect(sessions.next(self, world.credential, now)).toBeUndefined();
    const session = await first;
    expect(sessions.next(self, world.credential, now)).toBe(session);
    // One that never comes to an end keeps nobody from trying.
    const stuck = new Sessions();
    for (let count = 0; count < 4; count++) stuck.signed(self, key.name, now + 10_000);
    expect(stuck.next(self, world.credential, now + 10_000)).toBeInstanceOf(Promise);
    expect(stuck.next(self, world.credential, now + 14_999)).toBeUndefined();
    expect(stuck.next(self, world.credential, now + 15_000)).toBeInstanceOf(Promise);
  });

  /** A caller with a session, or with none, and what a destination answers to each of its proofs. */
  async function answeredBy(
    answers: (sent: number) => Response | Promise<Response>,
    given: { readonly begins?: false; readonly body?: Message["body"] } = {},
  ) {
    const sessions = new Sessions();
    const caller = { credential: world.credential };
    const begin = async () => {
      for (let count = 0; count < 4; count++) sessions.signed(self, key.name, now);
      return sessions.next(self, caller.credential, now);
    };
    const session = given.begins === false ? undefined : await begin();
    const proofs: string[] = [];
    const bodies: unknown[] = [];
    const counted: string[] = [];
    const step = signed({
      sessions,
      credential: () => caller.credential,
      clock: { now: () => now },
      nonce: () => "once",
      count: (counter) => counted.push(counter),
    }).wrap<{ message: Message; recipient: Recipient }>(async ({ message }): Promise<Answer> => {
      proofs.push(message.headers.get("tulle-session") ?? "signature");
      bodies.push(message.body);
      if (proofs.length > 3) throw new Error("it is sent again and again");
      return ok(await answers(proofs.length));
    });
    const send = async (): Promise<number | string> => {
      const settings = { evidence: "signature", largeBody: "reject", maxDigestBytes: 1_024 } as const;
      const url = new URL("https://payments/");
      const message = { url, method: "POST", headers: new Headers(), body: given.body ?? null };
      const answer = await step({ message, recipient: { id: value(parseSpiffeId(self)), settings } });
      return answer.ok ? answer.value.status : answer.reason.kind;
    };
    return { send, begin, caller, sessions, session, proofs, bodies, counted };
  }
  const unknown = (body: BodyInit | null = null) =>
    new Response(body, { status: 400, headers: { "tulle-problem": "unidentified" } });

  test("signs what it sends again, although another session has begun meanwhile", async () => {
    const at = await answeredBy(async (sent) => {
      if (sent > 1) return new Response("paid");
      at.caller.credential = { ...world.credential, wit: await makeWit(world, { jti: "meanwhile" }) };
      await at.begin();
      return unknown();
    });
    expect(await at.send()).toBe(200);
    expect(at.proofs).toEqual([at.session?.grant, "signature"]);
  });

  test("sends the same body again, and lets the first answer go unread", async () => {
    const cancelled = vi.fn();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes("go"));
        controller.enqueue(bytes("ld"));
        controller.close();
      },
    });
    const problem = () => unknown(new ReadableStream({ cancel: cancelled }));
    const at = await answeredBy((sent) => (sent > 1 ? new Response("paid") : problem()), { body });
    expect(await at.send()).toBe(200);
    expect(at.bodies).toEqual([bytes("gold"), bytes("gold")]);
    expect(cancelled).toHaveBeenCalledOnce();
    expect(at.counted).toEqual(["session_proofs_disbelieved"]);
  });

  test("sends nothing a third time, nor what it has signed a second", async () => {
    const at = await answeredBy(() => unknown());
    expect(await at.send()).toBe(400);
    expect(at.proofs).toEqual([at.session?.grant, "signature"]);
    const signing = await answeredBy(() => unknown(), { begins: false });
    expect(await signing.send()).toBe(400);
    expect(signing.proofs).toEqual(["signature"]);
  });

  test.each<readonly [string, number, Record<string, string>]>([
    ["says otherwise that it erred", 400, {}],
    ["refuses it for another reason", 400, { "tulle-problem": "denied" }],
    ["fails", 500, { "tulle-problem": "unidentified" }],
  ])("sends nothing again where the destination %s", async (_, status, headers) => {
    const at = await answeredBy(() => new Response("", { status, headers }));
    expect(await at.send()).toBe(status);
    expect(at.proofs).toEqual([at.session?.grant]);
    expect(at.sessions.next(self, world.credential, now)).toBe(at.session);
  });

  test("keeps no more destinations in mind than a worker has", () => {
    const sessions = new Sessions();
    for (let count = 0; count < 4; count++) sessions.signed(self, key.name, now);
    for (let count = 0; count < 256; count++) sessions.signed(`${self}${count}`, key.name, now);
    expect(sessions.next(self, world.credential, now)).toBeUndefined();
  });
});
