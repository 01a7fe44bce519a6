import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { resetHeader } from "./echo-words.ts";

/**
 * Stands between workerd and an echo worker, over real TCP, because a service binding has no connection that
 * could break: where the echo server of the Gateway API project resets the connection, so does this (RST).
 */
export class Relay implements AsyncDisposable {
  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true });

  private constructor(server: http.Server) {
    this.#server = server;
  }

  /** @param workerPort where the echo worker listens by itself */
  static async start(workerPort: number): Promise<Relay> {
    const server = http.createServer();
    const relay = new Relay(server);
    server.on("request", (request: IncomingMessage, response: ServerResponse) =>
      relay.#pass(request, response, workerPort),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  /** Where callers reach the worker. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #pass(request: IncomingMessage, response: ServerResponse, port: number): void {
    const onward = http.request({
      host: "127.0.0.1",
      port,
      method: request.method,
      path: request.url,
      headers: request.headers,
      agent: this.#agent,
    });
    const broken = (): void => reset(request.socket);
    onward.on("error", broken);
    response.on("close", () => onward.destroy());
    onward.on("response", (answer) => {
      if (answer.headers[resetHeader] !== undefined) {
        answer.resume();
        broken();
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on("error", broken);
      answer.pipe(response);
    });
    request.pipe(onward);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

const reset = (socket: Socket): void => void socket.resetAndDestroy();
