import { createSignature, SignatureError, verifySignature } from "http-message-sig";
import { httpbis } from "http-message-signatures";
import { vi } from "vitest";

/*
 * Others who sign and verify by RFC 9421, behind one face, so that what they build can be held against what we build.
 * Both are given a request as the wire has it: neither sees anything that our own code has read, joined or trimmed.
 */

/** A request as the wire has it. */
export interface Written {
  readonly method: string;
  /** In origin form. */
  readonly target: string;
  /** Header lines in their order; a name may have several. */
  readonly lines: readonly (readonly [name: string, value: string])[];
}

/** Parameters in their order. */
export type Stated = Readonly<Record<string, string | number | boolean>>;

/** The headers of a signature, and what was signed. */
export interface Made {
  readonly base: string;
  readonly input: string;
  readonly signature: string;
}

/** Whether a signature is right, and over what it would have to be. */
export interface Judged {
  readonly base: string;
  readonly verified: boolean;
}

export interface Hand {
  readonly name: string;
  sign(request: Written, components: readonly string[], stated: Stated, key: CryptoKey): Promise<Made>;
  verify(request: Written, key: CryptoKey): Promise<Judged>;
}

const es256 = { name: "ECDSA", hash: "SHA-256" } as const;
const label = "wimse";
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const signedBy = async (key: CryptoKey, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await crypto.subtle.sign(es256, key, bytes));

/** Never called with a base: whoever is asked to sign or verify refused before. */
const unbuilt = "";

/** npm `http-message-sig`. It takes no request target from a `Request`, so it is told what the wire has. */
export const httpMessageSig: Hand = {
  name: "http-message-sig",
  async sign(request, components, stated, key) {
    let base = unbuilt;
    const fields = await createSignature(described(request), {
      label,
      components,
      parameters: stated,
      signer: {
        algorithm: "ES256",
        sign: (bytes) => {
          base = textOf(bytes);
          return signedBy(key, new Uint8Array(bytes));
        },
      },
    });
    return { base, input: fields.signatureInput, signature: fields.signature };
  },
  async verify(request, key) {
    let base = unbuilt;
    const verifier = {
      algorithm: "ES256",
      verify: (bytes: Uint8Array, signature: Uint8Array) => {
        base = textOf(bytes);
        return crypto.subtle.verify(es256, key, new Uint8Array(signature), new Uint8Array(bytes));
      },
    };
    // When a proof is valid is no question of how its base is built, and the clock of these tests stands still.
    const policy = {
      algorithms: ["ES256"],
      requiredComponents: [],
      requiredParameters: [],
      now: createdOf(request),
    };
    try {
      await verifySignature(described(request), { label, policy, resolveVerifier: () => verifier });
      return { base, verified: true };
    } catch (error) {
      if (error instanceof SignatureError && error.code === "VerificationFailed")
        return { base, verified: false };
      throw error;
    }
  },
};

const described = ({ method, target, lines }: Written) => ({
  kind: "request" as const,
  method,
  targetUri: urlOf({ target }),
  requestTarget: target,
  fields: lines.map(([name, value]) => ({ name, value })),
});

const createdOf = ({ lines }: Written): number =>
  Number(/created=(\d+)/.exec(lines.find(([name]) => name === "signature-input")?.[1] ?? "")?.[1]);

/** npm `http-message-signatures`. It takes the request target from the URL. */
export const httpMessageSignatures: Hand = {
  name: "http-message-signatures",
  async sign(request, components, stated, key) {
    let base = unbuilt;
    const { created, expires, ...others } = stated;
    const signed = await httpbis.signMessage(
      {
        name: label,
        fields: [...components],
        params: Object.keys(stated),
        paramValues: {
          created: new Date(Number(created) * 1_000),
          expires: new Date(Number(expires) * 1_000),
          // Its types know no booleans; it writes them all the same.
          ...(others as Readonly<Record<string, string>>),
        },
        key: {
          sign: async (bytes: Uint8Array) => {
            base = textOf(bytes);
            return signedBy(key, new Uint8Array(bytes));
          },
        },
      },
      grouped(request),
    );
    return {
      base,
      input: String(signed.headers["Signature-Input"]),
      signature: String(signed.headers.Signature),
    };
  },
  async verify(request, key) {
    let base = unbuilt;
    const verified = await httpbis.verifyMessage(
      {
        tolerance: 1e12,
        keyLookup: async () => ({
          verify: async (bytes: Uint8Array, signature: Uint8Array) => {
            base = textOf(bytes);
            return crypto.subtle.verify(es256, key, new Uint8Array(signature), new Uint8Array(bytes));
          },
        }),
      },
      grouped(request),
    );
    return { base, verified: verified === true };
  },
};

function grouped({ method, target, lines }: Written) {
  const headers: Record<string, string[]> = {};
  for (const [name, value] of lines) headers[name] = [...(headers[name] ?? []), value];
  return { method, url: urlOf({ target }), headers };
}

export const hands: readonly Hand[] = [httpMessageSig, httpMessageSignatures];

export const urlOf = ({ target }: Pick<Written, "target">): string => `https://payments${target}`;

/**
 * Does something, and tells the signature base that was signed or verified last meanwhile; undefined when there was none.
 * Listens at the platform's cryptography itself: what is signed, and not what anybody says is signed.
 */
export async function listening<Value>(
  work: () => Promise<Value>,
): Promise<{ readonly value: Value; readonly base: string | undefined }> {
  const { sign, verify } = crypto.subtle;
  let base: string | undefined;
  const hear = (bytes: ArrayBuffer | ArrayBufferView): void => {
    const text = new TextDecoder().decode(bytes);
    // What tokens are signed over begins with their header in base64url.
    if (text.startsWith('"')) base = text;
  };
  const signs = vi.spyOn(crypto.subtle, "sign").mockImplementation((algorithm, key, bytes) => {
    hear(bytes);
    return sign.call(crypto.subtle, algorithm, key, bytes);
  });
  const verifies = vi
    .spyOn(crypto.subtle, "verify")
    .mockImplementation((algorithm, key, signature, bytes) => {
      hear(bytes);
      return verify.call(crypto.subtle, algorithm, key, signature, bytes);
    });
  try {
    return { value: await work(), base };
  } finally {
    signs.mockRestore();
    verifies.mockRestore();
  }
}
