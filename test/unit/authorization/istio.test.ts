import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide, decider } from "../../../mesh-runtime/authorization/decide.ts";
import { stringMatch } from "../../../mesh-runtime/authorization/rule.ts";
import type {
  AccessRequest,
  AuthorizationRule,
  Condition,
  PathMatch,
  StringMatch,
} from "../../../mesh-runtime/authorization/words.ts";
import { principal, speaks, web } from "./subjects.ts";

/*
 * Istio's meaning, written down a second time and as its reference words it
 * (https://istio.io/latest/docs/reference/config/security/authorization-policy/), for requests that can
 * be read in one way only. What is in doubt has tests of its own.
 */

const fits = (match: PathMatch, value: string | undefined): boolean => {
  if (value === undefined || value === "") return false;
  if (match.type === "present") return true;
  if (match.type === "exact") return match.value === value;
  if (match.type === "prefix") return value.indexOf(match.value) === 0;
  if (match.type === "suffix") return value.slice(-match.value.length) === match.value;
  const source = match.value
    .replace(/[.+^$()|[\]\\]/g, "\\$&")
    .replaceAll("{**}", "@")
    .replaceAll("{*}", "[^/]+")
    .replaceAll("@", ".*");
  return new RegExp(`^${source}$`).test(value);
};
const listed = (
  value: string | undefined,
  these: readonly PathMatch[] | undefined,
  notThese: readonly PathMatch[] | undefined,
): boolean =>
  (!these || these.filter((match) => fits(match, value)).length > 0) &&
  (!notThese || notThese.filter((match) => fits(match, value)).length === 0);

const inRange = (block: string, address: string): boolean =>
  block.endsWith("/8") ? block.split(".")[0] === address.split(".")[0] : block === address;

function matches(rule: AuthorizationRule, request: AccessRequest): boolean {
  const { principal: caller, method, path, host, header, address = "" } = request;
  const from =
    !rule.from ||
    rule.from.filter(
      (source) =>
        listed(caller?.id.uri, source.principals, source.notPrincipals) &&
        listed(caller?.namespace, source.namespaces, source.notNamespaces) &&
        (!source.ipBlocks || source.ipBlocks.filter((block) => inRange(block, address)).length > 0) &&
        (!source.notIpBlocks || source.notIpBlocks.filter((block) => inRange(block, address)).length === 0),
    ).length > 0;
  const to =
    !rule.to ||
    rule.to.filter(
      (operation) =>
        listed(method, operation.methods, operation.notMethods) &&
        listed(host, operation.hosts, operation.notHosts) &&
        listed(path, operation.paths, operation.notPaths),
    ).length > 0;
  const attributes = (condition: Condition): string | undefined => {
    if (condition.type === "header") return header?.(condition.name) ?? undefined;
    if (condition.type === "principal") return caller?.id.uri;
    return condition.type === "namespace" ? caller?.namespace : caller?.evidence;
  };
  const when = (rule.when ?? []).every((one) => listed(attributes(one), one.values, one.notValues));
  return from && to && when;
}

/** "If there are any DENY policies that match the request, deny. If there are no ALLOW policies for the workload, allow. If any of the ALLOW policies match, allow. Deny." */
function istio(rules: readonly AuthorizationRule[], request: AccessRequest): boolean {
  const of = (action: string) => rules.filter((rule) => rule.action === action);
  if (of("DENY").some((rule) => matches(rule, request))) return false;
  if (of("ALLOW").length === 0) return true;
  return of("ALLOW").some((rule) => matches(rule, request));
}

const values = (...texts: readonly string[]) =>
  fc.array(fc.constantFrom(...texts).map(stringMatch), { minLength: 1, maxLength: 2 });
const somePaths: fc.Arbitrary<readonly PathMatch[]> = fc.array(
  fc.oneof(
    fc.constantFrom("/a", "/a*", "/a/b", "*b", "*", "/a/b*", "/c").map(stringMatch),
    fc
      .constantFrom("/{*}", "/a/{*}", "/{*}/b", "/a/{**}", "/{**}/b", "/a/{*}/c")
      .map((value): PathMatch => ({ type: "template", value })),
  ),
  { minLength: 1, maxLength: 2 },
);
const someBlocks = fc.array(fc.constantFrom("10.0.0.0/8", "192.0.2.1"), { minLength: 1, maxLength: 2 });
const ids = values(web.id.uri, "spiffe://mesh.local/ns/x*", "*/sa/web", "*");
const spaces = values("default", "x", "d*");
const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ type: fc.constant("principal" as const), values: ids }),
  fc.record({ type: fc.constant("namespace" as const), notValues: spaces }),
  fc.record({
    type: fc.constant("evidence" as const),
    values: fc.constantFrom<readonly StringMatch[]>([stringMatch("signature")], [stringMatch("binding")]),
  }),
  fc.record(
    {
      type: fc.constant("header" as const),
      name: fc.constantFrom("x-team", "x-none"),
      values: values("a", "b", "a*", "*"),
      notValues: values("b", "ab"),
    },
    { requiredKeys: ["type", "name"] },
  ),
);
const anyRule: fc.Arbitrary<AuthorizationRule> = fc.record(
  {
    name: fc.constantFrom("one", "two"),
    action: fc.constantFrom("ALLOW", "DENY", "AUDIT"),
    from: fc.array(
      fc.record(
        {
          principals: ids,
          notPrincipals: ids,
          namespaces: spaces,
          notNamespaces: spaces,
          ipBlocks: someBlocks,
          notIpBlocks: someBlocks,
        },
        { requiredKeys: [] },
      ),
      { minLength: 1, maxLength: 2 },
    ),
    to: fc.array(
      fc.record(
        {
          hosts: values("a.example", "*.example", "b*"),
          notHosts: values("b.example"),
          methods: values("GET", "POST"),
          notMethods: values("POST"),
          paths: somePaths,
          notPaths: somePaths,
        },
        { requiredKeys: [] },
      ),
      { minLength: 1, maxLength: 2 },
    ),
    when: fc.array(condition, { maxLength: 2 }),
  },
  { requiredKeys: ["name", "action"] },
);
const anyRequest: fc.Arbitrary<AccessRequest> = fc
  .record({
    principal: fc.constantFrom(undefined, web, principal("x", "web"), {
      ...principal("default", "cart"),
      evidence: "binding" as const,
    }),
    method: fc.constantFrom("GET", "POST"),
    path: fc.constantFrom("/", "/a", "/a/b", "/a/b/c", "/c", "/b/b"),
    host: fc.constantFrom("a.example", "b.example"),
    team: fc.constantFrom(null, "a", "b", "ab"),
    address: fc.constantFrom("10.1.2.3", "192.0.2.1", "198.51.100.7"),
  })
  .map(({ team, ...request }) => ({
    ...request,
    header: (name: string) => (name === "x-team" ? team : null),
  }));
const someRules = fc.array(anyRule, { maxLength: 4 });

/** A slash at the end of a pattern is in doubt with one that is not there; such patterns are left to other tests. */
const plainly = { seed: 21, numRuns: 4_000 };

describe("for requests that can be read in one way", () => {
  test("a rule speaks of what Istio says that it does", () => {
    const rules = anyRule.filter(({ to = [] }) => !JSON.stringify(to).includes("{**}"));
    fc.assert(
      fc.property(rules, anyRequest, (rule, request) => {
        expect(speaks(rule, request)).toBe(matches(rule, request));
      }),
      plainly,
    );
  });

  test("the decision is Istio's, and in STRICT what no ALLOW rule matches is denied besides", () => {
    const rules = someRules.filter((all) => !JSON.stringify(all).includes("{**}"));
    let allowed = 0;
    fc.assert(
      fc.property(rules, anyRequest, (all, request) => {
        const expected = istio(all, request);
        expect(decide(all, request, "PERMISSIVE").allowed).toBe(expected);
        const some = all.some(({ action }) => action === "ALLOW");
        expect(decide(all, request, "STRICT").allowed).toBe(expected && some);
        if (expected) allowed++;
      }),
      plainly,
    );
    expect(allowed).toBeGreaterThan(500);
    expect(allowed).toBeLessThan(3_500);
  });

  test("with {**} nothing is allowed and nothing left undenied that Istio would not", () => {
    fc.assert(
      fc.property(someRules, anyRequest, (all, request) => {
        if (decide(all, request, "PERMISSIVE").allowed) expect(istio(all, request)).toBe(true);
      }),
      plainly,
    );
  });
});

test("AUDIT rules and dry runs decide nothing", () => {
  fc.assert(
    fc.property(someRules, someRules, anyRequest, (all, more, request) => {
      const beside: readonly AuthorizationRule[] = more.map((rule) =>
        rule.action === "AUDIT" ? rule : { ...rule, dryRun: true },
      );
      const [without, withThem] = [
        decide(all, request, "STRICT"),
        decide([...all, ...beside], request, "STRICT"),
      ];
      expect([withThem.allowed, withThem.rule]).toEqual([without.allowed, without.rule]);
    }),
    { seed: 22, numRuns: 2_000 },
  );
});

test("a dry run tells what the same rules decide in force", () => {
  fc.assert(
    fc.property(someRules, someRules, anyRequest, (all, more, request) => {
      const deciding = more.filter(({ action }) => action !== "AUDIT");
      if (deciding.length === 0) return;
      const trial = deciding.map((rule) => ({ ...rule, dryRun: true as const }));
      const { allowed, rule } = decide([...all, ...deciding], request, "STRICT");
      expect(decide([...all, ...trial], request, "STRICT").dryRun).toEqual({ allowed, rule });
    }),
    { seed: 23, numRuns: 2_000 },
  );
});

test("the AUDIT rule that speaks of a request is named, whatever else is decided", () => {
  const audit: AuthorizationRule = { name: "watch", action: "AUDIT", to: [{ paths: [stringMatch("/a*")] }] };
  const judge = decider([audit], "STRICT");
  const request = { principal: web, method: "GET" };
  expect(judge({ ...request, path: "/a/b" })).toEqual({
    allowed: false,
    rule: "default: no ALLOW rule matched",
    audited: "watch",
  });
  expect(judge({ ...request, path: "/b" })).not.toHaveProperty("audited");
  expect(judge({ ...request, path: "/A" }).audited).toBe("watch");
  expect(judge({ ...request, path: "/x/..%2fa" })).toMatchObject({
    rule: "default: no ALLOW rule matched",
    audited: "watch",
  });
});

describe("what nobody knows for sure", () => {
  const asked = { principal: web, method: "GET", path: "/" };
  const block = { ipBlocks: ["10.0.0.0/8"] };
  const rule = (action: "ALLOW" | "DENY", more: Partial<AuthorizationRule>): AuthorizationRule => ({
    name: action,
    action,
    ...more,
  });
  const all = rule("ALLOW", {});

  test.each([undefined, "", "10.0.0.1, 198.51.100.1", "localhost", "010.0.0.1"])(
    "the address %j counts as one that is denied, and as none that is allowed",
    (address) => {
      const request = { ...asked, address };
      const allowed = (...rules: readonly AuthorizationRule[]) => decide(rules, request, "STRICT").allowed;
      expect(allowed(all, rule("DENY", { from: [block] }))).toBe(false);
      expect(allowed(all, rule("DENY", { from: [{ notIpBlocks: block.ipBlocks }] }))).toBe(false);
      expect(allowed(rule("ALLOW", { from: [block] }))).toBe(false);
      expect(allowed(rule("ALLOW", { from: [{ notIpBlocks: block.ipBlocks }] }))).toBe(false);
    },
  );

  test("a header that stands there twice is denied for each of its values, and allowed for none alone", () => {
    const named = { type: "header", name: "x-team" } as const;
    const request = { ...asked, header: () => "a, b" };
    const allowed = (...rules: readonly AuthorizationRule[]) => decide(rules, request, "STRICT").allowed;
    for (const value of ["a", "b", "a, b", "a*", "*b"]) {
      expect(allowed(all, rule("DENY", { when: [{ ...named, values: [stringMatch(value)] }] }))).toBe(false);
      expect(allowed(rule("ALLOW", { when: [{ ...named, notValues: [stringMatch(value)] }] }))).toBe(false);
    }
    expect(allowed(rule("ALLOW", { when: [{ ...named, values: [stringMatch("a")] }] }))).toBe(false);
    expect(allowed(rule("ALLOW", { when: [{ ...named, values: [stringMatch("b")] }] }))).toBe(false);
    expect(allowed(all, rule("DENY", { when: [{ ...named, notValues: [stringMatch("a")] }] }))).toBe(false);
  });

  test("a host is compared in lower case and without the dot of its root", () => {
    const deny = rule("DENY", { to: [{ hosts: [stringMatch("a.example")] }] });
    for (const host of ["a.example", "A.Example", "a.example."])
      expect(decide([all, deny], { ...asked, host }, "STRICT").allowed).toBe(false);
    expect(decide([all, deny], { ...asked, host: "b.example" }, "STRICT").allowed).toBe(true);
  });
});
