import { beforeAll, describe, expect, test } from "vitest";
import { Fields } from "../../mesh-runtime/foundation/fields.ts";
import { contentDigest } from "../../mesh-runtime/identity/content-digest.ts";
import { BindingIds, identify } from "../../mesh-runtime/identity/identified.ts";
import { makeWorld, verifier, type World } from "../unit/identity/fixture.ts";
import { type Attack, expectRefused, target, tryAll } from "./attack.ts";
import { type Forged, forge } from "./attacker.ts";
import { isolate, loadedPolicy } from "./journey.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

const body = "amount=3";
const bytes = new TextEncoder().encode(body);
/** SHA-256 of the body, by another hand than the mesh's: `printf amount=3 | openssl dgst -sha256 -binary | base64`. */
const right = "sJB/9efbJMQTlvJ0LgV4yBGUn/QChdx7OSzAHJivK9M=";
const wrong = `${"A".repeat(43)}=`;
const sha512 = async (): Promise<string> =>
  btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-512", bytes))));

/** Another body than was signed. */
const arriving = (other: string | null): Forged => ({ body, arrives: { body: other } });
/** A proof that covers this digest, of the attacker's choice. */
const stating = (digest: string | null): Forged => ({ body, digest });

const bodies: readonly Attack[] = [
  [44, "its own body, which is no attack", { body }, "accepted"],
  [44, "another body of the same length", arriving("amount=4"), /digest/],
  [44, "a body that is cut", arriving("amount="), /digest/],
  [44, "a body with more behind", arriving("amount=30"), /digest/],
  [44, "an empty body in the place of one", arriving(""), /digest/],
  [44, "no body in the place of one", arriving(null), /digest/],
  [44, "an empty body under its own digest, which is no attack", { body: "" }, "accepted"],
  [44, "a body in the place of an empty one", { body: "", arrives: { body } }, /digest/],
  [44, "a body in the place of none", { arrives: { body } }, /digest/],
  [44, "a body without a digest", stating(null), /digest/],
  [
    44,
    "a digest put on on the way",
    { ...stating(null), wire: (headers) => headers.set("content-digest", `sha-256=:${right}:`) },
    /malformed/,
  ],
  [
    44,
    "another body and its digest on the way",
    async () => ({
      ...arriving("amount=9"),
      wire: (headers) => headers.set("content-digest", `sha-256=:${wrong}:`),
    }),
    /proof/,
  ],
  [
    44,
    "a body whose digest is taken away",
    { body, wire: (headers) => headers.delete("content-digest") },
    /proof/,
  ],
  [
    44,
    "another encoding of the content",
    async () => ({ ...arriving("\u001f\u008b\b"), headers: { "content-encoding": "gzip" } }),
    /digest/,
  ],
  [
    45,
    "a digest that the signature leaves open",
    {
      body,
      components: [
        '"@method"',
        '"@request-target"',
        '"content-type"',
        '"tulle-hops"',
        '"workload-identity-token"',
      ],
    },
    /malformed/,
  ],
  ...[
    "md5=:Sd/dVLAcvNLSq16eXua5uQ==:",
    "sha=:07CavjDP4u3/TungoUHJO/Wzr4c=:",
    "crc32c=:AAAAAA==:",
    "adler=:AAAAAA==:",
    "unixsum=:AAA=:",
    "id-sha-256=:AAAA:",
  ].map((digest): Attack => [45, `only ${digest.split("=")[0]}`, stating(digest), /digest/]),
  [45, "only sha-512, though it is right", async () => stating(`sha-512=:${await sha512()}:`), /digest/],
  [
    45,
    "a wrong sha-256 beside a right sha-512",
    async () => stating(`sha-512=:${await sha512()}:, sha-256=:${wrong}:`),
    /digest/,
  ],
  [
    45,
    "a right sha-256 beside a right sha-512, which is no attack",
    async () => stating(`sha-512=:${await sha512()}:, sha-256=:${right}:`),
    "accepted",
  ],
  [45, "sha-256 twice, the right one first", stating(`sha-256=:${right}:, sha-256=:${wrong}:`), /digest/],
  [45, "sha-256 twice, the right one last", stating(`sha-256=:${wrong}:, sha-256=:${right}:`), /digest/],
  [45, "sha-256 twice, both right", stating(`sha-256=:${right}:, sha-256=:${right}:`), /digest/],
  [45, "bad base64", stating("sha-256=:!!!!:"), /digest/],
  [45, "the right digest without padding", stating(`sha-256=:${right.slice(0, -1)}:`), /digest/],
  [45, "the right digest with spare bits", stating(`sha-256=:${right.replace("M=", "N=")}:`), /digest/],
  [45, "the right digest as a string", stating(`sha-256="${right}"`), /digest/],
  [45, "the right digest with a parameter", stating(`sha-256=:${right}:;q=1`), /digest/],
  [45, "the right digest in capitals", stating(`SHA-256=:${right}:`), /digest/],
  [45, "an empty digest", stating("sha-256=::"), /digest/],
  [45, "no digest in the header", stating(""), /digest|proof/],
  [45, "a comma behind the digest", stating(`sha-256=:${right}:,`), /digest/],
  [45, "a digest of 10 KB", stating(`sha-256=:${right}:, ${"a".repeat(10_000)}=:AAAA:`), /digest/],
  [
    46,
    "trailers, of which nothing is read: their announcement changes nothing",
    { body, headers: { trailer: "content-digest", te: "trailers" } },
    "accepted",
  ],
];

tryAll("an attacker sends", () => world, bodies);

describe("a body that is sent on", () => {
  test("44: is the very one that was compared, and was whole before the application saw any of it", async () => {
    const isolate = await target(world);
    const seen = await isolate.arrive(await forge(world, { body }));
    expect(await seen.handled?.request.text()).toBe(body);
  });

  test("45: the digest of the toolbox is not the mesh's own word for it", async () => {
    expect(await contentDigest(bytes)).toBe(`sha-256=:${right}:`);
  });
});

describe("bodies above the cap", () => {
  const capped = (largeBody: "reject" | "unsigned") =>
    loadedPolicy((snapshot) => ({
      ...snapshot,
      inbound: { ...snapshot.inbound, maxDigestBytes: 16, largeBody },
    }));

  test("44: are refused before the application is called, whatever their digest: 413", async () => {
    const seen = await isolate(await capped("reject"), () => world.bundle).arrive(
      await forge(world, { body: "a".repeat(17) }),
    );
    expect([seen.status, seen.problem, seen.handled]).toEqual([413, "body-too-large", undefined]);
  });

  test("44: of just the cap are compared", async () => {
    const at = isolate(await capped("reject"), () => world.bundle);
    expect((await at.arrive(await forge(world, { body: "a".repeat(16) }))).status).toBe(200);
    expectRefused(
      await at.arrive(await forge(world, { body: "a".repeat(16), arrives: { body: "b".repeat(16) } })),
      /digest/,
    );
  });

  test("44: an endless body is read no further than the cap", async () => {
    let given = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        given += 8;
        controller.enqueue(new Uint8Array(8));
      },
    });
    const sound = await forge(world, { body });
    const request = new Request(sound.url, { method: "POST", headers: sound.headers, body: endless });
    const seen = await isolate(await capped("reject"), () => world.bundle).arrive(request);
    expect([seen.status, seen.handled]).toEqual([413, undefined]);
    expect(given).toBeLessThan(200);
  });

  test("44: where policy lets bodies go unsigned, one with a digest is compared all the same", async () => {
    const at = isolate(await capped("unsigned"), () => world.bundle);
    expect((await at.arrive(await forge(world, { body: "long".repeat(10), digest: null }))).status).toBe(200);
    expect((await at.arrive(await forge(world, { body }))).status).toBe(200);
    expectRefused(await at.arrive(await forge(world, arriving("amount=4"))), /digest/);
    expectRefused(
      await at.arrive(await forge(world, { body, wire: (headers) => headers.delete("content-digest") })),
      /proof/,
    );
  });

  test("44: where policy lets bodies go unsigned, none is added to a request that had none", async () => {
    const at = isolate(await capped("unsigned"), () => world.bundle);
    // As our callers sign it to such a destination.
    const bare = { digest: await contentDigest(new Uint8Array()) };
    expect((await at.arrive(await forge(world, bare))).status).toBe(200);
    expectRefused(await at.arrive(await forge(world, { ...bare, arrives: { body } })), /digest/);
    const large = await at.arrive(await forge(world, { ...bare, arrives: { body: "long".repeat(10) } }));
    expect([large.status, large.handled]).toEqual([413, undefined]);
  });
});

describe("44: a body on a GET or a HEAD, as a socket brings it and no client of fetch can send it", () => {
  /** Of what arrives only these three are read, so that it can be made without the platform's leave. */
  const judged = async (method: string, sent: string, signed: Forged = {}) => {
    const { url, headers } = await forge(world, { method, ...signed });
    const { cache, replay, now } = verifier(world);
    const ports = {
      trust: () => world.bundle,
      cache,
      replay,
      clock: { now: () => now },
      count: () => undefined,
    };
    const request = { method, url, body: new Response(sent).body };
    const policy = await loadedPolicy();
    const known = await identify(
      { request, policy, bindingProps: undefined },
      new Fields(headers),
      ports,
      new BindingIds(),
    );
    return known.ok ? "accepted" : known.reason;
  };
  const refused = (detail: string) => ({ kind: "unidentified", step: "digest", detail });

  test.each(["GET", "HEAD"])("is refused when it was put on on the way: %s", async (method) => {
    expect(await judged(method, body)).toEqual(refused("the body is not covered"));
  });

  test.each(["GET", "HEAD"])(
    "is refused when it is signed for, because it could not be handed on: %s",
    async (method) => {
      const digest = `sha-256=:${right}:`;
      expect(await judged(method, body, { digest })).toEqual(
        refused("GET and HEAD have no body that could be handed on"),
      );
    },
  );

  test.each(["GET", "HEAD"])("is no attack where it is empty, as a proxy may say: %s", async (method) => {
    expect(await judged(method, "")).toBe("accepted");
    expect(await judged(method, "", { digest: await contentDigest(new Uint8Array(0)) })).toBe("accepted");
    expect(await judged(method, "", { digest: `sha-256=:${right}:` })).toEqual(
      refused("the body is not the one of Content-Digest"),
    );
  });

  test.each(["GET", "HEAD"])("cannot come over a binding: no Request is made with one: %s", (method) => {
    expect(() => new Request("https://payments/", { method, body })).toThrow(TypeError);
  });
});
