import { vi } from "vitest";

/** How often a signature was verified: of tokens, and of requests. */
export interface Verifications {
  readonly tokens: number;
  readonly proofs: number;
}

/**
 * Does something, and counts what cryptography it had verified.
 *
 * @param before what the verification of a token waits for, as where cryptography has threads of its own; absent: nothing
 */
export async function verifications(
  work: (soFar: () => Verifications) => Promise<unknown>,
  before: () => Promise<void> | undefined = () => undefined,
): Promise<Verifications> {
  let tokens = 0;
  let proofs = 0;
  const { verify } = crypto.subtle;
  const spy = vi
    .spyOn(crypto.subtle, "verify")
    .mockImplementation(async (algorithm, key, signature, bytes) => {
      // A request is signed over a base that begins with a quote (RFC 9421 §2.5), a token over base64url.
      if (new TextDecoder().decode(bytes).startsWith('"')) proofs += 1;
      else {
        tokens += 1;
        await before();
      }
      return verify.call(crypto.subtle, algorithm, key, signature, bytes);
    });
  try {
    await work(() => ({ tokens, proofs }));
    return { tokens, proofs };
  } finally {
    spy.mockRestore();
  }
}
