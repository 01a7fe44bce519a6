import { describe, expect, test } from "vitest";
import type { Answer, Message } from "../../../mesh-runtime/foundation/exchange.ts";
import { blankNotes } from "../../../mesh-runtime/foundation/exchange.ts";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import type { Refusal } from "../../../mesh-runtime/foundation/refusal.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { authenticated, authenticatedEntry } from "../../../mesh-runtime/identity/authenticated.ts";
import { tokenRules } from "../../../mesh-runtime/identity/end-user.ts";
import { issuerKey, keySetOf, keysUrl, token, tokenRule, users } from "./users.ts";

const background = { run: () => undefined };
const bearing = (text: string) => ({ authorization: `Bearer ${text}` });
/** No token, in the place of one. */
const forged = bearing("a.b.c");
const invalid = { ok: false, reason: { kind: "invalid-token", error: "invalid_token" } };

describe("authenticated", () => {
  /** What goes on of a request, or why nothing does. */
  async function passed(request: Request, rules: Parameters<typeof tokenRules>[0] = [tokenRule()]) {
    const known = users();
    const key = await issuerKey("k1");
    known.servers.answer(keysUrl, keySetOf(key));
    const exchange = { request, background, policy: { users: tokenRules(rules) } };
    let onward: Request | undefined;
    const step = authenticated(known.ports).wrap<typeof exchange>(async ({ request: there }) => {
      onward = there;
      return ok(new Response());
    });
    return { answer: await step(exchange), onward };
  }

  test("passes on the very request of which nothing has to be taken", async () => {
    const request = new Request("https://shop.example/");
    expect((await passed(request)).onward).toBe(request);
  });

  test("takes off a claim that somebody wrote himself, of a copy, and leaves the rest", async () => {
    const rule = tokenRule({ claimHeaders: [{ header: "x-user", claim: "sub" }] });
    const request = new Request("https://shop.example/", { headers: { "x-user": "root", "x-app": "1" } });
    const { onward } = await passed(request, [rule]);
    expect([...(onward?.headers ?? [])]).toEqual([["x-app", "1"]]);
    expect(request.headers.get("x-user")).toBe("root");
  });

  test("lets nobody on with a forged token", async () => {
    const { answer, onward } = await passed(new Request("https://shop.example/", { headers: forged }));
    expect([answer, onward]).toEqual([expect.objectContaining({ ok: false }), undefined]);
    expect(answer).toMatchObject(invalid);
  });

  test("reads nothing of a request where nobody looks for tokens, and passes it on as it is", async () => {
    const request = new Proxy(new Request("https://shop.example/"), {
      get: (_target, name) => {
        throw new Error(`${String(name)} was read`);
      },
    });
    const exchange = { request, background, policy: { users: undefined } };
    let onward: unknown;
    const step = authenticated(users().ports).wrap<typeof exchange>((known): Promise<Answer> => {
      onward = known;
      return Promise.resolve(ok(new Response()));
    });
    await step(exchange);
    expect(onward).toBe(exchange);
  });
});

describe("authenticatedEntry", () => {
  const entering = (headers: HeadersInit, path = "/") => ({
    message: {
      url: new URL(path, "https://shop.example"),
      method: "GET",
      headers: new Fields(new Headers(headers)),
      body: null,
    } satisfies Message,
    background,
    notes: blankNotes(),
    entryUsers: tokenRules([tokenRule({ claimHeaders: [{ header: "x-user", claim: "sub" }] })]),
  });

  /** What goes on of a message; `refusals`: what was made an answer of. */
  async function entered(exchange: ReturnType<typeof entering>, known = users()) {
    const refusals: Refusal[] = [];
    let onward: Message | undefined;
    const refuse = (_exchange: object, refusal: Refusal): Answer => {
      refusals.push(refusal);
      return no(refusal);
    };
    const step = authenticatedEntry<typeof exchange>({ ...known.ports, refuse }).wrap<typeof exchange>(
      async ({ message }) => {
        onward = message;
        return ok(new Response());
      },
    );
    return { answer: await step(exchange), onward, refusals };
  }

  test("lets nobody in with a forged token, and answers what is made of the refusal", async () => {
    const { answer, onward, refusals } = await entered(entering(forged));
    expect(answer).toMatchObject(invalid);
    expect(onward).toBe(undefined);
    expect(refusals).toHaveLength(1);
  });

  test("passes on the very message of which the address holds no token", async () => {
    const exchange = entering({ "x-user": "root" }, "/?x=%41");
    const { onward } = await entered(exchange);
    expect(onward).toBe(exchange.message);
    expect([...(onward?.headers ?? [])]).toEqual([]);
  });

  test("takes a token out of the address, and writes what it says", async () => {
    const known = users();
    const key = await issuerKey("k1");
    known.servers.answer(keysUrl, keySetOf(key));
    const text = await token(key);
    const { onward } = await entered(entering({}, `/?access_token=${text}&x=%41`), known);
    expect(onward?.url.href).toBe("https://shop.example/?x=%41");
    expect([...(onward?.headers ?? [])]).toEqual([["x-user", "alice"]]);
  });
});
