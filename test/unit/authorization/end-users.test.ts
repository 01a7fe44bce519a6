import { describe, expect, test } from "vitest";
import { decide, mayCall } from "../../../mesh-runtime/authorization/decide.ts";
import type { AuthorizationRule, Condition } from "../../../mesh-runtime/authorization/words.ts";
import type { EndUser } from "../../../mesh-runtime/identity/end-user.ts";
import { conditionOf, requestPrincipalMatch } from "../../../mesh-runtime/policy/access-match.ts";
import { value } from "../identity/fixture.ts";
import { get, speaks, web } from "./subjects.ts";

const issuer = "https://id.example";
const user = (claims: Readonly<Record<string, unknown>> = {}, subject = "alice"): EndUser => ({
  issuer,
  subject,
  principal: subject === "" ? "" : `${issuer}/${subject}`,
  claims: { iss: issuer, sub: subject, ...claims },
  spaceDelimited: ["scope", "permission"],
});
const as = (who: EndUser | undefined) => ({ ...get("/"), user: who });

type Action = AuthorizationRule["action"];
const matches = (...written: readonly string[]) => written.map((one) => value(requestPrincipalMatch(one)));
const sourceRule = (source: object, action: Action = "ALLOW"): AuthorizationRule => ({
  name: "rule",
  action,
  from: [source],
});
const condition = (key: string, values?: readonly string[], notValues?: readonly string[]): Condition =>
  value(conditionOf({ key, ...(values && { values }), ...(notValues && { notValues }) }));
const when = (one: Condition, action: Action = "ALLOW"): AuthorizationRule => ({
  name: "rule",
  action,
  when: [one],
});

describe("requestPrincipals", () => {
  test.each([
    ["*", true],
    [`${issuer}/alice`, true],
    [`${issuer}/*`, true],
    ["*/alice", true],
    [`${issuer}/bob`, false],
    ["https://id.example.evil/*", false],
    ["https://*", true],
  ])("%j fits %s/alice: %s", (written, fits) => {
    expect(speaks(sourceRule({ requestPrincipals: matches(written) }), as(user()))).toBe(fits);
    expect(speaks(sourceRule({ notRequestPrincipals: matches(written) }), as(user()))).toBe(!fits);
  });

  test("a request without a token, or with one without a subject, is nobody's, and among all others", () => {
    for (const nobody of [undefined, user({}, "")]) {
      expect(speaks(sourceRule({ requestPrincipals: matches("*") }), as(nobody))).toBe(false);
      expect(speaks(sourceRule({ notRequestPrincipals: matches("*") }), as(nobody))).toBe(true);
    }
  });

  test("caller and end user are two, and both must fit", () => {
    const rule = sourceRule({
      principals: [{ type: "exact", value: web.id.uri }],
      requestPrincipals: matches("*"),
    });
    expect(speaks(rule, as(user()))).toBe(true);
    expect(speaks(rule, as(undefined))).toBe(false);
    expect(speaks(rule, { ...get("/", "nobody"), user: user() })).toBe(false);
  });

  test("to deny whoever has no token, a DENY names everybody else", () => {
    const rules: AuthorizationRule[] = [
      { ...sourceRule({ notRequestPrincipals: matches("*") }, "DENY"), name: "deny" },
      { name: "allow", action: "ALLOW" },
    ];
    expect(decide(rules, as(undefined), "STRICT")).toEqual({ allowed: false, rule: "deny" });
    expect(decide(rules, as(user()), "STRICT")).toEqual({ allowed: true, rule: "allow" });
  });

  test("a DENY of some end users shuts no caller out altogether", () => {
    const rules: AuthorizationRule[] = [
      sourceRule({ requestPrincipals: matches("*/mallory") }, "DENY"),
      { name: "allow", action: "ALLOW" },
    ];
    expect(mayCall(rules, web, "STRICT")).toBe(true);
  });
});

describe("when", () => {
  test.each([
    ["request.auth.principal", {}, `${issuer}/alice`],
    ["request.auth.audiences", { aud: "shop" }, "shop"],
    ["request.auth.audiences", { aud: ["bank", "shop"] }, "shop"],
    ["request.auth.presenter", { azp: "app-1" }, "app-1"],
    ["request.auth.claims[iss]", {}, issuer],
    ["request.auth.claims[groups]", { groups: ["staff", "admin"] }, "admin"],
    ["request.auth.claims[realm][roles]", { realm: { roles: ["a", "b"] } }, "b"],
    ["request.auth.claims[https://x.example/role]", { "https://x.example/role": "r" }, "r"],
    ["request.auth.claims[scope]", { scope: "read write" }, "write"],
    ["request.auth.claims[scope]", { scope: ["read", "write"] }, "write"],
  ])("%s of %j fits %j, and not another value", (key, claims, wanted) => {
    for (const action of ["ALLOW", "DENY"] as const) {
      expect(speaks(when(condition(key, [wanted]), action), as(user(claims)))).toBe(true);
      expect(speaks(when(condition(key, undefined, [wanted]), action), as(user(claims)))).toBe(false);
      expect(speaks(when(condition(key, [`${wanted}x/`]), action), as(user(claims)))).toBe(false);
      expect(speaks(when(condition(key, [`${wanted.slice(0, 1)}*`]), action), as(user(claims)))).toBe(true);
      expect(speaks(when(condition(key, [wanted]), action), as(undefined))).toBe(false);
      expect(speaks(when(condition(key, undefined, [wanted]), action), as(undefined))).toBe(true);
    }
  });

  test("a blank in a claim that is no list is a part of it", () => {
    const rule = when(condition("request.auth.claims[name]", ["Alice"]));
    expect(speaks(rule, as(user({ name: "Alice Admin" })))).toBe(false);
  });

  test("a list in one text is its items to who lets in, and the whole of it besides to who keeps out", () => {
    const someone = as(user({ scope: "read write" }));
    const whole = condition("request.auth.claims[scope]", ["read write"]);
    expect([speaks(when(whole), someone), speaks(when(whole, "DENY"), someone)]).toEqual([false, true]);
  });

  test("a blank in a claim within a claim is a part of it, though the outer one's name is that of a list", () => {
    const someone = as(user({ scope: { shop: "read write" } }));
    for (const action of ["ALLOW", "DENY"] as const) {
      const rule = when(condition("request.auth.claims[scope][shop]", ["write"]), action);
      expect(speaks(rule, someone)).toBe(false);
    }
  });

  test.each([[true], [7], [{ deep: "x" }], [null], [[["x"]]]])(
    "the claim %j lets nobody in, and keeps out as it is written",
    (claim) => {
      const key = "request.auth.claims[odd]";
      const text = JSON.stringify(Array.isArray(claim) ? claim[0] : claim);
      const someone = as(user({ odd: claim }));
      expect(speaks(when(condition(key, ["*"])), someone)).toBe(false);
      expect(
        speaks(when({ type: "claim", path: ["odd"], values: [{ type: "exact", value: text }] }), someone),
      ).toBe(false);
      const exact: Condition = { type: "claim", path: ["odd"], values: [{ type: "exact", value: text }] };
      expect(speaks(when(exact, "DENY"), someone)).toBe(true);
      expect(speaks(when(condition(key, ["*"]), "DENY"), someone)).toBe(true);
      // What an ALLOW excepts keeps out as well.
      expect(speaks(when(condition(key, undefined, ["*"])), someone)).toBe(false);
    },
  );

  test.each([
    "request.auth.claims[__proto__]",
    "request.auth.claims[constructor]",
    "request.auth.claims[realm][toString]",
    "request.auth.claims[list][0]",
    "request.auth.claims[name][length]",
  ])("%s is of no token that does not say it", (key) => {
    const claims = { realm: {}, list: ["a"], name: "alice" };
    for (const action of ["ALLOW", "DENY"] as const)
      expect(speaks(when(condition(key, ["*"]), action), as(user(claims)))).toBe(false);
  });

  test.each([
    ["request.auth.claims", "in brackets"],
    ["request.auth.claims.iss", "in brackets"],
    ["request.auth.claims[]", "in brackets"],
    ["request.auth.claims[a]b", "in brackets"],
    ["request.auth.claims[a[b]]", "in brackets"],
    ["request.auth.claims[name", "in brackets"],
    ["request.auth.raw", "the keys about end users are"],
    ["request.auth.principals", "the keys about end users are"],
  ])("the key %s is refused: %s", (key, why) => {
    const read = conditionOf({ key, values: ["a"] });
    expect(read.ok ? "" : read.reason.message).toContain(why);
  });
});
