import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeys } from "../../../mesh-runtime/identity/credential.ts";
import { ReplayWindow } from "../../../mesh-runtime/identity/replay.ts";
import { parseSignature, parseSignatureInput } from "../../../mesh-runtime/identity/signature-input.ts";
import {
  makeWit,
  makeWorld,
  now,
  nowS,
  outcome,
  self,
  signedMessage,
  signedWith,
  validMessage,
  value,
  verifier,
  type World,
} from "./fixture.ts";
import { baseOf, type Change, header, parametersWith, tampered, without } from "./tampering.ts";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
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
    expect(await outcome(await tampered(world, change), verifier(world))).toBe(step);
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
    const swapped = await tampered(
      world,
      header("workload-identity-token", await makeWit({ ...world, keys })),
    );
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
    const input = parametersWith({ audience });
    expect(
      await outcome(await signedWith(world, message, input, baseOf(world, message)), verifier(world)),
    ).toMatch(/audience|malformed/);
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
    const input = parametersWith({ covered });
    const base = baseOf(world, message)
      .split("\n")
      .filter((line) => covered.includes(line.slice(0, line.indexOf(":"))))
      .join("\n");
    expect(await outcome(await signedWith(world, message, input, base), verifier(world))).toBe("malformed");
  });

  test("a header whose name is that of a derived component, as the component's value", async () => {
    const message = validMessage();
    const input = parametersWith();
    const base = baseOf(world, message).replace('"@method": POST', '"@method": GET');
    expect(await outcome(await signedWith(world, message, input, base), verifier(world))).toBe("proof");
  });

  test("parameters in another order than they were signed in", async () => {
    const message = await tampered(world, ({ headers }) => {
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
    const input = parametersWith({ created, expires });
    expect(
      await outcome(await signedWith(world, message, input, baseOf(world, message)), verifier(world)),
    ).toBe(expected);
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
