import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it stands on the wire. */
export interface OnTheWire {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** A server that is no worker and carries no mesh: it keeps what it is sent, and answers 200. */
export interface Listener extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly OnTheWire[];
}

export async function startListener(): Promise<Listener> {
  const received: OnTheWire[] = [];
  const server = createServer((incoming, response) => {
    const { method = "", url: path = "", headers } = incoming;
    received.push({ method, path, headers });
    incoming.resume().on("end", () => response.end("received"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, received, [Symbol.asyncDispose]: () => closed(server) };
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** What a client gets that is neither a browser nor `fetch`. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** What such a client sends. A body of several chunks goes out without a declared length. */
export interface Dispatch {
  readonly method?: string;
  /** Headers as they are, `host` among them. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly chunks?: readonly Uint8Array[];
}

/** Sends a request as it is: its own `host`, and a body in chunks. */
export function dispatch(
  url: string,
  { method = "GET", headers = {}, chunks = [] }: Dispatch,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers: { ...headers } }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      incoming.on("error", reject);
      incoming.on("end", () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }),
      );
    });
    // Whoever refuses a body may close before all of it was sent: then the answer is here, or nothing is.
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "ECONNRESET") reject(error);
    });
    for (const chunk of chunks) outgoing.write(chunk);
    outgoing.end();
  });
}

/** Sends a part of a body, waits until it has arrived, and goes away. Resolves when the connection is gone. */
export function goAway(
  url: string,
  { method = "POST", headers = {}, chunks = [] }: Dispatch,
  arrived: () => Promise<unknown>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers: { ...headers } });
    // That it was broken off is the point.
    outgoing.on("error", () => undefined);
    outgoing.on("close", () => resolve());
    for (const chunk of chunks) outgoing.write(chunk);
    arrived().then(() => outgoing.destroy(), reject);
  });
}
