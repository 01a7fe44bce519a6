import { randomBytes } from "node:crypto";
import http from "node:http";
import type { Duplex } from "node:stream";
import { Failure } from "./failure.ts";
import { type Order, orderHeader } from "./order.ts";

const patienceMs = 5_000;

/** A frame that carries data. */
export interface Frame {
  readonly opcode: "text" | "binary";
  readonly data: Buffer;
}

const opcodes = { text: 1, binary: 2 } as const;

/**
 * Opens a WebSocket (RFC 6455) at the edge with whatever Host the order says, which no client of the platform lets
 * one choose, and sends frames.
 * @returns what came back, one frame for each that was sent
 * @throws Failure when the upgrade is refused, or frames do not come back in time
 */
export async function exchangedFrames(
  port: number,
  order: Order,
  headers: Readonly<Record<string, string>>,
  frames: readonly Frame[],
): Promise<readonly Frame[]> {
  const socket = await upgraded(port, order, headers);
  try {
    for (const frame of frames) socket.write(masked(frame));
    return await received(socket, frames.length);
  } finally {
    socket.destroy();
  }
}

function upgraded(port: number, order: Order, headers: Readonly<Record<string, string>>): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: "127.0.0.1",
      port,
      path: "/",
      timeout: patienceMs,
      headers: {
        ...headers,
        [orderHeader]: JSON.stringify(order),
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
      },
    });
    request.on("upgrade", (_response, socket) => resolve(socket));
    request.on("response", (response) => {
      response.resume();
      reject(new Failure(`status: expected 101, found ${response.statusCode}`));
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${patienceMs} ms`)));
    request.on("error", (error) => reject(new Failure(`no WebSocket: ${error.message}`)));
    request.end();
  });
}

/** A whole short message as a client sends it. */
function masked({ opcode, data }: Frame): Buffer {
  const mask = randomBytes(4);
  const content = Buffer.from(data.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return Buffer.concat([Buffer.from([0x80 | opcodes[opcode], 0x80 | data.length]), mask, content]);
}

function received(socket: Duplex, count: number): Promise<readonly Frame[]> {
  return new Promise((resolve, reject) => {
    const frames: Frame[] = [];
    let rest = Buffer.alloc(0);
    const late = setTimeout(
      () => reject(new Failure(`frames: expected ${count}, found ${frames.length}`)),
      patienceMs,
    );
    socket.on("data", (part: Buffer) => {
      rest = Buffer.concat([rest, part]);
      for (let length = frameLength(rest); length !== undefined; length = frameLength(rest)) {
        const first = rest[0] ?? 0;
        const data = rest.subarray(2, length);
        if ((first & 0xf) === 1 || (first & 0xf) === 2)
          frames.push({ opcode: (first & 0xf) === 1 ? "text" : "binary", data });
        rest = rest.subarray(length);
      }
      if (frames.length < count) return;
      clearTimeout(late);
      resolve(frames);
    });
    socket.on("error", (error) => {
      clearTimeout(late);
      reject(new Failure(`no WebSocket: ${error.message}`));
    });
  });
}

/** Bytes of the first frame, of which a server's short one has two before its data; undefined while it is not whole. */
function frameLength(bytes: Buffer): number | undefined {
  const length = 2 + ((bytes[1] ?? 0) & 0x7f);
  return bytes.length < 2 || bytes.length < length ? undefined : length;
}
