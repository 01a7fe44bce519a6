import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Claims, OidcIssuer } from "./oidc-issuer.ts";

/** A stand-in for Deno Deploy on this machine: its OIDC issuer, and what gives a running app its tokens. */
export interface OidcServer extends AsyncDisposable {
  /** What `iss` says. */
  readonly url: string;
  /** Where an app gets tokens: a POST of the audience. */
  readonly idTokens: string;
  /** What the next tokens say otherwise than the app in `oidc-issuer.ts`. */
  claims: Claims;
  /** How many tokens were given. */
  readonly given: () => number;
}

export async function startOidcServer(): Promise<OidcServer> {
  let issuer: OidcIssuer | undefined;
  let given = 0;
  const server = createServer(async (request, response) => {
    if (issuer === undefined) return response.writeHead(503).end();
    if (request.url === "/.well-known/jwks.json") {
      response.setHeader("content-type", "application/json");
      return response.end(JSON.stringify(await issuer.keySet()));
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    given++;
    return response.end(await issuer.token(Buffer.concat(chunks).toString(), Date.now(), running.claims));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  issuer = await OidcIssuer.at(url);
  const running: OidcServer = {
    url,
    idTokens: `${url}/token`,
    claims: {},
    given: () => given,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return running;
}
