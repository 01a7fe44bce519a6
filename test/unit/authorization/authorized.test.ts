import { describe, expect, test } from "vitest";
import { authorized, authorizedEntry } from "../../../mesh-runtime/authorization/authorized.ts";
import { decider } from "../../../mesh-runtime/authorization/decide.ts";
import type { AccessRequest, AuthorizationRule } from "../../../mesh-runtime/authorization/words.ts";
import {
  type Answer,
  blankNotes,
  type Message,
  type Notes,
} from "../../../mesh-runtime/foundation/exchange.ts";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import type { Refusal } from "../../../mesh-runtime/foundation/refusal.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { principal, web } from "./subjects.ts";

const rule: AuthorizationRule = {
  name: "AuthorizationPolicy/default/payments/0",
  action: "ALLOW",
  from: [{ principals: [{ type: "exact", value: web.id.uri }] }],
};

const counted: string[] = [];
const count = (counter: string): void => {
  counted.push(counter);
};

const notes = (): Notes => blankNotes();

const arriving = (caller: typeof web | undefined, url = "https://payments/charge?x=1") => ({
  principal: caller,
  user: undefined,
  request: new Request(url, { method: "POST" }),
  notes: notes(),
  policy: { inbound: { decide: decider([rule], "STRICT") } },
});

describe("authorized", () => {
  test("passes on what is allowed, with the decision, and notes the rule", async () => {
    const exchange = arriving(web);
    const step = authorized({ count }).wrap<typeof exchange>(
      async ({ access }): Promise<Answer> => ok(new Response(access.rule)),
    );
    const answer = await step(exchange);
    expect(answer.ok && (await answer.value.text())).toBe(rule.name);
    expect(exchange.notes.rule).toBe(rule.name);
  });

  test("refuses everything else with the rule and the caller, and the handler is not reached", async () => {
    let reached = false;
    const step = authorized({ count }).wrap<ReturnType<typeof arriving>>(async (): Promise<Answer> => {
      reached = true;
      return ok(new Response());
    });
    const exchange = arriving(principal("default", "cart"));
    const expected = {
      kind: "denied",
      rule: "default: no ALLOW rule matched",
      principal: "spiffe://mesh.local/ns/default/sa/cart",
    };
    expect(await step(exchange)).toEqual({ ok: false, reason: expected });
    expect(await step(arriving(undefined))).toEqual({ ok: false, reason: { ...expected, principal: "" } });
    expect(exchange.notes.rule).toBe(expected.rule);
    expect(reached).toBe(false);
  });

  test("judges the path that the application will see, without the query", async () => {
    const seen: AccessRequest[] = [];
    const decide = (request: AccessRequest) => {
      seen.push(request);
      return { allowed: false, rule: "none" };
    };
    const exchange = {
      ...arriving(web, "https://payments/a/../b%61?path=/admin#x"),
      policy: { inbound: { decide } },
    };
    await authorized({ count }).wrap<typeof exchange>(async (): Promise<Answer> => ok(new Response()))(
      exchange,
    );
    expect(seen.map(({ principal, method, path, host }) => ({ principal, method, path, host }))).toEqual([
      { principal: web, method: "POST", path: "/b%61", host: "payments" },
    ]);
  });
});

describe("what decides nothing", () => {
  const audit: AuthorizationRule = { name: "watch", action: "AUDIT" };
  const trial: AuthorizationRule = { name: "trial", action: "DENY", dryRun: true };

  test("is noted beside the decision and counted apart", async () => {
    counted.length = 0;
    const exchange = {
      ...arriving(web),
      policy: { inbound: { decide: decider([rule, audit, trial], "STRICT") } },
    };
    const step = authorized({ count }).wrap<typeof exchange>(async (): Promise<Answer> => ok(new Response()));
    expect((await step(exchange)).ok).toBe(true);
    expect(exchange.notes).toMatchObject({ rule: rule.name, audited: "watch", dryRun: "denied by trial" });
    expect(counted).toEqual(["access_audited", "dry_run_denied"]);
  });

  test("tells whom it would let in, and lets nobody in", async () => {
    counted.length = 0;
    const open: AuthorizationRule = { name: "open", action: "ALLOW", dryRun: true };
    const exchange = {
      ...arriving(principal("default", "cart")),
      policy: { inbound: { decide: decider([rule, open], "STRICT") } },
    };
    const step = authorized({ count }).wrap<typeof exchange>(async (): Promise<Answer> => ok(new Response()));
    expect((await step(exchange)).ok).toBe(false);
    expect(exchange.notes).toMatchObject({ dryRun: "allowed by open" });
    expect(counted).toEqual(["dry_run_allowed"]);
  });

  test("leaves no trace where there is nothing of the kind", async () => {
    counted.length = 0;
    const exchange = arriving(web);
    const step = authorized({ count }).wrap<typeof exchange>(async (): Promise<Answer> => ok(new Response()));
    await step(exchange);
    expect(exchange.notes).not.toHaveProperty("audited");
    expect(exchange.notes).not.toHaveProperty("dryRun");
    expect(counted).toEqual([]);
  });
});

test("a URL is parsed for rules that ask for it, and headers are read for those that ask for them", async () => {
  let read = 0;
  const request = new Proxy(new Request("https://payments/charge"), {
    get: (target, name) => {
      if (name === "url" || name === "headers") read++;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const step = authorized({ count }).wrap<ReturnType<typeof arriving>>(
    async (): Promise<Answer> => ok(new Response()),
  );
  expect((await step({ ...arriving(web), request })).ok).toBe(true);
  expect(read).toBe(0);
});

describe("authorizedEntry", () => {
  const message = (headers: HeadersInit): Message => ({
    url: new URL("https://shop.example/buy"),
    method: "GET",
    headers: new Fields(new Headers(headers)),
    body: null,
  });
  const deny: AuthorizationRule = { name: "deny", action: "DENY", from: [{ ipBlocks: ["192.0.2.0/24"] }] };
  const entry = decider([deny], "PERMISSIVE", "default: no ALLOW rule");
  const refuse = (_exchange: object, refusal: Refusal): Answer => no(refusal);
  const through = async (headers: HeadersInit, judge: typeof entry | undefined = entry) => {
    const exchange = { notes: notes(), message: message(headers), user: undefined, entry: judge };
    const step = authorizedEntry({ count, refuse }).wrap<typeof exchange>(
      async (): Promise<Answer> => ok(new Response()),
    );
    return { answer: await step(exchange), rule: exchange.notes.rule };
  };

  test("judges by the address that the gateway put on the message", async () => {
    const denied = { ok: false, reason: { kind: "denied", rule: "deny", principal: "" } };
    expect((await through({ "x-forwarded-for": "192.0.2.77" })).answer).toEqual(denied);
    expect((await through({ "x-forwarded-for": "::ffff:192.0.2.77" })).answer).toEqual(denied);
    expect((await through({})).answer).toEqual(denied);
    expect((await through({ "cf-connecting-ip": "198.51.100.1" })).answer).toEqual(denied);
    const { answer, rule } = await through({ "x-forwarded-for": "198.51.100.1" });
    expect([answer.ok, rule]).toEqual([true, "default: no ALLOW rule"]);
  });

  test("lets everything on where nobody has written rules", async () => {
    const exchange = { notes: notes(), user: undefined, message: message({}) };
    const step = authorizedEntry({ count, refuse }).wrap<typeof exchange>(
      async (): Promise<Answer> => ok(new Response()),
    );
    expect((await step(exchange)).ok).toBe(true);
    expect(exchange.notes.rule).toBe("");
  });
});
