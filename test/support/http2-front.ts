import { request as forwarded } from "node:http";
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

/** What came back, over whichever version. */
export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** What is sent: headers in lower case, and a body in chunks. */
export interface Outgoing {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: Uint8Array | undefined;
}

/** An HTTP/2 server that says everything again in HTTP/1.1 (RFC 9113 §8.1), as proxies before a worker do. */
export interface Http2Front extends AsyncDisposable {
  /** Sends over HTTP/2, through the front. */
  send(outgoing: Outgoing): Promise<Reply>;
}

/** Starts a front for an HTTP/1.1 server at this port of this machine. Without TLS (h2c): its end changes nothing here. */
export async function startHttp2Front(port: number): Promise<Http2Front> {
  const server = createServer();
  server.on("stream", (stream, headers) => void downgrade(stream, headers, port));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    send: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ...headers, ":method": method, ":path": path });
        let status = 0;
        let text = "";
        stream.on("response", (answer) => {
          status = Number(answer[":status"]);
        });
        stream.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        stream.on("error", reject).on("end", () => resolve({ status, text }));
        stream.end(body);
      }),
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => session.close(resolve));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Pseudo-headers become the request line and `host`; everything else stays what it is. */
async function downgrade(
  stream: ServerHttp2Stream,
  incoming: IncomingHttpHeaders,
  port: number,
): Promise<void> {
  const { ":method": method, ":path": path, ":authority": authority } = incoming;
  const headers = Object.fromEntries(Object.entries(incoming).filter(([name]) => !name.startsWith(":")));
  const reply = await overHttp1(port, {
    method: method ?? "",
    path: path ?? "",
    headers: { ...(headers as Outgoing["headers"]), host: authority ?? "", via: "2.0 front" },
    body: await bytesOf(stream),
  });
  stream.respond({ ":status": reply.status });
  stream.end(reply.text);
}

/** Sends over HTTP/1.1. */
export function overHttp1(port: number, { method, path, headers, body }: Outgoing): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, method, path, headers };
    const outgoing = forwarded(options, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      incoming.on("error", reject);
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, text }));
    });
    outgoing.on("error", reject).end(body?.length === 0 ? undefined : body);
  });
}

async function bytesOf(stream: ServerHttp2Stream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
