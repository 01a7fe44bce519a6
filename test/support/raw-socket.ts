import { connect } from "node:net";

/** A request as a client writes it that no library keeps from writing what it wants. */
export interface Bytes {
  readonly method: string;
  /** The target as it stands in the request line. */
  readonly target: string;
  /** Header lines in their order, without the one that ends the connection. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  /** Sent under its length, or in one chunk where there are trailers. */
  readonly body?: string;
  readonly trailers?: readonly (readonly [name: string, value: string])[];
}

/** What came back. */
export interface RawReply {
  readonly status: number;
  /** Everything before the body, as it came. */
  readonly head: string;
  readonly text: string;
}

/** Writes a request to a port of this machine, byte by byte as it is, and reads until the other end is through. */
export function written(port: number, request: Bytes): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let came = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      came += part;
    });
    // Who is told that its head is too large may be told while it still writes.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "ECONNRESET") reject(error);
    });
    socket.on("close", () => resolve(replyOf(came)));
    socket.write(textOf(request));
  });
}

function textOf({ method, target, lines, body, trailers }: Bytes): string {
  const head = [
    `${method} ${target} HTTP/1.1`,
    "host: 127.0.0.1",
    "connection: close",
    ...lines.map((pair) => pair.join(": ")),
  ];
  if (trailers !== undefined) {
    const chunk = body ? [Buffer.byteLength(body).toString(16), body] : [];
    const end = ["0", ...trailers.map((pair) => pair.join(": ")), "", ""];
    return [...head, "transfer-encoding: chunked", "", ...chunk, ...end].join("\r\n");
  }
  if (body === undefined) return [...head, "", ""].join("\r\n");
  return [...head, `content-length: ${Buffer.byteLength(body)}`, "", body].join("\r\n");
}

function replyOf(came: string): RawReply {
  const end = came.indexOf("\r\n\r\n");
  const head = end < 0 ? came : came.slice(0, end);
  return { status: Number(head.split(" ")[1]), head, text: end < 0 ? "" : came.slice(end + 4) };
}
