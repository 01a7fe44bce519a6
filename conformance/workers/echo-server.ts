import { parseDuration } from "@tulle/mesh-runtime/foundation/duration.ts";
import { type Echo, type Pod, resetHeader } from "../echo-words.ts";

/** How often each simulated failure has happened, by its `uuid`. */
export type Attempts = Map<string, number>;

/** What the echo server has of its surroundings. */
export interface EchoPorts {
  readonly pod: Pod;
  readonly attempts: Attempts;
  readonly wait: (ms: number) => Promise<void>;
  /** Told of the path and query of each request that is echoed. */
  readonly log: (target: string) => void;
}

/**
 * The behaviour of the Gateway API project's echo server, which its tests rely on: `/health`, `/status/NNN`,
 * `/retry/…` with `succeedAfter`, `uuid`, `responseCode` and `delayRetry`, `/ws`, and an echo of everything
 * else, after `delay` and with the headers that `X-Echo-Set-Header` lists.
 */
export async function answerOf(request: Request, ports: EchoPorts): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === "/health") return new Response("OK");
  if (pathname.startsWith("/status/")) return status(pathname);
  if (pathname.startsWith("/retry/")) return retried(request, ports);
  if (pathname === "/ws" && request.headers.get("upgrade")?.toLowerCase() === "websocket") return webSocket();
  return echoed(request, ports);
}

function status(pathname: string): Response {
  const written = /^\/status\/(\d{3})$/.exec(pathname)?.[1];
  const code = written === undefined ? 400 : Number(written);
  // No response of the platform has a status outside of these.
  return new Response(null, { status: code >= 200 && code <= 599 ? code : 400 });
}

/** A backend that fails until it has been tried often enough. */
async function retried(request: Request, ports: EchoPorts): Promise<Response> {
  const query = new URL(request.url).searchParams;
  const uuid = query.get("uuid");
  const succeedAfter = Number(query.get("succeedAfter") ?? Number.NaN);
  if (!uuid) return new Response("uuid is required", { status: 400 });
  if (!Number.isInteger(succeedAfter)) return new Response("succeedAfter is required", { status: 400 });
  const failed = ports.attempts.get(uuid) ?? 0;
  if (failed >= succeedAfter) return echoed(request, ports);
  ports.attempts.set(uuid, failed + 1);
  const late = await delayed(query.get("delayRetry"), ports);
  if (late !== undefined) return late;
  const code = Number(query.get("responseCode") ?? Number.NaN);
  if (Number.isInteger(code)) return new Response(null, { status: code });
  return new Response(null, { status: 502, headers: { [resetHeader]: "1" } });
}

async function echoed(request: Request, ports: EchoPorts): Promise<Response> {
  const url = new URL(request.url);
  const target = `${url.pathname}${url.search}`;
  ports.log(target);
  const late = await delayed(url.searchParams.get("delay"), ports);
  if (late !== undefined) return late;
  const headers = new Headers({ "content-type": "application/json", "x-content-type-options": "nosniff" });
  for (const [name, value] of askedHeaders(request.headers)) headers.append(name, value);
  const { name: pod, namespace, service } = ports.pod;
  const echo: Echo = {
    path: target,
    host: url.host,
    method: request.method,
    proto: "HTTP/1.1",
    headers: canonical(request.headers),
    httpPort: "3000",
    namespace,
    ingress: "",
    service,
    pod,
  };
  return new Response(JSON.stringify(echo), { headers });
}

/** Waits as long as the query asks. @returns an answer if it asks for what is no duration */
async function delayed(written: string | null, { wait }: EchoPorts): Promise<Response | undefined> {
  if (written === null || written === "") return undefined;
  const duration = parseDuration(written);
  if (!duration.ok) return Response.json({ message: `expected ${duration.reason}` }, { status: 500 });
  await wait(duration.value);
  return undefined;
}

/** The headers that the request asks the server to answer with: `name:value,name:value`. */
function askedHeaders(headers: Headers): readonly (readonly [string, string])[] {
  const written = headers.get("x-echo-set-header") ?? "";
  return written.split(",").flatMap((pair) => {
    const colon = pair.indexOf(":");
    return colon < 1 ? [] : [[pair.slice(0, colon).trim(), pair.slice(colon + 1).trim()] as const];
  });
}

/** Names as a server of another runtime would show them, each with its values. */
function canonical(headers: Headers): Record<string, readonly string[]> {
  const shown: Record<string, readonly string[]> = {};
  for (const [name, value] of headers) {
    if (name === "host") continue;
    shown[name.replaceAll(/(?:^|-)[a-z]/g, (initial) => initial.toUpperCase())] = [value];
  }
  return shown;
}

/** Sends back every frame as it came. */
function webSocket(): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  // As it came, rather than in a Blob that could not be sent back.
  server.binaryType = "arraybuffer";
  server.addEventListener("message", ({ data }) => server.send(data));
  server.addEventListener("close", ({ code }) => server.close(code === 1005 ? 1000 : code));
  return new Response(null, { status: 101, webSocket: client });
}
