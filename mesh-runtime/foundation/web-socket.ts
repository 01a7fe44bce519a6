import type { Message } from "./exchange.ts";

/**
 * Whether a request asks for a WebSocket, as the platform understands it: a GET with `Upgrade: websocket` and no other
 * protocol beside it (RFC 6455 §4.1). Whatever else a client writes into that header asks for nothing here.
 */
export const asksForWebSocket = ({ method, headers }: Pick<Message, "method" | "headers">): boolean =>
  method === "GET" && headers.get("upgrade")?.toLowerCase() === "websocket";
