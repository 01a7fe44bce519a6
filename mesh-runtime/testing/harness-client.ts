import { type ReadableStream, TransformStream } from "node:stream/web";
import { type Miniflare, Response as MiniflareResponse } from "miniflare";
import { type Order, orderHeader } from "./worker/order.ts";
import type { WorkerToRun } from "./workerd.ts";

const harnessFile = new URL("./worker/harness.ts", import.meta.url).pathname;

/** The worker in front of a test mesh, with a door to every other worker. */
export function harnessWorker(names: readonly string[], compatibilityDate: string): WorkerToRun {
  const services: Record<string, unknown> = {};
  for (const name of names) {
    services[`worker:${name}`] = name;
    services[`driver:${name}`] = { name, entrypoint: "TulleDriver" };
  }
  return {
    config: {
      name: "tulle-harness",
      main: harnessFile,
      compatibilityDate,
      compatibilityFlags: [],
      alias: {},
      vars: {},
      kv: {},
      durableObjects: {},
      services: {},
    },
    services,
  };
}

/**
 * A response whose body waits until somebody reads it. Miniflare's own is a copy of undici's, which cancels the body
 * when the original is garbage: a test that does something else first would find it read already, now and then.
 */
function kept(response: MiniflareResponse): MiniflareResponse {
  if (response.body === null || response.webSocket !== null) return response;
  // Locked from here on, and what is locked is not cancelled.
  const body = (response.body as unknown as ReadableStream<Uint8Array>).pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>(),
  );
  const { status, statusText, headers } = response;
  return new MiniflareResponse(body, { status, statusText, headers });
}

/** Passes requests and orders from Node into a running test mesh. */
export interface Harness {
  /** Sends a request through a door of a worker. */
  send(to: string, door: Order["door"], request: Request): Promise<Response>;
  /** Calls a method of a worker's driver. */
  call(to: string, method: string, ...args: readonly unknown[]): Promise<unknown>;
}

export function harnessOver(runtime: Miniflare): Harness {
  async function dispatch(order: Order, request: Request): Promise<Response> {
    const headers = new Headers(request.headers);
    headers.set(orderHeader, JSON.stringify(order));
    const response = await runtime.dispatchFetch(request.url, {
      method: request.method,
      headers: [...headers],
      redirect: "manual",
      ...(request.body === null ? {} : { body: await request.arrayBuffer() }),
    });
    return kept(response) as unknown as Response;
  }
  return {
    send: (to, door, request) => dispatch({ to, door }, request),
    async call(to, method, ...args) {
      const response = await dispatch(
        { to, door: "driver", call: { method, args } },
        new Request("http://harness/"),
      );
      const answer = (await response.json()) as { value?: unknown; error?: string };
      if (answer.error !== undefined) throw new Error(`${to}: ${answer.error}`);
      return answer.value;
    },
  };
}
