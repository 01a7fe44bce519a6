import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide, decider, mayCall } from "../../../mesh-runtime/authorization/decide.ts";
import { stringMatch } from "../../../mesh-runtime/authorization/rule.ts";
import type { AuthorizationRule } from "../../../mesh-runtime/authorization/words.ts";
import { anyRequest, anyRule, get, principal, web } from "./subjects.ts";

const allowWeb: AuthorizationRule = {
  name: "AuthorizationPolicy/default/payments/0",
  action: "ALLOW",
  from: [{ principals: [{ type: "exact", value: web.id.uri }] }],
};
const denyAdmin: AuthorizationRule = {
  name: "AuthorizationPolicy/default/admin/0",
  action: "DENY",
  to: [{ paths: [stringMatch("/admin*")] }],
};

describe("a request", () => {
  test("is allowed by the rule that it names", () => {
    expect(decide([allowWeb], get("/"), "STRICT")).toEqual({ allowed: true, rule: allowWeb.name });
  });

  test("is denied if no rule allows it, and the answer says so", () => {
    const expected = { allowed: false, rule: "default: no ALLOW rule matched" };
    expect(decide([allowWeb], get("/", principal("default", "cart")), "STRICT")).toEqual(expected);
    expect(decide([], get("/"), "STRICT")).toEqual(expected);
  });

  test("is not noted by an AUDIT rule that is only on trial", () => {
    const audit: AuthorizationRule = { name: "audit", action: "AUDIT" };
    expect(decide([allowWeb, audit], get("/"), "STRICT").audited).toBe("audit");
    const onTrial = [allowWeb, { ...audit, dryRun: true } as const];
    expect(Object.hasOwn(decide(onTrial, get("/"), "STRICT"), "audited")).toBe(false);
  });

  test("is looked at once where no rule is on trial and none only notes", () => {
    let read = 0;
    const request = {
      ...get("/"),
      get method() {
        read++;
        return "GET";
      },
    };
    expect(decider([allowWeb], "STRICT")(request).allowed).toBe(true);
    expect(read).toBe(1);
  });

  test("is denied by DENY though ALLOW comes first in the list", () => {
    expect(decide([allowWeb, denyAdmin], get("/admin"), "STRICT")).toEqual({
      allowed: false,
      rule: denyAdmin.name,
    });
  });

  test("in PERMISSIVE passes where nobody has written an ALLOW rule, and only there", () => {
    const cart = get("/", principal("default", "cart"));
    const open = { allowed: true, rule: "default: PERMISSIVE and no ALLOW rule" };
    expect(decide([], cart, "PERMISSIVE")).toEqual(open);
    expect(decide([denyAdmin], cart, "PERMISSIVE")).toEqual(open);
    expect(decide([denyAdmin], get("/admin"), "PERMISSIVE").allowed).toBe(false);
    expect(decide([allowWeb], cart, "PERMISSIVE").allowed).toBe(false);
    expect(decide([{ name: "nobody", action: "ALLOW", from: [] }], cart, "PERMISSIVE").allowed).toBe(false);
  });

  test("without identity is never let in by a rule that names callers", () => {
    expect(decide([allowWeb], get("/", "nobody"), "PERMISSIVE").allowed).toBe(false);
  });
});

describe("a path that a rule looks at", () => {
  test.each(["/admin", "/admin/users", "/%61dmin", "/%61%64%6d%69%6e/x", "/adm%69n"])(
    "is denied in each spelling: %s",
    (path) => {
      expect(decide([allowWeb, denyAdmin], get(path), "STRICT")).toEqual({
        allowed: false,
        rule: denyAdmin.name,
      });
    },
  );

  test.each(["/x%2f..%2fadmin", "//admin", "/x/%2e%2e/admin", "/%2561dmin", "/x%5c..%5cadmin", "/%00/admin"])(
    "is denied when it can be read in two ways: %s",
    (path) => {
      const { allowed, rule } = decide([allowWeb, denyAdmin], get(path), "STRICT");
      expect(allowed).toBe(false);
      expect(rule).toMatch(/^default: ambiguous path \(/);
    },
  );

  test("is in no empty list, of a rule that denies as of one that allows", () => {
    const deny: AuthorizationRule = { name: "d", action: "DENY", to: [{ paths: [] }] };
    expect(decide([allowWeb, deny], get("/x"), "STRICT").allowed).toBe(true);
    const allow: AuthorizationRule = { ...allowWeb, to: [{ notPaths: [] }] };
    expect(decide([allow], get("/x"), "STRICT").allowed).toBe(true);
  });

  test("may be ambiguous where no rule looks at it", () => {
    expect(decide([allowWeb], get("/a%2fb"), "STRICT").allowed).toBe(true);
  });

  test("is allowed in its encoded form by a rule in the plain one", () => {
    const rule = { ...allowWeb, to: [{ paths: [stringMatch("/shop")] }] };
    expect(decide([rule], get("/%73hop"), "STRICT").allowed).toBe(true);
  });
});

test("a method in lower case does not pass a rule that denies it", () => {
  const denyPatch: AuthorizationRule = {
    name: "patch",
    action: "DENY",
    to: [{ methods: [stringMatch("PATCH")] }],
  };
  expect(decide([allowWeb, denyPatch], { ...get("/"), method: "patch" }, "STRICT").rule).toBe("patch");
});

const rules = fc.array(anyRule, { maxLength: 4 });
const mode = fc.constantFrom("STRICT", "PERMISSIVE");

test("adding a DENY rule never allows more", () => {
  fc.assert(
    fc.property(rules, anyRule, fc.nat(4), anyRequest, mode, (given, rule, place, request, inMode) => {
      const more = given.toSpliced(place, 0, { ...rule, action: "DENY" });
      if (decide(more, request, inMode).allowed) expect(decide(given, request, inMode).allowed).toBe(true);
    }),
    { seed: 4, numRuns: 1_000 },
  );
});

test("adding an ALLOW rule never denies what another ALLOW rule let in, unless it makes the path matter", () => {
  fc.assert(
    fc.property(rules, anyRule, anyRequest, (given, rule, request) => {
      const added = { ...rule, action: "ALLOW" } as const;
      const [before, after] = [
        decide(given, request, "STRICT"),
        decide([...given, added], request, "STRICT"),
      ];
      if (before.allowed && !after.rule.startsWith("default: ambiguous")) expect(after.allowed).toBe(true);
    }),
    { seed: 5, numRuns: 1_000 },
  );
});

test("whether a request is allowed does not depend on the order of the rules", () => {
  fc.assert(
    fc.property(rules, anyRequest, mode, (given, request, inMode) => {
      expect(decide(given.toReversed(), request, inMode).allowed).toBe(
        decide(given, request, inMode).allowed,
      );
    }),
    { seed: 6, numRuns: 1_000 },
  );
});

test("STRICT allows nothing that PERMISSIVE denies, and only what an ALLOW rule names", () => {
  fc.assert(
    fc.property(rules, anyRequest, (given, request) => {
      const strict = decider(given, "STRICT")(request);
      if (!strict.allowed) return;
      expect(decider(given, "PERMISSIVE")(request)).toEqual(strict);
      expect(given.some(({ name, action }) => action === "ALLOW" && name === strict.rule)).toBe(true);
    }),
    { seed: 7, numRuns: 1_000 },
  );
});

describe("mayCall()", () => {
  const allow = (name: string, from: AuthorizationRule["from"], to?: AuthorizationRule["to"]) =>
    ({ name, action: "ALLOW", ...(from && { from }), ...(to && { to }) }) as AuthorizationRule;
  const onlyWeb = [{ principals: [stringMatch(web.id.uri)] }];

  test("tells whom some rule lets in for something", () => {
    const rules = [allow("a", onlyWeb, [{ methods: [stringMatch("GET")] }])];
    expect(mayCall(rules, web, "STRICT")).toBe(true);
    expect(mayCall(rules, principal("default", "other"), "STRICT")).toBe(false);
    expect(mayCall([], web, "STRICT")).toBe(false);
    expect(mayCall([], web, "PERMISSIVE")).toBe(true);
    expect(mayCall(rules, principal("default", "other"), "PERMISSIVE")).toBe(false);
  });

  test("counts who is denied some of the time", () => {
    const evidence = { type: "evidence", values: [stringMatch("binding")] } as const;
    const some: readonly Partial<AuthorizationRule>[] = [
      { when: [evidence] },
      { to: [{ methods: [stringMatch("GET")] }] },
      { from: [{ ipBlocks: ["192.0.2.0/24"] }] },
      { from: [{ notIpBlocks: ["192.0.2.0/24"] }] },
      { from: [{ requestPrincipals: [stringMatch("*")] }] },
      { from: [{ notRequestPrincipals: [stringMatch("*")] }] },
    ];
    for (const one of some) {
      const deny: AuthorizationRule = { name: "d", action: "DENY", from: onlyWeb, ...one };
      expect([one, mayCall([allow("a", undefined), deny], web, "STRICT")]).toEqual([one, true]);
    }
  });

  test("does not count who is denied altogether", () => {
    const rules = [allow("a", undefined), { name: "d", action: "DENY", from: onlyWeb } as AuthorizationRule];
    expect(mayCall(rules, web, "STRICT")).toBe(false);
    expect(mayCall(rules, principal("default", "other"), "STRICT")).toBe(true);
  });

  test("is true of everybody who is ever let in", () => {
    fc.assert(
      fc.property(rules, anyRequest, mode, (given, request, inMode) => {
        if (request.principal === undefined || !decide(given, request, inMode).allowed) return;
        expect(mayCall(given, request.principal, inMode)).toBe(true);
      }),
      { seed: 8, numRuns: 1_000 },
    );
  });
});
