import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { unwrapKey, wrapKey } from "../../../control/issuer/key-encryption.ts";
import { value } from "../identity/fixture.ts";

const secret = "0123456789abcdef0123456789abcdef";
/** RFC 7515 Appendix A.3.1. */
const jwk: JsonWebKey = {
  kty: "EC",
  crv: "P-256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
};

let wrapped: string;
beforeAll(async () => {
  wrapped = value(await wrapKey(jwk, "k1", secret));
});

describe("a wrapped signing key", () => {
  test("comes back as it was, and signs", async () => {
    const back = value(await unwrapKey(wrapped, "k1", secret));
    expect(back).toEqual(jwk);
    const key = await crypto.subtle.importKey("jwk", back, { name: "ECDSA", namedCurve: "P-256" }, false, [
      "sign",
    ]);
    expect(key.type).toBe("private");
  });

  test("shows nothing of itself, and never looks the same twice", async () => {
    expect(wrapped).toMatch(/^v1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+$/);
    expect(wrapped).not.toContain(jwk.d);
    expect(value(await wrapKey(jwk, "k1", secret))).not.toBe(wrapped);
  });

  test.each([
    ["another secret", "k1", `${secret.slice(1)}0`],
    ["another key's place", "k2", secret],
    ["no name", "", secret],
  ])("does not open under %s", async (_, kid, key) => {
    expect((await unwrapKey(wrapped, kid, key)).ok).toBe(false);
  });

  test("does not open with any one character changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(wrapped.length - 1), async (at) => {
        const changed = wrapped.slice(0, at) + (wrapped[at] === "A" ? "B" : "A") + wrapped.slice(at + 1);
        const opened = await unwrapKey(changed, "k1", secret);
        // The last character's spare bits hold nothing, so there alone a change may say the same.
        if (at < wrapped.length - 1) expect(opened.ok).toBe(false);
        else expect(!opened.ok || JSON.stringify(opened.value) === JSON.stringify(jwk)).toBe(true);
      }),
      { seed: 8, numRuns: 60 },
    );
  });

  test.each(["", "v1", "v1.AAAA", "v2.AAAA.AAAA", "v1.AAAA.AAAA.AAAA", "v1.!.!"])(
    "is not %j",
    async (text) => {
      expect((await unwrapKey(text, "k1", secret)).ok).toBe(false);
    },
  );

  test("is not made under a secret that can be guessed", async () => {
    expect((await wrapKey(jwk, "k1", "short")).ok).toBe(false);
    expect((await unwrapKey(wrapped, "k1", "short")).ok).toBe(false);
  });
});
