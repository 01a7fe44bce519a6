import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of an issuer's keys on this machine. */
export interface KeyServer extends AsyncDisposable {
  /** Where the keys are, as policy names it. */
  readonly url: string;
  /** How often somebody has asked. */
  asked(): number;
  /** What is answered from now on; undefined: 500. */
  publish(keys: string | undefined): void;
}

export async function startKeyServer(): Promise<KeyServer> {
  let keys: string | undefined;
  let count = 0;
  const server = createServer((_request, response) => {
    count++;
    const headers = { "content-type": "application/jwk-set+json", "cache-control": "max-age=300" };
    response.writeHead(keys === undefined ? 500 : 200, headers).end(keys);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    asked: () => count,
    publish(next) {
      keys = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
