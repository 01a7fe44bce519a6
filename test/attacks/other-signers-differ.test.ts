import { createSignature } from "http-message-sig";
import { beforeAll, describe, expect, test } from "vitest";
import type { Verifier } from "../../mesh-runtime/identity/proof.ts";
import { makeWorld, publicKeyOf, verifier, type World } from "../unit/identity/fixture.ts";
import { base64 } from "./attacker.ts";
import {
  type Hand,
  hands,
  httpMessageSig,
  httpMessageSignatures,
  urlOf,
  type Written,
} from "./other-hands.ts";
import { allOf, judgedByUs, one, signedByUs, stated, withProof, withToken } from "./our-hand.ts";

/*
 * 82: where another implementation of RFC 9421 and we differ, each difference is a test, which says who is stricter.
 * Wherever a signature would stand for two requests it is we who refuse.
 */

let world: World;
let publicKey: CryptoKey;
let by: Verifier;
beforeAll(async () => {
  world = await makeWorld();
  publicKey = await publicKeyOf(world.keys);
  by = verifier(world);
});

/** What a hand makes of a request: the base it builds, or that it builds none. */
const builtBy = async (hand: Hand, request: Written, components = allOf(request)): Promise<string> => {
  try {
    return (await hand.sign(request, components, stated(), world.keys.privateKey)).base;
  } catch {
    return "refused";
  }
};
const verifiedBy = async (hand: Hand, request: Written): Promise<boolean | "refused"> => {
  try {
    return (await hand.verify(request, publicKey)).verified;
  } catch {
    return "refused";
  }
};
const firstLines = (base: string, lines: number): string => base.split("\n").slice(0, lines).join("\n");

/** Signed by a hand that refuses hardly anything, with the text of its Signature-Input changed before it is signed for. */
async function signedAs(
  change: (input: string) => string,
  request = withToken(one, world),
): Promise<Written> {
  const made = await httpMessageSignatures.sign(request, allOf(request), stated(), world.keys.privateKey);
  const input = change(made.input);
  const base = made.base.replace(made.input.slice("wimse=".length), input.slice("wimse=".length));
  const bytes = new Uint8Array(new TextEncoder().encode(base));
  const raw = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, world.keys.privateKey, bytes);
  return withProof(request, { base, input, signature: `wimse=:${base64(new Uint8Array(raw))}:` });
}

describe("82: where another hand and we differ", () => {
  test("http-message-sig knows no request target of a Request; told what the wire has, it builds the same", async () => {
    const native = new Request(urlOf(one), { method: "POST" });
    const signer = { algorithm: "ES256", sign: () => new Uint8Array(64) };
    await expect(
      createSignature(native, { components: ["@request-target"], parameters: {}, signer }),
    ).rejects.toMatchObject({ code: "UnsupportedFeature" });
    expect(firstLines(await builtBy(httpMessageSig, one), 2)).toBe(
      '"@method": POST\n"@request-target": /charge?amount=3&note=',
    );
  });

  test("http-message-signatures loses a lone question mark, so that two targets share a proof of its making; with us they do not", async () => {
    const [bare, marked] = [
      { ...one, target: "/charge" },
      { ...one, target: "/charge?" },
    ];
    const targetOf = async (hand: Hand, request: Written) =>
      /"@request-target": (.*)/.exec(await builtBy(hand, request))?.[1];
    expect(await targetOf(httpMessageSignatures, marked)).toBe("/charge");
    expect(await targetOf(httpMessageSig, marked)).toBe("/charge?");
    const { signed } = await signedByUs(world, bare);
    const moved = { ...signed, target: "/charge?" };
    expect(await verifiedBy(httpMessageSignatures, moved)).toBe(true);
    expect(await verifiedBy(httpMessageSig, moved)).toBe(false);
    expect((await judgedByUs(moved, by)).verdict).toBe("proof");
  });

  test("http-message-signatures writes every method in capitals; we sign and verify none that is not written so", async () => {
    const lower = { ...one, method: "charge" };
    expect(firstLines(await builtBy(httpMessageSignatures, lower), 1)).toBe('"@method": CHARGE');
    expect(firstLines(await builtBy(httpMessageSig, lower), 1)).toBe('"@method": charge');
    await expect(signedByUs(world, lower)).rejects.toThrow("its method must be upper case");
    const known = withToken(lower, world);
    const made = await httpMessageSig.sign(known, allOf(known), stated(), world.keys.privateKey);
    expect((await judgedByUs(withProof(known, made), by)).verdict).toBe("malformed");
  });

  test("they take a tab within a value, which RFC 9110 lets be replaced by a blank; we sign none", async () => {
    const tabbed: Written = { ...one, lines: [["content-type", "a\tb"]] };
    for (const hand of hands)
      expect(await builtBy(hand, tabbed), hand.name).toContain('"content-type": a\tb\n');
    await expect(signedByUs(world, tabbed)).rejects.toThrow("no usable value");
  });

  test("http-message-signatures takes letters outside of ASCII, which RFC 9421 forbids; we do not", async () => {
    const accented: Written = { ...one, lines: [["content-type", "caf\u00e9"]] };
    expect(await builtBy(httpMessageSignatures, accented)).toContain('"content-type": caf\u00e9\n');
    expect(await builtBy(httpMessageSig, accented)).toBe("refused");
    await expect(signedByUs(world, accented)).rejects.toThrow("no usable value");
  });

  test("they see an empty line after another one; we see what a runtime hands out, which has joined them, and refuse", async () => {
    const empty: Written = {
      ...one,
      lines: [
        ["content-type", "a/b"],
        ["content-type", ""],
      ],
    };
    for (const hand of hands)
      expect(await builtBy(hand, empty), hand.name).toContain('"content-type": a/b, \n');
    const known = withToken(empty, world);
    const made = await httpMessageSig.sign(known, allOf(known), stated(), world.keys.privateKey);
    expect((await judgedByUs(withProof(known, made), by)).verdict).toBe("proof");
  });

  test.each<[string, (input: string) => string, Readonly<Record<Hand["name"], boolean | "refused">>]>([
    [
      "a parameter twice, of which others let the last one win",
      (input) => input.replace(";nonce=", ';nonce="first";nonce='),
      { "http-message-sig": "refused", "http-message-signatures": false },
    ],
    [
      "a component twice",
      (input) => input.replace('("@method"', '("@method" "@method"'),
      { "http-message-sig": "refused", "http-message-signatures": false },
    ],
    [
      "keyid, where the token alone says which key",
      (input) => `${input};keyid="mine"`,
      { "http-message-sig": true, "http-message-signatures": true },
    ],
    [
      "alg, where the token alone says which algorithm",
      (input) => `${input};alg="ES256"`,
      { "http-message-sig": true, "http-message-signatures": true },
    ],
    [
      "a parameter that nobody knows",
      (input) => `${input};x=1`,
      { "http-message-sig": true, "http-message-signatures": true },
    ],
  ])("we refuse %s", async (_, change, theirs) => {
    const signed = await signedAs(change);
    expect((await judgedByUs(signed, by)).verdict).toBe("malformed");
    for (const hand of hands) expect(await verifiedBy(hand, signed), hand.name).toBe(theirs[hand.name]);
  });

  test("they write Signature-Input anew before they verify; we take only the one way to write it, which was signed", async () => {
    const { signed } = await signedByUs(world, one);
    const spaced: Written = {
      ...signed,
      lines: signed.lines.map(([name, value]) => [
        name,
        name === "signature-input" ? value.replace('" "', '"  "').replace(";created", "; created") : value,
      ]),
    };
    for (const hand of hands) expect(await verifiedBy(hand, spaced), hand.name).toBe(true);
    expect((await judgedByUs(spaced, by)).verdict).toBe("malformed");
  });

  test("they verify what leaves a header open; we refuse it where the profile wants it covered", async () => {
    const { signed } = await signedByUs(world, one);
    const more: Written = { ...signed, lines: [["txn-token", "t"], ...signed.lines] };
    for (const hand of hands) expect(await verifiedBy(hand, more), hand.name).toBe(true);
    expect((await judgedByUs(more, by)).verdict).toBe("malformed");
  });
});
