import { describe, expect, test } from "vitest";
import { authorized } from "../../../mesh-runtime/authorization/authorized.ts";
import { decider } from "../../../mesh-runtime/authorization/decide.ts";
import type { AccessRequest, AuthorizationRule } from "../../../mesh-runtime/authorization/words.ts";
import { type Answer, blankNotes, type Notes } from "../../../mesh-runtime/foundation/exchange.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
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
