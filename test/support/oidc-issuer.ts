import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK } from "jose";

/** What a token of Deno Deploy says, or is made to say. */
export type Claims = Readonly<Record<string, unknown>>;

/** How a token is signed otherwise than it should be. */
export interface Signing {
  readonly alg?: "RS256" | "ES256";
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: CryptoKey;
}

/** Ids of an organisation and an app as Deno Deploy gives them: UUIDs. */
export const app = {
  org_id: "729adb8f-20d6-4b09-bb14-fac14cb260d1",
  org_slug: "acme",
  app_id: "16ad21d8-7aeb-4155-8aa3-9f58df87cd3e",
  app_slug: "shipping",
  context_id: "1d685676-92d7-418d-b103-75b46f1a58b4",
  context_name: "production",
  revision_id: "rh2r15rgy802",
  deployment_id: "rh2r15rgy802.d7x",
} as const;

/** Selectors of that app. */
export const selectors = [`org_id:${app.org_id}`, `app_id:${app.app_id}`];

/**
 * A stand-in for the OIDC provider of Deno Deploy, which nobody can run elsewhere: real RS256 and ES256 keys, and
 * tokens of the form that docs.deno.com/deploy/reference/oidc describes.
 */
export class OidcIssuer {
  readonly url: string;
  readonly #pairs: ReadonlyMap<string, { publicKey: CryptoKey; privateKey: CryptoKey }>;

  private constructor(
    url: string,
    pairs: ReadonlyMap<string, { publicKey: CryptoKey; privateKey: CryptoKey }>,
  ) {
    this.url = url;
    this.#pairs = pairs;
  }

  static async at(url: string): Promise<OidcIssuer> {
    const [rsa, ec] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("ES256")]);
    return new OidcIssuer(
      url,
      new Map([
        ["RS256", rsa],
        ["ES256", ec],
      ]),
    );
  }

  /** The same issuer at an address that was not known before. */
  movedTo(url: string): OidcIssuer {
    return new OidcIssuer(url, this.#pairs);
  }

  /** What stands at `/.well-known/jwks.json`. */
  async keySet(): Promise<{ keys: JWK[] }> {
    const keys = [...this.#pairs].map(async ([alg, { publicKey }]) => ({
      ...(await exportJWK(publicKey)),
      kid: `key-${alg}`,
      alg,
      use: "sig",
    }));
    return { keys: await Promise.all(keys) };
  }

  /**
   * A token for an audience, as `getIdToken(audience)` gives it.
   *
   * @param now milliseconds since the Unix epoch
   */
  async token(audience: unknown, now: number, change: Claims = {}, signing: Signing = {}): Promise<string> {
    const { alg = "ES256", header = {} } = signing;
    const iat = Math.floor(now / 1_000);
    const claims = {
      iss: this.url,
      aud: audience,
      sub: `deployment:${app.org_slug}/${app.app_slug}/${app.context_name}`,
      iat,
      nbf: iat - 60,
      exp: iat + 300,
      ...app,
      ...change,
    };
    const key = signing.key ?? this.#pairs.get(alg)?.privateKey;
    if (key === undefined) throw new Error(`There is no key for ${alg}`);
    return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg, typ: "JWT", kid: `key-${alg}`, ...header })
      .sign(key);
  }
}
