import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import type { Env } from "../../env.ts";
import type { Evidence } from "../admission.ts";
import { type DenoFault, denoIssuer, verifyDenoToken } from "./deno-token.ts";
import { makeNonce, type NonceSecrets, readNonce } from "./nonce.ts";
import { ProviderKeys } from "./provider-keys.ts";

/** Why the word of the platform is not believed: `keys` and `configuration` pass, all others do not. */
export type AttestFault = DenoFault | "nonce" | "configuration";

/** The part of control's environment that says whom to believe. */
export type AttestEnv = Pick<
  Env,
  "TRUST_DOMAIN" | "TULLE_DENO_ISSUER" | "TULLE_URL" | "TULLE_KEY_SECRET" | "TULLE_KEY_SECRET_PREVIOUS"
>;

/** What an isolate of control needs to judge the tokens of Deno Deploy: the provider's keys, held as plain data. */
export class DenoAttestor {
  readonly #ask: typeof fetch;
  #keys: { readonly issuer: string; readonly keys: ProviderKeys } | undefined;

  constructor(ask: typeof fetch = (url, init) => fetch(url, init)) {
    this.#ask = ask;
  }

  /** A nonce for one attestation. */
  nonce(env: AttestEnv, now: number): Promise<Result<string, string>> {
    return makeNonce(secretsOf(env), now);
  }

  /**
   * Judges a token of Deno Deploy, all but whether its nonce was used and whom it may become.
   *
   * @param origin of the request, which is control's address where none is configured
   */
  async attest(
    env: AttestEnv,
    origin: string,
    idToken: string,
    thumbprint: string,
    now: number,
  ): Promise<Result<Evidence, AttestFault>> {
    const issuer = env.TULLE_DENO_ISSUER || denoIssuer;
    const controlUrl = originOf(env.TULLE_URL || origin);
    if (!isProvider(issuer) || controlUrl === undefined) return no("configuration");
    const expected = { issuer, controlUrl, thumbprint, now };
    const stated = await verifyDenoToken(idToken, expected, this.#keysOf(issuer));
    if (!stated.ok) return stated;
    const { facts, nonce, issuedAt } = stated.value;
    const until = await readNonce(nonce, secretsOf(env), now);
    return until === undefined
      ? no("nonce")
      : ok({ attestor: "deno-deploy", facts, nonce, until, saidAt: issuedAt });
  }

  #keysOf(issuer: string): ProviderKeys {
    if (this.#keys?.issuer !== issuer) this.#keys = { issuer, keys: new ProviderKeys(issuer, this.#ask) };
    return this.#keys.keys;
  }
}

const secretsOf = (env: AttestEnv): NonceSecrets => ({
  trustDomain: env.TRUST_DOMAIN,
  current: env.TULLE_KEY_SECRET,
  previous: env.TULLE_KEY_SECRET_PREVIOUS,
});

const originOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).origin : undefined);

/** Keys over https only, but from this machine; nothing behind the host that another path could be hidden in. */
function isProvider(issuer: string): boolean {
  if (!URL.canParse(issuer) || issuer.endsWith("/")) return false;
  const { protocol, hostname, username, search, hash } = new URL(issuer);
  if (username !== "" || search !== "" || hash !== "") return false;
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1"].includes(hostname));
}
