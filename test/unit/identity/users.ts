import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import type { TokenRule } from "../../../mesh-runtime/identity/end-user.ts";
import { KeySets } from "../../../mesh-runtime/identity/key-sets.ts";
import { TokenCache } from "../../../mesh-runtime/identity/token-cache.ts";
import type { AuthenticatedPorts } from "../../../mesh-runtime/identity/user-judgement.ts";
import { now, nowS } from "./fixture.ts";

export const issuer = "https://id.example.com";
export const keysUrl = "https://id.example.com/keys";

/** A key pair of an issuer, real, and its public half as it is published. */
export interface IssuerKey {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export async function issuerKey(kid: string | undefined, alg = "ES256"): Promise<IssuerKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), alg, use: "sig", ...(kid === undefined ? {} : { kid }) };
  return { alg, privateKey, jwk };
}

export const keySetOf = (...keys: readonly IssuerKey[]): string =>
  JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });

/** What an honest token says. */
export const honest = { iss: issuer, sub: "alice", aud: ["shop"], exp: nowS + 300 } as const;

/** A token by a key; `undefined` among the claims or in the header leaves the member out. */
export function token(
  key: IssuerKey,
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { kid } = key.jwk;
  return new SignJWT(defined({ ...honest, ...claims }))
    .setProtectedHeader(
      defined({ alg: key.alg, typ: "JWT", kid, ...header }) as { alg: string; typ?: string; kid?: string },
    )
    .sign(key.privateKey);
}

const defined = (members: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, member]) => member !== undefined));

/** A rule for that issuer's tokens, in the places that nobody has to name. */
export const tokenRule = (more: Partial<TokenRule> = {}): TokenRule => ({
  name: "RequestAuthentication/default/users/0",
  issuer,
  keys: { type: "url", url: keysUrl, timeoutMs: 5_000 },
  places: [
    { type: "header", name: "authorization", prefix: "Bearer " },
    { type: "query", name: "access_token" },
  ],
  forward: false,
  claimHeaders: [],
  spaceDelimited: ["scope"],
  ...more,
});

/** Servers of keys, by address, that count who asks. */
export class KeyServers {
  readonly asked: string[] = [];
  #answers = new Map<string, () => Response | Promise<Response>>();

  /** What an address answers from now on. */
  answer(
    url: string,
    answer: string | (() => Response | Promise<Response>),
    headers: HeadersInit = {},
  ): void {
    this.#answers.set(url, typeof answer === "string" ? () => new Response(answer, { headers }) : answer);
  }

  readonly fetch = async (url: string): Promise<Response> => {
    this.asked.push(url);
    const answer = this.#answers.get(url);
    if (answer === undefined) throw new TypeError("nobody is there");
    return answer();
  };
}

/** What an isolate remembers of end users, with its clock and servers in the test's hands. */
export interface Users {
  readonly ports: AuthenticatedPorts;
  readonly servers: KeyServers;
  readonly counted: string[];
  readonly clock: { at: number; now(): number };
  /** Ends every limit of time that runs. */
  timeOut(): void;
}

export function users(): Users {
  const servers = new KeyServers();
  const counted: string[] = [];
  const count = (counter: string): void => void counted.push(counter);
  const clock = {
    at: now,
    now(): number {
      return this.at;
    },
  };
  const limits: (() => void)[] = [];
  const wait = (_ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      limits.push(resolve);
      signal?.addEventListener("abort", () => reject(new Error("answered")));
    });
  const keySets = new KeySets({ clock, fetch: servers.fetch, wait, count });
  return {
    ports: { clock, keySets, tokens: new TokenCache(), count },
    servers,
    counted,
    clock,
    timeOut: () => limits.splice(0).forEach((end) => void end()),
  };
}
