import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import { signMessage, verifyMessage } from "../../../mesh-runtime/identity/proof.ts";
import { ReplayWindow } from "../../../mesh-runtime/identity/replay.ts";
import { signatureBase } from "../../../mesh-runtime/identity/signature-base.ts";
import { parseSignature, parseSignatureInput } from "../../../mesh-runtime/identity/signature-input.ts";
import { WitCache } from "../../../mesh-runtime/identity/svid.ts";
import wimse from "../../vectors/wimse.json" with { type: "json" };
import {
  caller,
  makeWit,
  makeWorld,
  now,
  nowS,
  outcome,
  type Signed,
  self,
  signedMessage,
  signedWith,
  validMessage,
  value,
  verifier,
  type World,
} from "./fixture.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});

/** Changes a message in place, or says what of it is to be other. */
type Change = (message: Signed) => Partial<Signed> | undefined;

/** A signed message with one thing changed afterwards. */
async function tampered(
  change: (message: Signed) => Partial<Signed> | undefined,
  message?: Signed,
): Promise<Signed> {
  const signed = await signedMessage(world, message);
  return { ...signed, ...change(signed) };
}
const header =
  (name: string, text: string): Change =>
  (message) => {
    message.headers.set(name, text);
    return undefined;
  };
const without =
  (name: string): Change =>
  (message) => {
    message.headers.delete(name);
    return undefined;
  };
/** What a message of the fixture covers. */
const components = '"@method" "@request-target" "content-type" "tulle-hops" "workload-identity-token"';
const baseOf = (message: Signed) =>
  [
    `"@method": ${message.method}`,
    '"@request-target": /charge?amount=3&note=',
    '"content-type": application/json',
    '"tulle-hops": 1',
    `"workload-identity-token": ${world.credential.wit}`,
  ].join("\n");

describe("a signed message", () => {
  test("carries token, parameters and signature as the profile says", async () => {
    const { headers } = await signedMessage(world);
    expect(headers.get("workload-identity-token")).toBe(world.credential.wit);
    expect(headers.get("signature-input")).toMatch(
      new RegExp(
        `^wimse=\\(${components}\\);created=${nowS};expires=${nowS + 30};nonce="nonce-\\d+"` +
          `;tag="wimse-workload-to-workload";wimse-aud="${self}"$`,
      ),
    );
    expect(headers.get("signature")).toMatch(/^wimse=:[A-Za-z0-9+/]{86}==:$/);
  });

  test("is accepted, and says who called and what its body must be", async () => {
    const message = await signedMessage(world, validMessage({ "content-digest": "sha-256=:AAAA:" }));
    const verified = value(await verifyMessage(message, verifier(world)));
    expect(verified.caller.id.uri).toBe(caller);
    expect(verified.contentDigest).toBe("sha-256=:AAAA:");
    expect(value(await verifyMessage(await signedMessage(world), verifier(world))).contentDigest).toBe(
      undefined,
    );
  });

  test("covers every header that must be covered and is there, and no response's", async () => {
    const message = validMessage({
      accept: "*/*",
      authorization: "Bearer a",
      "content-digest": "sha-256=:AAAA:",
      "content-type": "text/plain",
      "tulle-circuits": "x",
      "tulle-deadline-ms": "5",
      "tulle-future": "y",
      "txn-token": "t",
    });
    const { headers } = await signedMessage(world, message);
    const parsed = value(parseSignatureInput(headers.get("signature-input") ?? ""));
    expect(parsed.components.toSorted()).toEqual([
      "@method",
      "@request-target",
      "authorization",
      "content-digest",
      "content-type",
      "tulle-deadline-ms",
      "tulle-future",
      "txn-token",
      "workload-identity-token",
    ]);
    expect(await outcome(message, verifier(world))).toBe("accepted");
  });

  test("replaces the proof of an earlier attempt", async () => {
    const message = await signedMessage(world);
    const first = message.headers.get("signature");
    await signedMessage(world, message, now + 1_000);
    expect(message.headers.get("signature")).not.toBe(first);
    expect([...message.headers.keys()].filter((name) => name.startsWith("signature"))).toHaveLength(2);
    expect(await outcome(message, verifier(world, { now: now + 1_000 }))).toBe("accepted");
  });

  test("may pass through proxies that turn header names' case and order", async () => {
    const { method, url, headers } = await signedMessage(world);
    const turned = [...headers]
      .reverse()
      .map(([name, text]): [string, string] => [name.toUpperCase(), ` ${text}\t`]);
    expect(await outcome({ method, url, headers: new Headers(turned) }, verifier(world))).toBe("accepted");
  });

  test("may carry other signatures beside ours", async () => {
    const message = await tampered(({ headers }) => {
      headers.set(
        "signature-input",
        `sig=("@authority");tag="web-bot-auth", ${headers.get("signature-input")}`,
      );
      headers.set("signature", `sig=:AAAA:, ${headers.get("signature")}`);
      return undefined;
    });
    expect(await outcome(message, verifier(world))).toBe("accepted");
  });

  test("may have any header changed that is not covered", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^x-[a-z]{1,10}$/),
        fc.stringMatching(/^[ -~]{0,20}$/),
        async (name, text) => {
          expect(await outcome(await tampered(header(name, text)), verifier(world))).toBe("accepted");
        },
      ),
      { seed: 42, numRuns: 25 },
    );
  });

  test.each(["get", "Get", "p\u00f6st", "", "A B"])("is not made for the method %j", async (method) => {
    const proof = { audience: self, credential: world.credential, now, nonce: "n" };
    expect((await signMessage({ ...validMessage(), method }, proof)).ok).toBe(false);
  });

  test("is not made over a covered header that two readers could read differently", async () => {
    const proof = { audience: self, credential: world.credential, now, nonce: "n" };
    const message = validMessage({ "content-type": "text/plain\u0001" });
    expect(await signMessage(message, proof)).toEqual({
      ok: false,
      reason: expect.stringContaining("content-type"),
    });
    expect(message.headers.has("signature")).toBe(false);
  });

  test("is not made over more parts than a verifier looks at", async () => {
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`tulle-x${at}`, "1"]));
    const proof = { audience: self, credential: world.credential, now, nonce: "n" };
    expect((await signMessage(validMessage(many), proof)).ok).toBe(false);
  });
});

const changes: readonly (readonly [what: string, change: Change, step: string])[] = [
  ["a token without any proof", without("signature"), "missing"],
  ["a signature without Signature-Input", without("signature-input"), "missing"],
  ["a proof without a token", without("workload-identity-token"), "missing"],
  ["an empty Signature", header("signature", ""), "malformed"],
  ["an empty Signature-Input", header("signature-input", ""), "malformed"],
  [
    "a signature under another label",
    (message) =>
      header("signature", (message.headers.get("signature") ?? "").replace("wimse", "sig"))(message),
    "malformed",
  ],
  [
    "two tokens",
    (message) => void message.headers.append("workload-identity-token", world.credential.wit),
    "token",
  ],
  [
    "two signatures",
    (message) => void message.headers.append("signature", message.headers.get("signature") ?? ""),
    "malformed",
  ],
  [
    "two inputs",
    (message) => void message.headers.append("signature-input", message.headers.get("signature-input") ?? ""),
    "malformed",
  ],
  ["a lower-case method", () => ({ method: "post" }), "malformed"],
  ["another method", () => ({ method: "PUT" }), "proof"],
  ["another path", () => ({ url: "https://payments/refund?amount=3&note=" }), "proof"],
  ["a dot segment", () => ({ url: "https://payments/./charge?amount=3&note=" }), "proof"],
  [
    "a percent-encoded letter of the path",
    () => ({ url: "https://payments/%63harge?amount=3&note=" }),
    "proof",
  ],
  ["a doubled slash", () => ({ url: "https://payments//charge?amount=3&note=" }), "proof"],
  ["a trailing slash", () => ({ url: "https://payments/charge/?amount=3&note=" }), "proof"],
  ["a path parameter", () => ({ url: "https://payments/charge;x?amount=3&note=" }), "proof"],
  ["another query", () => ({ url: "https://payments/charge?amount=30&note=" }), "proof"],
  ["a reordered query", () => ({ url: "https://payments/charge?note=&amount=3" }), "proof"],
  ["an added parameter", () => ({ url: "https://payments/charge?amount=3&note=&a" }), "proof"],
  ["a removed query", () => ({ url: "https://payments/charge" }), "proof"],
  ["an added question mark", () => ({ url: "https://payments/charge?amount=3&note=?" }), "proof"],
  ["another content type", header("content-type", "text/plain"), "proof"],
  ["a removed covered header", without("content-type"), "proof"],
  ["an added authorization", header("authorization", "Bearer b"), "malformed"],
  ["an added content digest", header("content-digest", "sha-256=:AAAA:"), "malformed"],
  ["an added transaction token", header("txn-token", "t"), "malformed"],
  ["an added header of the mesh", header("tulle-deadline-ms", "99999"), "malformed"],
  ["an added header of the mesh that nobody knows", header("tulle-x", "1"), "malformed"],
  ["a changed header of the mesh", header("tulle-hops", "0"), "proof"],
  ["a covered header outside ASCII", header("content-type", "application/json\u0001"), "proof"],
];

describe("verifyMessage() refuses", () => {
  test.each(changes)("%s", async (_, change, step) => {
    expect(await outcome(await tampered(change), verifier(world))).toBe(step);
  });

  test("a message where any one byte of any covered part is another", async () => {
    const message = await signedMessage(
      world,
      validMessage({
        "content-type": "a/b",
        authorization: "Bearer x",
        "content-digest": "sha-256=:AAAA:",
        "tulle-hops": "1",
      }),
    );
    const parts = [
      "method",
      "target",
      "content-type",
      "authorization",
      "content-digest",
      "tulle-hops",
      "workload-identity-token",
      "signature-input",
      "signature",
    ];
    const turn = (text: string, at: number, by: number): string => {
      const place = at % text.length;
      const code = 0x21 + ((text.charCodeAt(place) - 0x21 + by) % 94);
      return text.slice(0, place) + String.fromCharCode(code) + text.slice(place + 1);
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...parts),
        fc.nat(10_000),
        fc.integer({ min: 1, max: 93 }),
        async (part, at, by) => {
          const headers = new Headers(message.headers);
          const changed = { ...message, headers };
          if (part === "method") changed.method = turn(message.method, at, by);
          else if (part === "target")
            changed.url = `https://payments${turn("/charge?amount=3&note=", at, by)}`;
          else headers.set(part, turn(headers.get(part) ?? "", at, by));
          expect(await outcome(changed, verifier(world))).not.toBe("accepted");
        },
      ),
      { seed: 7, numRuns: 400 },
    );
  });

  test("a token of one workload with the proof of another's key", async () => {
    const keys = await generateKeys();
    const thief = { ...world, credential: { ...world.credential, ...keys } };
    expect(await outcome(await signedMessage(thief), verifier(world))).toBe("proof");
    const swapped = await tampered(header("workload-identity-token", await makeWit({ ...world, keys })));
    expect(await outcome(swapped, verifier(world))).toBe("proof");
  });

  test("a token that the bundle's keys did not sign", async () => {
    const wit = await makeWit({ issuer: await generateKeys(), keys: world.keys });
    const forger = { ...world, credential: { ...world.credential, wit } };
    expect(await outcome(await signedMessage(forger), verifier(world))).toBe("token");
  });

  test.each([
    ["another workload", "spiffe://example.org/ns/default/sa/refunds"],
    ["a name that ours begins with", self.slice(0, -1)],
    ["a name that begins with ours", `${self}2`],
    ["ours with a slash", `${self}/`],
    ["ours in upper case", self.toUpperCase()],
    ["our URL", "https://payments/charge"],
    ["nobody", ""],
  ])("a proof for %s", async (_, audience) => {
    const message = validMessage();
    const input = `(${components});created=${nowS};expires=${nowS + 30};nonce="n";tag="wimse-workload-to-workload";wimse-aud="${audience}"`;
    expect(await outcome(await signedWith(world, message, input, baseOf(message)), verifier(world))).toMatch(
      /audience|malformed/,
    );
  });

  test.each([
    ["without the method", '"@request-target" "content-type" "tulle-hops" "workload-identity-token"'],
    ["without the target", '"@method" "content-type" "tulle-hops" "workload-identity-token"'],
    ["without the token", '"@method" "@request-target" "content-type" "tulle-hops"'],
    ["without the content type", '"@method" "@request-target" "tulle-hops" "workload-identity-token"'],
    ["without the mesh's own header", '"@method" "@request-target" "content-type" "workload-identity-token"'],
    ["of nothing", ""],
  ])("a sound signature %s", async (_, covered) => {
    const message = validMessage();
    const input = `(${covered});created=${nowS};expires=${nowS + 30};nonce="n";tag="wimse-workload-to-workload";wimse-aud="${self}"`;
    const base = baseOf(message)
      .split("\n")
      .filter((line) => covered.includes(line.slice(0, line.indexOf(":"))))
      .join("\n");
    expect(await outcome(await signedWith(world, message, input, base), verifier(world))).toBe("malformed");
  });

  test("a header whose name is that of a derived component, as the component's value", async () => {
    const message = validMessage();
    const input = `(${components});created=${nowS};expires=${nowS + 30};nonce="n";tag="wimse-workload-to-workload";wimse-aud="${self}"`;
    const base = baseOf(message).replace('"@method": POST', '"@method": GET');
    expect(await outcome(await signedWith(world, message, input, base), verifier(world))).toBe("proof");
  });

  test("parameters in another order than they were signed in", async () => {
    const message = await tampered(({ headers }) => {
      const input = headers.get("signature-input") ?? "";
      headers.set("signature-input", input.replace(/;created=(\d+);expires=(\d+)/, ";expires=$2;created=$1"));
      return undefined;
    });
    expect(await outcome(message, verifier(world))).toBe("proof");
  });

  test.each([
    ["a proof from the future", nowS + 6, nowS + 36, "clock"],
    ["a proof from a little ahead, not", nowS + 5, nowS + 35, "accepted"],
    ["a proof that expires now", nowS - 30, nowS, "clock"],
    ["a proof that expires in a second, not", nowS - 29, nowS + 1, "accepted"],
    ["a proof that expired long ago", nowS - 90, nowS - 60, "clock"],
    ["a proof that expires when it is made", nowS + 1, nowS + 1, "clock"],
    ["a proof that expires before it is made", nowS + 4, nowS + 2, "clock"],
    ["a proof valid for a minute, not", nowS, nowS + 60, "accepted"],
    ["a proof valid for longer", nowS, nowS + 61, "clock"],
    ["a proof made in 1970 and valid for ever", 0, 999_999_999_999_999, "clock"],
  ])("%s", async (_, created, expires, expected) => {
    const message = validMessage();
    const input = `(${components});created=${created};expires=${expires};nonce="n";tag="wimse-workload-to-workload";wimse-aud="${self}"`;
    expect(await outcome(await signedWith(world, message, input, baseOf(message)), verifier(world))).toBe(
      expected,
    );
  });

  test("a sound signature whose sender demands a signed response, which we do not make", async () => {
    const message = validMessage();
    const input = `(${components});created=${nowS};expires=${nowS + 30};nonce="n";tag="wimse-workload-to-workload";wimse-aud="${self}";wimse-sign-response`;
    expect(await outcome(await signedWith(world, message, input, baseOf(message)), verifier(world))).toBe(
      "malformed",
    );
  });

  test("the same message a second time, for as long as it could be replayed", async () => {
    const message = await signedMessage(world);
    const by = verifier(world);
    expect(await outcome(message, by)).toBe("accepted");
    expect(await outcome(message, by)).toBe("replay");
    expect(await outcome(message, { ...by, now: now + 29_999 })).toBe("replay");
    expect(await outcome(message, { ...by, now: now + 30_000 })).toBe("clock");
  });

  test("a second spelling of the same signature as a replay", async () => {
    const message = await signedMessage(world);
    const by = verifier(world);
    expect(await outcome(message, by)).toBe("accepted");
    const input = value(parseSignatureInput(message.headers.get("signature-input") ?? ""));
    const bytes = value(parseSignature(message.headers.get("signature") ?? "", input.label));
    // ECDSA takes s and n - s alike: the nonce, not the signature, is what is remembered.
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = BigInt(`0x${[...bytes.slice(32)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`);
    const other = (order - s).toString(16).padStart(64, "0").match(/../g) ?? [];
    bytes.set(
      other.map((hex) => Number.parseInt(hex, 16)),
      32,
    );
    message.headers.set("signature", `wimse=:${btoa(String.fromCharCode(...bytes))}:`);
    expect(await outcome(message, by)).toBe("replay");
  });

  test("everybody, rather than forget a nonce, when the memory is full", async () => {
    const by = verifier(world, { replay: new ReplayWindow(1) });
    expect(await outcome(await signedMessage(world), by)).toBe("accepted");
    expect(await outcome(await signedMessage(world), by)).toBe("replay");
  });

  test("a nonce only after the proof is sound, so that nobody can use up another's", async () => {
    const message = await signedMessage(world);
    const by = verifier(world);
    const forged = { ...message, method: "DELETE" };
    expect(await outcome(forged, by)).toBe("proof");
    expect(by.replay.size).toBe(0);
    expect(await outcome(message, by)).toBe("accepted");
  });

  test("a token under a newer bundle that no longer has its key, although it is cached", async () => {
    const by = verifier(world);
    expect(await outcome(await signedMessage(world), by)).toBe("accepted");
    const bundle = { ...world.bundle, sequence: 8, keys: new Map() };
    expect(await outcome(await signedMessage(world), { ...by, bundle })).toBe("token");
  });
});

describe("the token cache", () => {
  test("takes in verified tokens only", async () => {
    const cache = new WitCache();
    const by = verifier(world, { cache });
    for (const junk of ["a.b.c", `${world.credential.wit}x`, "\u007f"]) {
      await outcome(await tampered(header("workload-identity-token", junk)), by);
    }
    expect(cache.size).toBe(0);
    await outcome(await signedMessage(world), by);
    await outcome(await signedMessage(world), by);
    expect(cache.size).toBe(1);
  });
});

describe("the draft's example request", () => {
  const headers = new Headers(
    wimse.request.headers.map(([name = "", text = ""]): [string, string] => [name, text]),
  );
  const message = { method: "GET", url: `https://svcb.example.com${wimse.request.requestTarget}`, headers };

  test("has the base that we build, and verifies with the key of its token", async () => {
    const {
      components: covered,
      parameters,
      label,
    } = value(parseSignatureInput(headers.get("signature-input") ?? ""));
    const values: Readonly<Record<string, string>> = {
      "@method": "GET",
      "@request-target": wimse.request.requestTarget,
    };
    const base = value(
      signatureBase(covered, parameters, (name) => values[name] ?? headers.get(name) ?? undefined),
    );
    expect(base).toBe(wimse.request.signatureBase);
    const key = await crypto.subtle.importKey("jwk", wimse.request.publicKey, "Ed25519", false, ["verify"]);
    const signature = value(parseSignature(headers.get("signature") ?? "", label));
    expect(await crypto.subtle.verify("Ed25519", key, signature, new TextEncoder().encode(base))).toBe(true);
  });

  test("is refused here: it demands a signed response", async () => {
    expect(await outcome(message, verifier(world, { now: wimse.request.validAtUnix * 1_000 }))).toBe(
      "malformed",
    );
  });
});
