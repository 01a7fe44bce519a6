import http from "node:http";
import { type Order, orderHeader } from "./order.ts";

/** An answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Names in lower case; several of a name are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What goes over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Answers that take longer than this are none, milliseconds. Upstream's client waits 10 s. */
const patienceMs = 10_000;

/** Speaks HTTP to the worker that stands where the platform's edge does. */
export class Wire {
  readonly #port: number;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

  constructor(port: number) {
    this.#port = port;
  }

  /** @throws Error when there is no answer, or none in time */
  send(order: Order, { method, headers, body }: WireRequest): Promise<WireAnswer> {
    return new Promise((resolve, reject) => {
      const request = http.request({
        host: "127.0.0.1",
        port: this.#port,
        path: "/",
        method,
        agent: this.#agent,
        headers: { ...headers, [orderHeader]: JSON.stringify(order) },
        timeout: patienceMs,
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${patienceMs} ms`)));
      request.on("error", reject);
      request.on("response", (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: joined(response.headers),
            body: Buffer.concat(parts).toString("utf8"),
          }),
        );
      });
      request.end(body);
    });
  }

  /** Calls a method of the runner's own entrypoint of a worker. */
  async call(to: string, method: string, ...args: readonly unknown[]): Promise<unknown> {
    const order: Order = { to, door: "runner", url: "http://runner/", call: { method, args } };
    const { status, body } = await this.send(order, { method: "POST", headers: {} });
    if (status !== 200) throw new Error(`${to} does not answer: ${status} ${body.slice(0, 500)}`);
    const { value, error } = JSON.parse(body) as { value?: unknown; error?: string };
    if (error !== undefined) throw new Error(`${to}: ${error}`);
    return value;
  }

  get port(): number {
    return this.#port;
  }

  close(): void {
    this.#agent.destroy();
  }
}

const joined = (headers: http.IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(",") : value]],
    ),
  );
