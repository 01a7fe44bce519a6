import type { NonceAnswer } from "../../index.ts";

export interface AttestOptions {
  /** Base URL of control. */
  readonly controlUrl: string;
  /** Asks the platform for a token with this audience: `getIdToken` of `jsr:@deno/oidc`. */
  readonly idToken: (audience: string) => Promise<string>;
  readonly fetch: typeof fetch;
}

/** What control makes nonces of: no text that could change the meaning of the audience around it. */
const nonceForm = /^[A-Za-z0-9_-]{72}$/;

/**
 * Has Deno Deploy vouch for a new key: its audience names this control plane, a fresh nonce of its issuer, and the
 * key's thumbprint. Whoever gets hold of the token has no use for it, with another key or a second time.
 *
 * @throws Error when control gives no nonce, and what the platform throws
 */
export function denoAttestation({
  controlUrl,
  idToken,
  fetch,
}: AttestOptions): (thumbprint: string) => Promise<string> {
  return async (thumbprint) => {
    const url = new URL("/workload/nonce", controlUrl);
    const response = await fetch(url, { method: "POST", redirect: "manual" });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`control gave no nonce, but answered ${response.status}`);
    }
    const { nonce } = ((await response.json()) ?? {}) as Partial<NonceAnswer>;
    if (typeof nonce !== "string" || !nonceForm.test(nonce))
      throw new Error("control gave a nonce that is none");
    const token = await idToken(`${url.origin}/attest#${nonce}.${thumbprint}`);
    if (typeof token !== "string" || token === "") throw new Error("the platform gave no token");
    return token;
  };
}
