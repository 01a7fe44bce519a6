import { beforeAll, describe, expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { contentDigest } from "../../../mesh-runtime/identity/content-digest.ts";
import { jwkThumbprint } from "../../../mesh-runtime/identity/credential.ts";
import type { Captured, Judge } from "../../../mesh-runtime/identity/explanation/captured.ts";
import { explainIdentity } from "../../../mesh-runtime/identity/explanation/explain.ts";
import { spanText, stated, timeText } from "../../../mesh-runtime/identity/explanation/findings.ts";
import { signMessage } from "../../../mesh-runtime/identity/proof.ts";
import { parseSpiffeId } from "../../../mesh-runtime/identity/spiffe-id.ts";
import { type Forged, forge } from "../../attacks/attacker.ts";
import { type ForgedGrant, grantFor, sessionKey } from "./agreement.ts";
import {
  caller,
  makeWit,
  makeWorld,
  now,
  self,
  signedMessage,
  validMessage,
  value,
  type World,
} from "./fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const inbound = { mode: "STRICT", evidence: "signature", maxDigestBytes: 64, largeBody: "reject" } as const;
const judge = (changed: Partial<Judge> = {}, demanded: object = {}): Judge => ({
  policy: { self: value(parseSpiffeId(self)), inbound: { ...inbound, ...demanded } },
  bundle: world.bundle,
  now,
  ...changed,
});

/** A sound request, with a body if one is given, as somebody kept it. */
async function captured(body?: string, changed: Partial<Captured> = {}): Promise<Captured> {
  const bytes = new Uint8Array(new TextEncoder().encode(body));
  const digest = body === undefined ? {} : { "content-digest": await contentDigest(bytes) };
  const { method, url, headers } = await signedMessage(world, validMessage({ "tulle-hops": "1", ...digest }));
  return {
    method,
    url,
    headers: new Fields(headers),
    body: bytes,
    repeated: [],
    props: undefined,
    ...changed,
  };
}

const bare = (headers: Readonly<Record<string, string>> = {}): Captured => ({
  method: "POST",
  url: "https://payments/charge",
  headers: new Fields(new Headers(headers)),
  body: undefined,
  repeated: [],
  props: undefined,
});

/** The outcome of each check by its name. */
const outcomes = async (request: Captured, by: Judge = judge()) => {
  const { checks } = await explainIdentity(request, by);
  return Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));
};
const failure = async (request: Captured, by: Judge = judge()) =>
  (await explainIdentity(request, by)).checks.find(({ outcome }) => outcome === "failed");

describe("explainIdentity()", () => {
  test("says of a sound request that every check passes but the one that no file can tell", async () => {
    const said = await explainIdentity(await captured("amount=3"), judge());
    expect(said).toMatchObject({ accepted: true, caller: { spiffeId: caller, evidence: "signature" } });
    expect(said.refusal).toBeUndefined();
    expect(said.checks.filter(({ outcome }) => outcome !== "passed").map(({ name }) => name)).toEqual([
      "nonce used for the first time",
    ]);
    expect(said.checks).toHaveLength(22);
  });

  test("shows claims, times and thumbprints, and neither token nor signature nor query nor body", async () => {
    const request = await captured("amount=3");
    const text = JSON.stringify(await explainIdentity(request, judge()));
    for (const shown of [caller, self, "issuer-1", await jwkThumbprint(world.keys.publicJwk)])
      expect(text).toContain(shown);
    const wit = request.headers.get("workload-identity-token") ?? "";
    const secrets = [...wit.split("."), (request.headers.get("signature") ?? "").slice(7, 40), "amount=3"];
    for (const secret of secrets) expect(text).not.toContain(secret);
  });

  test("stops at the first check that fails, and still says what it saw after that", async () => {
    const request = await captured();
    const foreign = await explainIdentity(
      request,
      judge({ policy: { self: value(parseSpiffeId(`${self}2`)), inbound } }),
    );
    expect(foreign).toMatchObject({ accepted: false, refusal: { kind: "unidentified", step: "audience" } });
    expect(foreign.checks.find(({ name }) => name === "time")).toEqual({
      name: "time",
      standard: "RFC 9421 §2.3",
      outcome: "not reached",
      seen: [
        `created ${new Date(now).toISOString()}, just then`,
        `expires ${new Date(now + 30_000).toISOString()}, 30 s after`,
      ],
    });
  });

  test("tells by how long a proof, a token and a bundle have run out", async () => {
    const request = await captured();
    const late = await failure(request, judge({ now: now + 210_000 }));
    expect(late).toMatchObject({ name: "time", detail: "clock: the proof has expired" });
    expect(late?.seen[1]).toMatch(/^expires .*, 3 min before$/);
    const stale = await failure(request, judge({ now: now + 2 * 3_600_000 }));
    expect(stale).toMatchObject({ name: "token: lifetime", detail: "token: the token has expired" });
    expect(stale?.seen[2]).toMatch(/^expires .*, 1 h before$/);
    const gone = await failure(request, judge({ now: now + 3 * 86_400_000 }));
    expect(gone).toMatchObject({
      name: "trust bundle",
      detail: "trust-domain: the trust bundle has expired",
    });
  });

  test("names the keys that there are where the token's is none of them", async () => {
    const bundle = { ...world.bundle, keys: new Map([["issuer-9", world.rootKey]]) };
    const unknown = await explainIdentity(await captured(), judge({ bundle }));
    expect(unknown.checks.find(({ name }) => name === "trust bundle")?.seen).toContain("keys issuer-9");
    expect(unknown.checks.find(({ name }) => name === "token: header")).toMatchObject({
      outcome: "passed",
      seen: ["alg ES256", "typ wit+jwt", "kid issuer-1"],
    });
    expect(unknown.checks.find(({ outcome }) => outcome === "failed")).toMatchObject({
      name: "token: signing key",
      detail: "token: kid names no key of the trust bundle",
    });
    // What the token says is shown, and said to be nobody's word.
    expect(unknown.checks.find(({ name }) => name === "token: subject")).toMatchObject({
      outcome: "not reached",
      seen: [`sub ${caller} (not verified)`],
    });
  });

  test("tells that an identity was revoked", async () => {
    const revoked = { ...world.bundle.revoked, workloads: new Map([[caller, Number.POSITIVE_INFINITY]]) };
    expect(await failure(await captured(), judge({ bundle: { ...world.bundle, revoked } }))).toMatchObject({
      name: "token: not revoked",
      detail: "revoked: the token is revoked",
    });
  });

  test("compares the body where there is one, and says so where nobody kept it", async () => {
    const request = await captured("amount=3");
    expect((await outcomes(request)).body).toBe("passed");
    const other = new Uint8Array(new TextEncoder().encode("amount=4"));
    expect(await failure({ ...request, body: other })).toMatchObject({
      name: "body",
      detail: "digest: the body is not the one of Content-Digest",
    });
    const unkept = await explainIdentity({ ...request, body: undefined }, judge());
    expect(unkept).toMatchObject({ accepted: true, caller: { spiffeId: caller } });
    expect(unkept.checks.find(({ name }) => name === "body")?.outcome).toBe("not known");
  });

  test("a digest that nobody could compare fails without the body, too", async () => {
    const { method, url, headers } = await signedMessage(
      world,
      validMessage({ "content-digest": "md5=:AA==:" }),
    );
    const request = { ...bare(), method, url, headers: new Fields(headers) };
    expect(await failure(request)).toMatchObject({
      name: "body",
      detail: "digest: Content-Digest has no sha-256",
    });
  });

  test("a body that the headers tell of, and no digest covers, is refused unless it may go unsigned", async () => {
    const { headers, ...request } = await captured(undefined, { body: undefined });
    headers.set("content-length", "8");
    expect(await failure({ ...request, headers })).toMatchObject({
      detail: "digest: the body is not covered",
    });
    const lenient = judge({}, { largeBody: "unsigned" });
    expect((await explainIdentity({ ...request, headers }, lenient)).accepted).toBe(true);
  });

  test("a body above what is compared is told with the limit", async () => {
    expect(await failure(await captured("a".repeat(65)))).toMatchObject({
      name: "body",
      detail: "digest: the body is larger than 64 bytes, which is the most that is compared",
    });
  });

  test("headers that stand there twice are told to be read as one", async () => {
    const request = await captured(undefined, { repeated: ["signature"] });
    expect((await explainIdentity(request, judge())).checks[0]?.seen[2]).toMatch(
      /characters, in several lines$/,
    );
  });
});

test("judges a caller of another trust domain by the keys of that domain, and says so", async () => {
  const partner = { ...world.bundle, trustDomain: "partner.example" };
  const bundle = { ...world.bundle, keys: new Map(), federated: new Map([["partner.example", partner]]) };
  const sub = "spiffe://partner.example/ns/default/sa/web";
  const wit = await makeWit(world, { sub });
  const message = validMessage();
  const credential = { ...world.credential, wit };
  value(await signMessage(message, { audience: self, credential, now, nonce: "foreign" }));
  const { method, url, headers } = message;
  const request = { ...bare(), method, url, headers: new Fields(headers) };
  const said = await explainIdentity(request, judge({ bundle }));
  expect(said).toMatchObject({ accepted: true, caller: { spiffeId: sub } });
  expect(said.checks.find(({ name }) => name === "trust bundle")?.seen[0]).toBe(
    "partner.example (there are example.org, too), sequence 7",
  );
  // Ours has no keys here, and is what judges those of no domain that is configured.
  expect(await failure(request, judge({ bundle: { ...bundle, federated: new Map() } }))).toMatchObject({
    name: "token: signing key",
  });
});

test("tells that a signed answer is demanded", async () => {
  const message = validMessage();
  const { credential } = world;
  value(await signMessage(message, { audience: self, credential, now, nonce: "answer", signResponse: true }));
  const { checks } = await explainIdentity(
    { ...bare(), ...message, headers: new Fields(message.headers) },
    judge(),
  );
  expect(checks.find(({ name }) => name === "Signature-Input")?.seen).toContain("demands a signed answer");
});

test("says who remembers nonces: an isolate, or with strict replay protection the mesh", async () => {
  const whoOf = async (by: Judge) => {
    const { checks } = await explainIdentity(await captured(), by);
    return checks.find(({ name }) => name.startsWith("nonce"))?.detail;
  };
  expect(await whoOf(judge())).toMatch(/^each isolate remembers/);
  expect(await whoOf(judge({}, { replay: "strict" }))).toMatch(/^the whole mesh remembers/);
});

describe("explainIdentity() of a request without a proof", () => {
  const props = { service: "web", namespace: "default" };

  test("is nobody's under STRICT, and comes in as nobody under PERMISSIVE", async () => {
    expect(await failure(bare())).toMatchObject({ detail: "missing: the request carries no identity" });
    const lenient = await explainIdentity(bare(), judge({}, { mode: "PERMISSIVE" }));
    expect(lenient).toMatchObject({ accepted: true, caller: undefined });
    expect(lenient.checks[1]?.seen).toEqual([
      `${self} is PERMISSIVE and demands a signature`,
      "so it comes in as nobody, and is counted",
    ]);
  });

  test("has the binding's word where that is enough, and is told what is demanded where it is not", async () => {
    const bound = { ...bare(), props };
    expect(await explainIdentity(bound, judge({}, { evidence: "binding" }))).toMatchObject({
      accepted: true,
      caller: { spiffeId: caller, evidence: "binding" },
    });
    expect(await outcomes(bound)).toEqual({ "who the caller shows to be": "passed", evidence: "failed" });
    expect(await failure({ ...bound, props: { service: ["web"] } })).toMatchObject({
      name: "who the caller shows to be",
      detail: "malformed: the binding's props must name service and namespace as RFC 1123 labels",
    });
  });

  test("a signature with another tag is none of ours", async () => {
    const signed = bare({
      "signature-input": 'bot=("@authority");tag="web-bot-auth"',
      signature: "bot=:AAAA:",
    });
    expect(await failure(signed)).toMatchObject({ detail: "missing: the request carries no identity" });
  });
});

describe("what callers chose", () => {
  test("is shown as it is where it is plain, quoted where it is not, and cut where it is long", () => {
    expect(stated(caller)).toBe(caller);
    expect(stated('a"b')).toBe('"a\\"b"');
    expect(stated("a b\u001b[31m")).toBe('"a b\\u001b[31m"');
    expect(stated(undefined)).toBe("absent");
    expect(stated({ a: [1] })).toBe('{"a":[1]}');
    expect(stated("x".repeat(9_000))).toBe(`${"x".repeat(160)}… (9000 characters)`);
  });

  test("times are told from the one that is judged by, however far", () => {
    expect(timeText("expires", 0, 90_000)).toBe("expires 1970-01-01T00:00:00.000Z, 1 min before");
    expect(timeText("expires", 5, 0)).toBe("expires 1970-01-01T00:00:00.005Z, 5 ms after");
    expect(timeText("expires", 1e300, 0)).toMatch(/^expires 1e\+297, .* d after$/);
    expect([spanText(0), spanText(59_999), spanText(7_200_000), spanText(1.9e8)]).toEqual([
      "0 ms",
      "59 s",
      "2 h",
      "2 d",
    ]);
  });
});

describe("explainIdentity() of a proof by session", () => {
  const proved = async (change: ForgedGrant = {}, forged: Forged = {}): Promise<Captured> => {
    const session = await grantFor(world, await sessionKey(), change);
    const { method, url, headers } = await forge(world, { session, ...forged });
    return { ...bare(), method, url, headers: new Fields(headers) };
  };

  test("says that all else passes, and that nobody but the two can tell whether the MAC is right", async () => {
    const said = await explainIdentity(await proved(), judge());
    expect(said.accepted).toBe(true);
    expect(said.caller).toEqual({ spiffeId: caller, evidence: "signature" });
    const unknown = said.checks.filter(({ outcome }) => outcome === "not known").map(({ name }) => name);
    expect(unknown).toEqual(["proof by the session's key", "nonce used for the first time"]);
    expect(new Set(said.checks.map(({ outcome }) => outcome))).toEqual(new Set(["passed", "not known"]));
  });

  test.each<readonly [string, ForgedGrant, Forged, string, string]>([
    [
      "a grant for another",
      { claims: { aud: `${self}s` } },
      {},
      "grant of the session",
      "session: the grant is for another workload",
    ],
    [
      "one of no tag",
      {},
      { parameters: { tag: '"wimse-workload-to-workload"' } },
      "Signature",
      "malformed: the signature is not a byte sequence of 64 bytes",
    ],
    [
      "a proof that has expired",
      {},
      { parameters: { created: "1", expires: "2" } },
      "time",
      "clock: the proof has expired",
    ],
    [
      "a proof for another",
      {},
      { parameters: { "wimse-aud": `"${self}s"` } },
      "audience",
      "audience: the proof is for another workload",
    ],
  ])("says of %s what fails", async (_, grant, forged, name, detail) => {
    expect(await failure(await proved(grant, forged))).toMatchObject({ name, detail });
  });

  test("says of one with a signature in the place of the MAC that grant and tag are required together", async () => {
    const { grant } = await grantFor(world, await sessionKey());
    const { method, url, headers } = await forge(world, { headers: { "tulle-session": grant } });
    const request = { ...bare(), method, url, headers: new Fields(headers) };
    expect((await failure(request))?.detail).toBe(
      "malformed: the tag and the grant of a session are required together",
    );
  });

  test("says where each request is to be signed, and of a body that is another", async () => {
    const refused = await failure(await proved(), judge({}, { sessionProofs: "refused" }));
    expect(refused?.detail).toBe("session: sessions are not taken here");
    const { method, url, headers } = await forge(world, {
      session: await grantFor(world, await sessionKey()),
      body: "amount=3",
    });
    const body = new Uint8Array(new TextEncoder().encode("amount=4"));
    const other = { ...bare(), method, url, headers: new Fields(headers), body };
    expect((await failure(other))?.detail).toMatch(/^digest: /);
  });

  test("a grant beside no proof proves nothing", async () => {
    expect((await failure(bare({ "tulle-session": "a.b.c" })))?.name).toBe("who the caller shows to be");
  });
});
