import { beforeAll, describe, expect, test } from "vitest";
import { parseAnswerInput } from "../../mesh-runtime/identity/answer-input.ts";
import { generateKeys } from "../../mesh-runtime/identity/credential.ts";
import type { SessionKey } from "../../mesh-runtime/identity/session-keys.ts";
import { sessionKey as aSessionKey, type ForgedGrant, grantFor, half } from "../unit/identity/agreement.ts";
import { caller, makeWit, makeWorld, now, nowS, self, type World } from "../unit/identity/fixture.ts";
import { expectRefused, target } from "./attack.ts";
import { type Forged, forge } from "./attacker.ts";
import { isolate, loadedPolicy, type Seen } from "./journey.ts";

let world: World;
let key: SessionKey;
beforeAll(async () => {
  world = await makeWorld();
  key = await aSessionKey();
});

/** Sends a request with a grant that was forged so, to an isolate of its own. */
async function sent(grant: ForgedGrant = {}, forged: Forged = {}, at = now, keys = [key]): Promise<Seen> {
  const session = await grantFor(world, key, grant);
  const seconds = Math.floor(at / 1_000);
  const parameters = { created: String(seconds), expires: String(seconds + 30), ...forged.parameters };
  return (await target(world, keys)).arrive(await forge(world, { ...forged, parameters, session }), at);
}

const isAdmitted = ({ status, body, reason }: Seen) =>
  expect({ status, body, reason }).toEqual({ status: 200, body: "paid", reason: "" });

const hour = 3_600_000;
const zero = "A".repeat(43);
/** u = 1, and one of order 8 (RFC 7748 §6.1; the list of libsodium and of Curve25519's own page). */
const ofLowOrder = [zero, `AQ${"A".repeat(41)}`, "4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA"];

type Row = readonly [
  tries: string,
  how: ForgedGrant | ((world: World) => ForgedGrant | Promise<ForgedGrant>),
];

const grants: readonly Row[] = [
  ["for another workload", { claims: { aud: self.replace("payments", "refunds") } }],
  ["for a prefix of our name", { claims: { aud: self.slice(0, -1) } }],
  ["for a list of workloads, ours among them", { claims: { aud: [self] } }],
  ["of another token of the same caller", async (w) => ({ wit: await makeWit(w, { jti: "other" }) })],
  ["that has expired", { claims: { iat: nowS - 600, exp: nowS } }],
  ["that lives a second too long", { claims: { iat: nowS, exp: nowS + 601 } }],
  ["that was made in the future", { claims: { iat: nowS + 6, exp: nowS + 500 } }],
  ["without an end", { claims: { exp: undefined } }],
  ["without a beginning", { claims: { iat: undefined } }],
  ["whose end is a text", { claims: { exp: String(nowS + 600) } }],
  ["whose end is a fraction", { claims: { exp: nowS + 1.5 } }],
  ["whose end is beyond all numbers", { payload: (text) => text.replace(/"exp":\d+/, '"exp":1e400') }],
  ["for a key that the service does not have", async () => ({ claims: { dk: (await half()).text } })],
  ["for no key", { claims: { dk: undefined } }],
  ["for a key of the prototype", { claims: { dk: "__proto__" } }],
  ["of typ wit+jwt", { header: '{"alg":"ES256","typ":"wit+jwt"}' }],
  ["of typ wpt+jwt", { header: '{"alg":"ES256","typ":"wpt+jwt"}' }],
  ["of no typ", { header: '{"alg":"ES256"}' }],
  ["of alg none", { header: '{"alg":"none","typ":"tulle-session+jwt"}' }],
  ["of alg HS256", { header: '{"alg":"HS256","typ":"tulle-session+jwt"}' }],
  ["with a kid in its header", { header: '{"alg":"ES256","typ":"tulle-session+jwt","kid":"issuer-1"}' }],
  ["with a jwk in its header", { header: '{"alg":"ES256","typ":"tulle-session+jwt","jwk":{}}' }],
  ["with crit in its header", { header: '{"alg":"ES256","typ":"tulle-session+jwt","crit":["x"]}' }],
  [
    "whose header has its members the other way round",
    { header: '{"typ":"tulle-session+jwt","alg":"ES256"}' },
  ],
  ["whose header has a blank", { header: '{"alg":"ES256", "typ":"tulle-session+jwt"}' }],
  ["with a claim more", { claims: { admin: true } }],
  ["with a claim twice", { payload: (text) => text.replace("{", `{"aud":"spiffe://example.org/x",`) }],
  ["whose claims have a blank", { payload: (text) => text.replace(",", ", ") }],
  ["whose claims are in another order", { payload: reordered }],
  ["whose claims are a list", { payload: () => "[]" }],
  ["whose claims are null", { payload: () => "null" }],
  ["whose claims are no JSON", { payload: () => "{" }],
  ["signed by the key of the issuer", (w) => ({ signer: w.issuer.privateKey })],
  ["signed by the root key", (w) => ({ signer: w.root.privateKey })],
  ["signed by the key of another caller", async () => ({ signer: (await generateKeys()).privateKey })],
  ["with padding", { text: (grant) => `${grant}=` }],
  ["with blanks inside", { text: (grant) => grant.replace(".", ". ") }],
  ["of four parts", { text: (grant) => `${grant}.AAAA` }],
  ["of two parts", { text: (grant) => grant.slice(0, grant.lastIndexOf(".")) }],
  ["with its signature cut off", { text: (grant) => grant.slice(0, -4) }],
  ["with spare bits in its signature", { text: withSpareBits }],
  [
    "in the alphabet of base64",
    { text: (grant) => grant.replaceAll("_", "/").replaceAll("-", "+").replace("e", "+") },
  ],
  ["of claims with padding", { text: (grant) => grant.replace(/\.(?=[^.]*$)/, "=.") }],
  ["that is empty", { text: () => "" }],
  ["that is a token", (w) => ({ text: () => w.credential.wit })],
];

/** Another text of the same bytes: the last of the 86 digits of a signature, and of the 43 of a key, has bits that say nothing. */
function withSpareBits(grant: string): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return grant.slice(0, -1) + digits.charAt(digits.indexOf(grant.at(-1) ?? "") + 1);
}

/** The claims of a grant in the order of their names. */
function reordered(text: string): string {
  const claims = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify(Object.fromEntries(Object.entries(claims).sort()));
}

describe("an attacker comes with the grant of a session", () => {
  test("that is sound, which is no attack", async () => isAdmitted(await sent()));

  test.each(grants)("51: %s", async (_, how) => {
    const grant = typeof how === "function" ? await how(world) : how;
    expectRefused(await sent(grant), /session|malformed/);
  });

  test.each([
    ["52: all zero", zero],
    ["52: 1, of low order", ofLowOrder[1] ?? ""],
    ["52: of order 8", ofLowOrder[2] ?? ""],
    ["52: a byte short", "A".repeat(42)],
    ["52: a byte long", "A".repeat(44)],
    ["52: with spare bits", `${"A".repeat(42)}B`],
    ["52: empty", ""],
  ])("whose key is %s", async (_, epk) => {
    expectRefused(await sent({ claims: { epk } }), /session/);
  });

  test("51: that outlives its token by a second", async () => {
    const wit = await makeWit(world, { exp: nowS + 300 });
    expectRefused(await sent({ wit, claims: { exp: nowS + 301 } }, { wit }), /session/);
    isAdmitted(await sent({ wit, claims: { exp: nowS + 300 } }, { wit }));
  });

  test("51: by a clock that is five seconds ahead, and no more", async () => {
    isAdmitted(await sent({ claims: { iat: nowS + 5, exp: nowS + 600 } }));
    expectRefused(await sent({ claims: { iat: nowS + 6, exp: nowS + 600 } }), /session/);
  });

  test("51: of 4 KB, which is not read at all", async () => {
    const seen = await sent({ claims: { aud: `${self}${"a".repeat(4_000)}` } });
    expectRefused(seen, /session/);
    expect(seen.reason).toContain("longer than");
  });

  test("51: for a key that has been retired, and for one that is still to come", async () => {
    const old = await aSessionKey(now - 2 * hour, now - 660_000);
    const next = await aSessionKey(now + 61_000, now + hour);
    for (const theirs of [old, next]) {
      const session = await grantFor(world, theirs);
      const at = await target(world, [old, key, next]);
      expectRefused(await at.arrive(await forge(world, { session })), /session/);
    }
    const last = await aSessionKey(now - 2 * hour, now - 659_999);
    const first = await aSessionKey(now + 60_000, now + hour);
    for (const theirs of [last, first]) {
      const session = await grantFor(world, theirs);
      isAdmitted(await (await target(world, [last, first])).arrive(await forge(world, { session })));
    }
  });

  test("52: whose key has spare bits, though it is a sound one", async () => {
    const own = await half();
    const epk = withSpareBits(own.text);
    expectRefused(await sent({ half: own, claims: { epk } }), /session/);
  });

  test("53: with the key of another's grant, without the secret to it", async () => {
    const victim = await half();
    const copied = await grantFor(world, key, { claims: { epk: victim.text } });
    expectRefused(
      await (await target(world, [key])).arrive(await forge(world, { session: copied })),
      /proof/,
    );
  });

  test("53: of another caller, which agreed on the same halves", async () => {
    // Both know the shared secret; the names and the grant make two keys of it.
    for (const names of [{ caller: `${caller}2` }, { audience: self.replace("payments", "refunds") }])
      expectRefused(await sent({ names }), /proof/);
  });

  test("57: where each request is to be signed", async () => {
    const strict = await loadedPolicy((snapshot) => ({
      ...snapshot,
      inbound: { ...snapshot.inbound, sessionProofs: "refused" },
    }));
    const at = isolate(strict, () => world.bundle, undefined, undefined, undefined, undefined, [key]);
    const session = await grantFor(world, key);
    expectRefused(await at.arrive(await forge(world, { session })), /session/);
    isAdmitted(await at.arrive(await forge(world)));
  });

  test("57: where the service has no keys for any", async () => {
    expectRefused(await sent({}, {}, now, []), /session/);
  });

  test("58: whose token has been revoked since, at the next bundle", async () => {
    let bundle = world.bundle;
    const at = isolate(await loadedPolicy(), () => bundle, undefined, undefined, undefined, undefined, [key]);
    const session = await grantFor(world, key);
    isAdmitted(await at.arrive(await forge(world, { session })));
    const revoked = { ...bundle.revoked, tokens: new Set(["AAAAAAAAAAAAAAAAAAAAAA"]) };
    bundle = { ...bundle, sequence: bundle.sequence + 1, revoked };
    expectRefused(await at.arrive(await forge(world, { session })), /revoked/);
  });

  test("58: whose service has other keys since, because these had leaked, although it was known", async () => {
    const keys = [key];
    const at = await target(world, keys);
    const session = await grantFor(world, key);
    isAdmitted(await at.arrive(await forge(world, { session })));
    keys[0] = await aSessionKey();
    expectRefused(await at.arrive(await forge(world, { session })), /session/);
    // Without a credential of its own the service has none at all.
    keys.pop();
    expectRefused(await at.arrive(await forge(world, { session })), /session/);
    keys[0] = key;
    isAdmitted(await at.arrive(await forge(world, { session })));
  });

  test("51: once its ten minutes are over, although it was known", async () => {
    const at = await target(world, [key]);
    const session = await grantFor(world, key);
    const arrives = async (ms: number) => {
      const seconds = String(Math.floor(ms / 1_000));
      const parameters = { created: seconds, expires: String(Number(seconds) + 30) };
      return at.arrive(await forge(world, { session, parameters }), ms);
    };
    isAdmitted(await arrives(now));
    isAdmitted(await arrives(now + 599_000));
    expectRefused(await arrives(now + 600_000), /session/);
  });

  test("with somebody else's token and his grant, and a key that is his own", async () => {
    const session = { ...(await grantFor(world, key)), mac: new Uint8Array(32) };
    expectRefused(await (await target(world, [key])).arrive(await forge(world, { session })), /proof/);
  });

  test("that is known from another token than the one it comes with", async () => {
    const at = await target(world, [key]);
    const session = await grantFor(world, key);
    isAdmitted(await at.arrive(await forge(world, { session })));
    const wit = await makeWit(world, { jti: "another" });
    expectRefused(await at.arrive(await forge(world, { session, wit })), /session/);
    isAdmitted(await at.arrive(await forge(world, { session })));
  });

  test("from another trust domain, whose grants nobody takes", async () => {
    const other = { ...world.bundle, trustDomain: "partner.example" };
    const federated = new Map([["example.org", world.bundle]]);
    const at = isolate(
      await loadedPolicy(),
      () => ({ ...other, keys: new Map(), federated }),
      ...([undefined, undefined, undefined, undefined] as const),
      [key],
    );
    const session = await grantFor(world, key);
    expectRefused(await at.arrive(await forge(world, { session })), /session/);
  });
});

describe("an attacker proves a session's request", () => {
  const withMac = async (mac: Uint8Array<ArrayBuffer>): Promise<Seen> => {
    const { grant } = await grantFor(world, key);
    return (await target(world, [key])).arrive(await forge(world, { session: { grant, mac } }));
  };

  test("55: with a public key for a secret one", async () => {
    expectRefused(await withMac(key.publicKey), /proof/);
    const { x } = world.keys.publicJwk;
    expectRefused(await withMac(new Uint8Array(new TextEncoder().encode(x))), /proof/);
    expectRefused(await withMac(new Uint8Array(1)), /proof/);
  });

  test.each<readonly [string, (raw: Uint8Array) => Uint8Array]>([
    ["cut off", (raw) => raw.slice(0, 31)],
    ["of half the length", (raw) => raw.slice(0, 16)],
    ["that is empty", () => new Uint8Array()],
    ["of 33 bytes", (raw) => new Uint8Array([...raw, 0])],
    ["of 64 bytes", (raw) => new Uint8Array([...raw, ...raw])],
    ["of zeros", () => new Uint8Array(32)],
  ])("55: with a MAC %s", async (_, signature) => {
    expectRefused(await sent({}, { signature }), /malformed|proof/);
  });

  test("54: with the key that an answer would be proved with", async () => {
    expectRefused(await sent({ direction: "response" }), /proof/);
  });

  test("56: under the tag of signed requests, or signs one under that of sessions", async () => {
    const tag = { tag: '"wimse-workload-to-workload"' };
    expectRefused(await sent({}, { parameters: tag }), /malformed/);
    const signed = { parameters: { tag: '"tulle-session-v1"' } };
    const at = await target(world, [key]);
    expectRefused(await at.arrive(await forge(world, signed)), /malformed/);
    const { grant } = await grantFor(world, key);
    expectRefused(
      await at.arrive(await forge(world, { ...signed, headers: { "tulle-session": grant } })),
      /malformed/,
    );
    expectRefused(await at.arrive(await forge(world, { headers: { "tulle-session": grant } })), /malformed/);
  });

  test("56: with a signature by the token's key in the place of the MAC", async () => {
    const { grant } = await grantFor(world, key);
    const request = await forge(world, { headers: { "tulle-session": grant } });
    const input = request.headers.get("signature-input") ?? "";
    request.headers.set("signature-input", input.replace("wimse-workload-to-workload", "tulle-session-v1"));
    expectRefused(await (await target(world, [key])).arrive(request), /malformed/);
  });

  test("24: beside a signature of the caller's own", async () => {
    const request = await forge(world, { session: await grantFor(world, key) });
    const other = await forge(world, { label: "own" });
    for (const name of ["signature-input", "signature"])
      request.headers.set(name, `${request.headers.get(name)}, ${other.headers.get(name)}`);
    expectRefused(await (await target(world, [key])).arrive(request), /malformed/);
  });

  test("56: under the tag of sessions, without a grant", async () => {
    const { mac } = await grantFor(world, key);
    const request = await forge(world, {
      parameters: { tag: '"tulle-session-v1"' },
      signature: () => mac,
    });
    expectRefused(await (await target(world, [key])).arrive(request), /malformed/);
  });

  test("26: and leaves the grant open", async () => {
    const components = [
      '"@method"',
      '"@request-target"',
      '"content-type"',
      '"tulle-hops"',
      '"workload-identity-token"',
    ];
    expectRefused(await sent({}, { components, open: true }), /malformed/);
  });

  test("25: with two grants", async () => {
    const session = await grantFor(world, key);
    const { grant } = await grantFor(world, key);
    const request = await forge(world, { session });
    request.headers.append("tulle-session", grant);
    expectRefused(await (await target(world, [key])).arrive(request), /session|malformed/);
  });

  test("59, 60: a second time, next to others in any order, but never the same one twice", async () => {
    const at = await target(world, [key]);
    const other = await target(world, [key]);
    const session = await grantFor(world, key);
    const numbered = (count: number) => forge(world, { session, parameters: { nonce: `"prefix${count}"` } });
    // No window of counters: far ahead, back again, in between.
    for (const count of [5, 100_000, 0, 99_999, 1_200, 6]) isAdmitted(await at.arrive(await numbered(count)));
    for (const count of [100_000, 0, 6]) expectRefused(await at.arrive(await numbered(count)), /replay/);
    isAdmitted(await other.arrive(await numbered(0)));
    expectRefused(await other.arrive(await numbered(0)), /replay/);
  });

  test("59: with the nonce of a signed request", async () => {
    const at = await target(world, [key]);
    const parameters = { nonce: '"once"' };
    isAdmitted(await at.arrive(await forge(world, { parameters })));
    const session = await grantFor(world, key);
    expectRefused(await at.arrive(await forge(world, { parameters, session })), /replay/);
  });

  test("54: and takes what proved a request for the proof of an answer", () => {
    // An answer under the tag of sessions is none that anybody reads.
    const said = (tag: string) =>
      `wimse=("@status" "@method";req "@request-target";req "workload-identity-token";req);created=1;expires=2;nonce="a";tag="${tag}";wimse-req-nonce="b"`;
    expect(parseAnswerInput(said("wimse-workload-to-workload")).ok).toBe(true);
    expect(parseAnswerInput(said("tulle-session-v1"))).toEqual({ ok: false, reason: "tag is not ours" });
  });

  test("no text of a grant, a secret or a MAC stands in the log", async () => {
    const session = await grantFor(world, key);
    const at = await target(world, [key]);
    const seen = await at.arrive(await forge(world, { session, arrives: { method: "PUT" } }));
    expectRefused(seen, /proof/);
    expect(seen.line).not.toContain(session.grant.slice(60, 90));
    expect(seen.line).not.toContain(key.name);
  });
});
