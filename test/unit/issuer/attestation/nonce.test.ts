import { describe, expect, test } from "vitest";
import { makeNonce, nonceLifeMs, readNonce } from "../../../../control/issuer/attestation/nonce.ts";

const now = 1_790_000_000_000;
const secrets = { trustDomain: "mesh.local", current: "s".repeat(32) };

async function nonce(): Promise<string> {
  const made = await makeNonce(secrets, now);
  if (!made.ok) throw new Error(made.reason);
  return made.value;
}

describe("a nonce", () => {
  test("says until when it can be used, and no two are alike", async () => {
    const [one, other] = [await nonce(), await nonce()];
    expect(one).toMatch(/^[A-Za-z0-9_-]{72}$/);
    expect(one).not.toBe(other);
    expect(await readNonce(one, secrets, now)).toBe(now + nonceLifeMs);
    expect(await readNonce(one, secrets, now + nonceLifeMs - 1)).toBe(now + nonceLifeMs);
    expect(await readNonce(one, secrets, now + nonceLifeMs)).toBeUndefined();
  });

  test("is one of this issuer only", async () => {
    const one = await nonce();
    expect(await readNonce(one, { ...secrets, trustDomain: "other.local" }, now)).toBeUndefined();
    expect(await readNonce(one, { ...secrets, current: "t".repeat(32) }, now)).toBeUndefined();
    expect(await readNonce(one, { ...secrets, current: undefined }, now)).toBeUndefined();
  });

  test("outlives a change of the secret it was made under", async () => {
    const changed = { ...secrets, current: "t".repeat(32), previous: secrets.current };
    expect(await readNonce(await nonce(), changed, now)).toBe(now + nonceLifeMs);
  });

  test("with any character changed is none", async () => {
    const one = await nonce();
    // The last character of 54 bytes in base64url carries no spare bits, so every change is one.
    for (let at = 0; at < one.length; at++) {
      const changed = one.slice(0, at) + (one[at] === "A" ? "B" : "A") + one.slice(at + 1);
      expect(await readNonce(changed, secrets, now)).toBeUndefined();
    }
  });

  test.each(["", "A".repeat(72), "A".repeat(71), "A".repeat(10_000), `${"A".repeat(71)}=`])(
    "is not %j",
    async (text) => {
      expect(await readNonce(text, secrets, now)).toBeUndefined();
    },
  );

  test("is not made without a secret", async () => {
    expect((await makeNonce({ ...secrets, current: undefined }, now)).ok).toBe(false);
  });
});
