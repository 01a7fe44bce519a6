import fc from "fast-check";
import { CompactSign, generateKeyPair } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { DenoAttestor } from "../../control/issuer/attestation/deno-attestor.ts";
import { audienceFor } from "../../control/issuer/attestation/deno-token.ts";
import { entitlement, type RegistrationEntry } from "../../control/issuer/registration.ts";
import { serviceOfProps } from "../../control/service-key.ts";
import { base64url } from "../../mesh-runtime/identity/bytes.ts";
import {
  generateKeys,
  type PossessionExpected,
  provePossession,
  verifyPossession,
  type WorkloadKeys,
} from "../../mesh-runtime/identity/credential.ts";
import { jwkThumbprint } from "../../mesh-runtime/identity/public-jwk.ts";
import { app, type Claims, OidcIssuer, type Signing, selectors } from "../support/oidc-issuer.ts";
import { now, nowS, rawJws } from "../unit/identity/fixture.ts";

/*
 * What an attacker tries at the door of the issuer, as far as it is judgement. What takes an issuer with its memory
 * (tokens that are taken at once, proofs that are used twice) is in `test/control`, where there is one.
 */

let keys: WorkloadKeys;
let thief: WorkloadKeys;
beforeAll(async () => {
  [keys, thief] = await Promise.all([generateKeys(), generateKeys()]);
});

describe("71: an attacker with a binding of its own", () => {
  test.each<readonly [string, object]>([
    ["no props", {}],
    ["props of a prototype", Object.create({ service: "payments", namespace: "default" })],
    ["props called as a prototype's", JSON.parse('{"__proto__":{"service":"payments"}}')],
    ["a list", ["payments"]],
    ["a list for a name", { service: ["payments"] }],
    ["a number", { service: 1 }],
    ["an object with a text", { service: { toString: () => "payments" } }],
    ["an empty name", { service: "" }],
    ["a name with a slash", { service: "x/payments" }],
    ["a way up", { service: "../default/payments" }],
    ["a wildcard", { service: "*" }],
    ["capitals", { service: "Payments" }],
    ["a blank behind", { service: "payments " }],
    ["a line feed", { service: "payments\n" }],
    ["a letter that looks alike", { service: "p\u0430yments" }],
    ["64 characters", { service: "a".repeat(64) }],
    ["a namespace that is none", { service: "payments", namespace: "a/b" }],
    ["null for a namespace", { service: "payments", namespace: null }],
  ])("is nobody with %s", (_, props) => {
    expect(serviceOfProps(props)).toBeUndefined();
  });

  test("is what its props say, as one whole name", () => {
    expect(serviceOfProps({ service: "payments" })).toBe("default/payments");
    expect(serviceOfProps({ service: "pay", namespace: "prod" })).toBe("prod/pay");
  });
});

describe("74: an attacker with another's proof of possession", () => {
  const expected: PossessionExpected = { trustDomain: "example.org", workload: "default/web", now };
  const proof = (changed: Readonly<Record<string, unknown>> = {}): Promise<string> =>
    provePossession({
      workload: "default/web",
      trustDomain: "example.org",
      now,
      jti: "j",
      ...keys,
      ...changed,
    });
  const judged = async (
    jws: string,
    jwk: unknown = keys.publicJwk,
    changed: Partial<PossessionExpected> = {},
  ) => (await verifyPossession(jws, jwk, { ...expected, ...changed })).ok;

  test("whoever holds the key is believed, once it says for whom, where and when", async () => {
    expect(await judged(await proof())).toBe(true);
  });

  test.each<
    readonly [
      string,
      () => Promise<readonly [jws: string, jwk?: unknown, changed?: Partial<PossessionExpected>]>,
    ]
  >([
    ["its own key under it", async () => [await proof(), thief.publicJwk]],
    ["a proof by its own key for another's", async () => [await proof({ privateKey: thief.privateKey })]],
    ["a proof of two minutes ago", async () => [await proof({ now: now - 120_000 })]],
    ["a proof for later", async () => [await proof({ now: now + 120_000 })]],
    ["a proof for another workload", async () => [await proof({ workload: "default/pay" })]],
    ["a proof for one whose name begins alike", async () => [await proof({ workload: "default/web2" })]],
    ["a proof for another issuer", async () => [await proof({ trustDomain: "other.org" })]],
    [
      "a proof for another join token",
      async () => [await proof({ joinToken: "a" }), keys.publicJwk, { joinToken: "b" }],
    ],
    [
      "a proof that speaks of no token, and a token",
      async () => [await proof(), keys.publicJwk, { joinToken: "a" }],
    ],
    ["a proof that speaks of a token, and none", async () => [await proof({ joinToken: "a" })]],
    [
      "a proof for another sealing key",
      async () => [await proof({ sealingKey: "a" }), keys.publicJwk, { sealingKey: "b" }],
    ],
    [
      "a proof that names no sealing key, and one",
      async () => [await proof(), keys.publicJwk, { sealingKey: "a" }],
    ],
    ["a proof that names a sealing key, and none", async () => [await proof({ sealingKey: "a" })]],
    ["a proof without jti", async () => [await proof({ jti: "" })]],
    ["a key with its private half", async () => [await proof(), { ...keys.publicJwk, d: "A".repeat(43) }]],
    ["a symmetric key", async () => [await proof(), { kty: "oct", k: "AAAA", alg: "HS256" }]],
    ["a key off the curve", async () => [await proof(), { ...keys.publicJwk, x: "A".repeat(43) }]],
    ["no key", async () => [await proof(), null]],
    ["nothing", async () => [""]],
    ["3 KB", async () => [`${await proof()}${"A".repeat(3_000)}`]],
    [
      "a token for a proof",
      async () => [
        await new CompactSign(
          new TextEncoder().encode(
            JSON.stringify({ sub: "default/web", aud: "example.org/issuer", iat: nowS, jti: "j" }),
          ),
        )
          .setProtectedHeader({ alg: "ES256", typ: "wit+jwt" })
          .sign(keys.privateKey),
      ],
    ],
    [
      "alg none",
      async () => [
        await rawJws(
          '{"alg":"none","typ":"tulle-pop+jwt"}',
          '{"sub":"default/web","aud":"example.org/issuer"}',
          keys,
        ),
      ],
    ],
  ])("has no use for %s", async (_, make) => {
    expect(await judged(...(await make()))).toBe(false);
  });
});

const controlUrl = "https://control.example.com";
const provider = "https://oidc.example.com";
const secret = { TRUST_DOMAIN: "example.org", TULLE_KEY_SECRET: "k".repeat(32) };
const env = { ...secret, TULLE_DENO_ISSUER: provider };

const entry = (change: Partial<RegistrationEntry> = {}): RegistrationEntry => ({
  id: "e1",
  spiffeId: "spiffe://example.org/ns/default/sa/pay",
  attestor: "deno-deploy",
  selectors,
  ttlMs: undefined,
  note: "",
  createdAt: 0,
  createdBy: "operator",
  issued: 0,
  lastIssuedAt: undefined,
  revokedAt: undefined,
  revokedBy: undefined,
  ...change,
});

describe("72: an attacker with a token of Deno Deploy", () => {
  let issuer: OidcIssuer;
  let stranger: OidcIssuer;
  let attestor: DenoAttestor;
  beforeAll(async () => {
    [issuer, stranger] = await Promise.all([OidcIssuer.at(provider), OidcIssuer.at("https://evil.example")]);
    const keySet = await issuer.keySet();
    const strangers = await stranger.keySet();
    attestor = new DenoAttestor(async (url) =>
      Response.json(String(url).startsWith(`${provider}/`) ? keySet : strangers),
    );
  });

  interface Try {
    readonly claims?: Claims;
    readonly signing?: Signing;
    readonly nonce?: string;
    /** What is made of the right audience. */
    readonly audience?: (right: string) => unknown;
    /** What is made of the whole token. */
    readonly token?: (token: string) => string | Promise<string>;
    readonly by?: OidcIssuer;
    readonly after?: number;
  }

  /** Whom a token makes: the entry by which it does, the check that stops it, or nobody. */
  async function becomes(tried: Try, entries: readonly RegistrationEntry[] = [entry()]): Promise<unknown> {
    const thumbprint = await jwkThumbprint(keys.publicJwk);
    const made = await attestor.nonce(env, now);
    if (!made.ok) throw new Error(made.reason);
    const right = audienceFor(controlUrl, tried.nonce ?? made.value, thumbprint);
    const audience = (tried.audience ?? ((same) => same))(right);
    const token = await (tried.by ?? issuer).token(audience, now, tried.claims, tried.signing);
    const given = await (tried.token ?? ((same) => same))(token);
    const stated = await attestor.attest(env, controlUrl, given, thumbprint, now + (tried.after ?? 0));
    if (!stated.ok) return stated.reason;
    if (stated.value.attestor !== "deno-deploy") return undefined;
    return entitlement(entries, "deno-deploy", stated.value.facts);
  }

  test.each<readonly ["ES256" | "RS256"]>([["ES256"], ["RS256"]])(
    "the app itself is who its entry says, by %s",
    async (alg) => {
      expect(await becomes({ signing: { alg } })).toEqual(entry());
    },
  );

  const [head = "", body = ""] = ['{"alg":"none","typ":"JWT"}', "{}"];
  test.each<readonly [string, Try | (() => Promise<Try>), stops: string]>([
    ["a nonce that it made up", { nonce: "A".repeat(72) }, "nonce"],
    ["no nonce", { nonce: "" }, "audience"],
    ["a nonce of two minutes ago", { after: 120_000 }, "nonce"],
    [
      "a nonce of another mesh's issuer",
      async () => {
        const other = await attestor.nonce({ ...env, TRUST_DOMAIN: "other.org" }, now);
        return other.ok ? { nonce: other.value } : {};
      },
      "nonce",
    ],
    [
      "a token for another's key",
      async () => {
        const [mine, theirs] = await Promise.all([keys, thief].map((each) => jwkThumbprint(each.publicJwk)));
        return { audience: (right) => right.replace(mine ?? "", theirs ?? "") };
      },
      "audience",
    ],
    [
      "a token for both keys",
      async () => ({ audience: async (right: string) => `${right}.${await jwkThumbprint(thief.publicJwk)}` }),
      "audience",
    ],
    ["a token for another service of the internet", { audience: () => "https://example.com/" }, "audience"],
    [
      "a token for another control plane",
      { audience: (right) => right.replace("control.", "controls.") },
      "audience",
    ],
    ["a token for another path", { audience: (right) => right.replace("/attest", "/attest/x") }, "audience"],
    [
      "a token for the address in capitals",
      { audience: (right) => right.replace("https", "HTTPS") },
      "audience",
    ],
    ["a token for several", { audience: (right) => [right, "https://example.com/"] }, "audience"],
    ["a token for this one, in a list", { audience: (right) => [right] }, "audience"],
    ["a token without audience", { audience: () => undefined }, "audience"],
    [
      "another app with the same slug",
      { claims: { app_id: "00000000-0000-4000-8000-000000000000" } },
      "no entry",
    ],
    ["another organisation's app of the same id", { claims: { org_id: app.app_id } }, "no entry"],
    ["a preview", { claims: { context_name: "preview", context_id: app.org_id } }, "no entry"],
    ["a preview that looks like production", { claims: { context_name: "production\u200b" } }, "no entry"],
    ["a context that is a list", { claims: { context_name: ["production"] } }, "claims"],
    ["no context", { claims: { context_name: undefined } }, "claims"],
    ["no app", { claims: { app_id: undefined } }, "claims"],
    ["a subject of another kind", { claims: { sub: "user:acme/shipping/production" } }, "claims"],
    ["a token that has expired", { claims: { exp: nowS - 31 } }, "time"],
    ["a token that never expires", { claims: { exp: undefined } }, "time"],
    ["a token for a day", { claims: { exp: nowS + 86_400 } }, "time"],
    ["a token whose end is a text", { claims: { exp: String(nowS + 300) } }, "time"],
    ["a token whose end is nothing", { claims: { exp: null } }, "time"],
    ["a token for later", { claims: { nbf: nowS + 60 } }, "time"],
    ["a token from later", { claims: { iat: nowS + 60, exp: nowS + 300 } }, "time"],
    ["another iss", { claims: { iss: "https://evil.example" } }, "issuer"],
    ["an iss with a slash more", { claims: { iss: `${provider}/` } }, "issuer"],
    ["an iss in a list", { claims: { iss: [provider] } }, "issuer"],
    ["no iss", { claims: { iss: undefined } }, "issuer"],
    ["an issuer of its own, and its iss", async () => ({ by: stranger }), "signature"],
    ["an issuer of its own under Deno's name", async () => ({ by: stranger.movedTo(provider) }), "signature"],
    [
      "a key in the header",
      async () => {
        const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
        const jwk = await crypto.subtle.exportKey("jwk", publicKey);
        return { signing: { key: privateKey, header: { jwk } } };
      },
      "signature",
    ],
    [
      "a key set in the header",
      async () => {
        const { privateKey } = await generateKeyPair("ES256");
        const header = { jku: "https://evil.example/.well-known/jwks.json", kid: "key-ES256" };
        return { signing: { key: privateKey, header } };
      },
      "signature",
    ],
    ["a kid that nobody has", { signing: { header: { kid: "none" } } }, "kid"],
    ["no kid", { signing: { header: { kid: undefined } } }, "kid"],
    ["a path for a kid", { signing: { header: { kid: "../../key-ES256" } } }, "kid"],
    ["the kid of the other algorithm", { signing: { header: { kid: "key-RS256" } } }, "kid"],
    ["a token of another type", { signing: { header: { typ: "wit+jwt" } } }, "form"],
    ["alg none", { token: async () => (await rawJws(head, body, keys)).replace(/[^.]*$/, "") }, "algorithm"],
    [
      "alg none over the right claims",
      { token: (token) => `${btoa(head).replaceAll("=", "")}.${token.split(".")[1]}.` },
      "algorithm",
    ],
    [
      "HS256 with the public key",
      {
        token: (token) =>
          `${btoa('{"alg":"HS256","kid":"key-ES256"}').replaceAll("=", "")}.${token.split(".")[1]}.AAAA`,
      },
      "algorithm",
    ],
    [
      "PS256 with the RSA key",
      {
        signing: { alg: "RS256", header: { alg: "RS256" } },
        token: (token) =>
          token.replace(/^[^.]*/, btoa('{"alg":"PS256","kid":"key-RS256"}').replaceAll("=", "")),
      },
      "algorithm",
    ],
    [
      "another's claims under this signature",
      { token: (token) => token.replace(/\.[^.]*\./, `.${btoa('{"iss":"x"}').replaceAll("=", "")}.`) },
      "signature",
    ],
    ["half a token", { token: (token) => token.slice(0, -40) }, "signature"],
    ["nothing", { token: () => "" }, "form"],
    ["9 KB", { token: (token) => token + "A".repeat(9_000) }, "form"],
  ])("is nobody with %s", async (_, tried, stops) => {
    const ended = (await becomes(typeof tried === "function" ? await tried() : tried)) ?? "no entry";
    expect(ended).toBe(stops);
  });

  test("is nobody with what is no token at all, and breaks nothing by it", async () => {
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.array(fc.base64String({ maxLength: 60 }), { maxLength: 5 }).map((parts) => parts.join(".")),
      fc.json({ maxDepth: 2 }).map((json) => `${base64url(new TextEncoder().encode(json))}.e30.AAAA`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        expect((await attestor.attest(env, controlUrl, token, "thumbprint", now)).ok).toBe(false);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  test("is nobody while its entry is revoked, and by an entry for something else", async () => {
    expect(await becomes({}, [entry({ revokedAt: 1 })])).toBeUndefined();
    expect(await becomes({}, [entry({ attestor: "join-token", selectors: [] })])).toBeUndefined();
    expect(await becomes({}, [])).toBeUndefined();
  });

  test("cannot have the issuer believe in another provider: only control's own environment names one", async () => {
    const thumbprint = await jwkThumbprint(keys.publicJwk);
    const made = await attestor.nonce(secret, now);
    const nonce = made.ok ? made.value : "";
    const token = await issuer.token(audienceFor(controlUrl, nonce, thumbprint), now);
    const judged = (TULLE_DENO_ISSUER: string | undefined) =>
      new DenoAttestor(async () => Response.json(await issuer.keySet())).attest(
        { ...secret, ...(TULLE_DENO_ISSUER === undefined ? {} : { TULLE_DENO_ISSUER }) },
        controlUrl,
        token,
        thumbprint,
        now,
      );
    expect((await judged(provider)).ok).toBe(true);
    expect(await judged(undefined)).toEqual({ ok: false, reason: "issuer" });
    for (const unusable of ["http://oidc.example.com", "oidc.example.com", `${provider}/`, `${provider}?x`])
      expect(await judged(unusable)).toEqual({ ok: false, reason: "configuration" });
  });
});

describe("75: an attacker who is somebody, and wants to be somebody else", () => {
  const names = ["pay", "payroll", "pay-", "pa", "PAY", "pay/", "pay%2Froll", "pay/../payroll", ""];
  test.each(names.filter((name) => name !== "pay"))("has no entry as %j", (name) => {
    const entries = [entry(), entry({ id: "e2", attestor: "binding", selectors: ["service:pay"] })];
    const uri = `spiffe://example.org/ns/default/sa/${name}`;
    const own = entries.filter(({ spiffeId }) => spiffeId === uri);
    expect(entitlement(own, "deno-deploy", { ...app })).toBeUndefined();
    expect(entitlement(entries, "binding", { service: name, namespace: "default" })).toBeUndefined();
  });
});
