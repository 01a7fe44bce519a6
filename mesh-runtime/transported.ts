import { callingOff } from "./foundation/breaking-stream.ts";
import type { Answer, Message } from "./foundation/exchange.ts";
import { header } from "./foundation/headers.ts";
import type { Step } from "./foundation/layer.ts";
import { type Transport, TransportFailure } from "./foundation/ports.ts";
import { no, ok } from "./foundation/result.ts";
import type { LoadedRecipient } from "./policy/loaded.ts";

/** What a response tells about the mesh: the sender's newest epoch, and circuits that are not closed. */
export type Hear = (epoch: string | null, circuits: string | null) => void;

interface Ready {
  readonly message: Message;
  readonly recipient: LoadedRecipient;
  readonly signal: AbortSignal | undefined;
}

/** The last step out: makes the one `Request` of this attempt, sends it, hears what the answer says about the mesh. */
export const transported =
  (ports: { readonly transport: Transport; readonly hear: Hear }): Step<Ready, Answer> =>
  async ({ message, recipient, signal }) => {
    const { key } = recipient.settings;
    const address = recipient.endpoint?.address;
    if (address === undefined) {
      // A backend that is there and has nobody to answer: 503 (Gateway API `HTTPRouteRule.backendRefs`).
      return no({
        kind: "unreachable",
        destination: key,
        delivered: false,
        detail: `${key} has no endpoint: it only routes to others`,
      });
    }
    const calledOff = callingOff(message.body, signal);
    if (calledOff?.aborted) return no({ kind: "cancelled" });
    const request = requestOf(message, calledOff);
    // Nothing has left yet: a message that is no request tells nothing about the destination.
    if (request === undefined) return no({ kind: "internal", detail: "the message cannot be sent" });
    try {
      const response = await ports.transport.send(address, request);
      if (ports.transport.vouchesFor(address))
        ports.hear(response.headers.get(header.epoch), response.headers.get(header.circuits));
      return ok(response);
    } catch (error) {
      if (calledOff?.aborted) return no({ kind: "cancelled" });
      const detail = error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
      return no({
        kind: "unreachable",
        destination: key,
        delivered: !(error instanceof TransportFailure),
        detail,
      });
    }
  };

/** Undefined for what the platform refuses to send, such as a GET with a body. */
function requestOf(message: Message, signal: AbortSignal | undefined): Request | undefined {
  const init: RequestInit & { duplex?: "half" } = {
    method: message.method,
    redirect: "manual",
  };
  if (message.body !== null) {
    init.body = message.body as BodyInit;
    if (message.body instanceof ReadableStream) init.duplex = "half";
  }
  if (signal !== undefined) init.signal = signal;
  // Platform properties (`cf`) are not in the standard's types; other runtimes ignore them.
  if (message.platform !== undefined) Object.assign(init, { cf: message.platform });
  try {
    const request = new Request(message.url, init);
    // One by one: to take a list of them apart costs the runtime more.
    const { headers } = request;
    message.headers.forEach((value, name) => {
      headers.set(name, value);
    });
    return request;
  } catch {
    // The platform's complaint may quote headers; that it cannot be sent is all that matters here.
    return undefined;
  }
}
