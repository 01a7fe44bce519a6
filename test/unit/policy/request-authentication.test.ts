import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { type IssuerKey, issuerKey, keySetOf } from "../identity/users.ts";
import { allowAll, documents, gateway, inShort, policy, read, service, together } from "./writing.ts";

const users = (spec: string, name = "users", namespace = "default") =>
  policy("RequestAuthentication", name, spec, namespace);
const issuers = (rule: string): string => `{jwtRules: [{issuer: "https://id.example", ${rule}}]}`;
const keys = 'jwksUri: "https://id.example/keys"';

/** The issues of one rule, without severity and line. */
const issuesOf = (rule: string): readonly string[] =>
  read(users(issuers(rule))).issues.map((issue) => inShort(issue).replace(/^error \d+ spec\.jwtRules/, ""));

let key: IssuerKey;
beforeAll(async () => {
  key = await issuerKey("k1");
});

describe("a RequestAuthentication", () => {
  test("is read with every member that Istio has for what is here", () => {
    const rule = `audiences: [shop], ${keys}, fromHeaders: [{name: X-Jwt, prefix: "JWT "}], fromCookies: [session],
      fromParams: [token], outputClaimToHeaders: [{header: X-User, claim: sub}, {header: x-role, claim: realm.role}],
      outputPayloadToHeader: X-Payload, forwardOriginalToken: true, spaceDelimitedClaims: [scp], timeout: 2s, failureMode: PERMISSIVE`;
    expect(issuesOf(rule)).toEqual([]);
    const [snapshot] = [...compile(documents(service("web"), users(issuers(rule)))).values()];
    expect(snapshot?.inbound.users).toEqual([
      {
        name: "RequestAuthentication/default/users/0",
        issuer: "https://id.example",
        audiences: ["shop"],
        keys: { type: "url", url: "https://id.example/keys", timeoutMs: 2_000 },
        places: [
          { type: "header", name: "x-jwt", prefix: "JWT " },
          { type: "cookie", name: "session" },
          { type: "query", name: "token" },
        ],
        forward: true,
        claimHeaders: [
          { header: "x-user", claim: "sub" },
          { header: "x-role", claim: "realm.role" },
        ],
        payloadHeader: "x-payload",
        spaceDelimited: ["scp"],
      },
    ]);
  });

  test("finds tokens where Istio does, if it does not say where", () => {
    const [snapshot] = [...compile(documents(service("web"), users(issuers(keys)))).values()];
    expect(snapshot?.inbound.users?.[0]).toMatchObject({
      keys: { timeoutMs: 5_000 },
      places: [
        { type: "header", name: "authorization", prefix: "Bearer " },
        { type: "query", name: "access_token" },
      ],
      forward: false,
      spaceDelimited: ["scope", "permission"],
    });
  });

  test("may hold the keys themselves", () => {
    const rule = `jwks: '${keySetOf(key)}'`;
    const [snapshot] = [...compile(documents(service("web"), users(issuers(rule)))).values()];
    expect(snapshot?.inbound.users?.[0]?.keys).toEqual({ type: "inline", jwks: keySetOf(key) });
  });

  test.each([
    [
      "",
      "[0]: spec.jwtRules[0]: without jwksUri or jwks there are no keys to verify with; OpenID discovery is not asked.",
    ],
    [`${keys}, audiences: []`, "[0].audiences: "],
    [
      'jwksUri: "http://id.example/keys"',
      "[0].jwksUri: spec.jwtRules[0].jwksUri: over http anybody on the way",
    ],
    [
      'jwksUri: "https://user:pass@id.example/keys"',
      "[0].jwksUri: spec.jwtRules[0].jwksUri must be an https URL without user",
    ],
    ['jwksUri: "ftp://id.example/keys"', "[0].jwksUri: "],
    ["jwksUri: keys", "[0].jwksUri: "],
    ["jwks: '{}'", '[0].jwks: spec.jwtRules[0].jwks: it is not an object with a list "keys".'],
    ["jwks: '{\"keys\": []}'", "[0].jwks: spec.jwtRules[0].jwks: it has no key for verifying"],
    ["jwks: {keys: []}", "[0].jwks: spec.jwtRules[0].jwks: write it as a text"],
    [
      `${keys}, fromHeaders: [{name: cookie}]`,
      "[0].fromHeaders[0].name: spec.jwtRules[0].fromHeaders[0].name: use fromCookies.",
    ],
    [`${keys}, fromHeaders: [{name: "x y"}]`, "[0].fromHeaders[0].name: "],
    [
      `${keys}, fromHeaders: [{name: workload-identity-token}]`,
      "[0].fromHeaders[0].name: spec.jwtRules[0].fromHeaders[0].name: workload-identity-token is the mesh's own.",
    ],
    [`${keys}, fromHeaders: [x-jwt]`, "[0].fromHeaders[0]: "],
    [`${keys}, fromCookies: ["a b"]`, "[0].fromCookies[0]: "],
    [
      `${keys}, outputClaimToHeaders: [{header: tulle-user, claim: sub}]`,
      "[0].outputClaimToHeaders[0].header: spec.jwtRules[0].outputClaimToHeaders[0].header: tulle-user is the mesh's own.",
    ],
    [`${keys}, outputClaimToHeaders: [{header: Traceparent, claim: sub}]`, "is the mesh's own."],
    [
      `${keys}, outputClaimToHeaders: [{header: Authorization, claim: sub}]`,
      "Authorization means something else",
    ],
    [
      `${keys}, outputClaimToHeaders: [{header: x-forwarded-for, claim: sub}]`,
      "x-forwarded-for means something else",
    ],
    [`${keys}, outputPayloadToHeader: host`, "host means something else"],
    [
      `${keys}, outputClaimToHeaders: [{header: x-a, claim: a}, {header: X-A, claim: b}]`,
      'the header "x-a" stands here twice',
    ],
    [
      `${keys}, outputClaimToHeaders: [{header: x-a, claim: a}], outputPayloadToHeader: x-a`,
      'the header "x-a" stands here twice',
    ],
    [`${keys}, timeout: 1m`, "[0].timeout: "],
    [`${keys}, failureMode: STRICT`, "demand a token by an AuthorizationPolicy"],
    [`${keys}, jwks_uri: x`, "[0].jwks_uri: "],
  ])("with {%s} is refused: %s", (rule, why) => {
    const issues = issuesOf(rule);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(why);
  });

  test("with keys twice is refused, and with a private one", () => {
    expect(issuesOf(`${keys}, jwks: '${keySetOf(key)}'`)[0]).toContain("jwksUri and jwks stand here");
    const secret = JSON.stringify({ keys: [{ ...key.jwk, d: "secret-of-the-key" }] });
    const [issue = ""] = issuesOf(`jwks: '${secret}'`);
    expect(issue).toContain("it holds a private or symmetric key");
  });

  test("for this machine alone may fetch over http", () => {
    for (const host of ["localhost", "127.0.0.1", "[::1]"])
      expect(issuesOf(`jwksUri: "http://${host}:8080/keys"`)).toEqual([]);
  });

  test("is for what it names, or all of its namespace; those of several documents are in force together", () => {
    const named = users(`{targetRefs: [{kind: Service, name: web}], jwtRules: [{issuer: a, ${keys}}]}`, "a");
    const all = users(`{jwtRules: [{issuer: b, ${keys}}, {issuer: b, audiences: [x], ${keys}}]}`, "b");
    const elsewhere = users(`{jwtRules: [{issuer: c, ${keys}}]}`, "c", "shop");
    const snapshots = compile(
      documents(service("web"), service("cart"), service("cart", "{}", "shop"), named, all, elsewhere),
    );
    const found = (workload: string) =>
      snapshots.get(workload)?.inbound.users?.map(({ name }) => name.slice("RequestAuthentication/".length));
    expect(found("default/web")).toEqual(["default/a/0", "default/b/0", "default/b/1"]);
    expect(found("default/cart")).toEqual(["default/b/0", "default/b/1"]);
    expect(found("shop/cart")).toEqual(["shop/c/0"]);
  });

  test("speaks of what comes in from outside where it names the gateway's Service, and nowhere else", () => {
    const mesh = [
      service("gateway"),
      gateway("public", "listeners: [{name: http, protocol: HTTP, port: 80}]"),
    ];
    const all = users(issuers(keys));
    expect(compile(documents(...mesh, all)).get("default/gateway")?.entry).toBeUndefined();
    const named = users(`{targetRefs: [{kind: Service, name: gateway}], jwtRules: [{issuer: a, ${keys}}]}`);
    expect(compile(documents(...mesh, named)).get("default/gateway")?.entry).toMatchObject({
      authorization: [],
      users: [{ issuer: "a" }],
    });
  });
});

describe("documents together", () => {
  const demand = (spec: string, name = "demand") => policy("AuthorizationPolicy", name, spec);
  const anyUser = "rules: [{from: [{source: {requestPrincipals: ['*']}}]}]";

  test("a RequestAuthentication names Services that exist", () => {
    const lost = users(`{targetRefs: [{kind: Service, name: wbe}], jwtRules: [{issuer: a, ${keys}}]}`);
    expect(together(service("web"), allowAll(), lost)).toEqual([
      expect.stringMatching(/^error .* The Service default\/wbe .*did you mean "?default\/web/),
    ]);
  });

  test("whoever asks for end users where nobody verifies tokens is told", () => {
    const issues = together(service("web"), demand(`{targetRefs: [{kind: Service, name: web}], ${anyUser}}`));
    expect(issues).toEqual([
      "warning 3 spec.rules[0]: AuthorizationPolicy/default/demand/0 asks for the end user, and nobody verifies tokens at default/web; add a RequestAuthentication.",
    ]);
    for (const condition of ["request.auth.claims[iss]", "request.auth.principal", "request.auth.audiences"])
      expect(
        together(service("web"), demand(`{rules: [{when: [{key: "${condition}", values: ["a/b"]}]}]}`)),
      ).toHaveLength(1);
    expect(together(service("web"), users(issuers(keys)), demand(`{${anyUser}}`))).toEqual([]);
  });

  test("a gateway verifies by what names it", () => {
    const mesh = [
      service("gateway"),
      gateway("public", "listeners: [{name: http, protocol: HTTP, port: 80}]"),
      demand(`{targetRefs: [{kind: Service, name: gateway}], ${anyUser}}`),
    ];
    const [issue = ""] = together(...mesh, users(issuers(keys)));
    expect(issue).toContain("add a RequestAuthentication that names it in targetRefs");
    const named = users(`{targetRefs: [{kind: Service, name: gateway}], jwtRules: [{issuer: a, ${keys}}]}`);
    expect(together(...mesh, named)).toEqual([]);
  });

  test("a rule whose end users exclude each other never matches, and at a gateway one about end users may", () => {
    const never = demand(
      "{rules: [{from: [{source: {requestPrincipals: ['a/*'], notRequestPrincipals: ['*']}}]}]}",
    );
    expect(together(service("web"), allowAll(), users(issuers(keys)), never)).toEqual([
      expect.stringContaining("every one of its requestPrincipals is among notRequestPrincipals"),
    ]);
  });
});
