import { WorkerEntrypoint } from "cloudflare:workers";

/** What requests have left behind in this isolate, by the key that they chose. Plain data. */
const seen = new Map<string, string[]>();
const note = (key: string, what: string): void => void seen.set(key, [...(seen.get(key) ?? []), what]);

/** Answers in every way in which a worker can answer. Knows nothing of a mesh. */
export default class Callee extends WorkerEntrypoint<object> {
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const key = url.searchParams.get("key") ?? "";
    switch (url.pathname) {
      case "/echo":
        return echo(request);
      case "/stream-back":
        return new Response(request.body);
      case "/count":
        return Response.json(await counted(request));
      case "/length":
        return Response.json({
          declared: request.headers.get("content-length"),
          ...(await counted(request)),
        });
      case "/endless":
        return endless(key);
      case "/seen":
        return Response.json(seen.get(key) ?? []);
      case "/hang": {
        note(key, "began");
        request.signal.addEventListener("abort", () => note(key, "aborted"));
        await scheduler.wait(20_000, { signal: request.signal });
        return new Response("waited to the end");
      }
      case "/later":
        this.ctx.waitUntil(scheduler.wait(5).then(() => note(key, "done after the answer")));
        return new Response("answered");
      case "/status":
        return new Response(null, {
          status: Number(url.searchParams.get("code")),
          headers: { "x-app": "1" },
        });
      case "/head":
        return new Response("a body that HEAD does not get", { headers: { etag: '"1"' } });
      case "/cookies": {
        const headers = new Headers([
          ["set-cookie", "a=1; Path=/"],
          ["set-cookie", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
        ]);
        return new Response("cookies", { headers });
      }
      case "/json":
        return Response.json({ list: [1, "two", null], text: "größer" }, { status: 201, statusText: "Made" });
      case "/form": {
        const form = await request.formData();
        const file = form.get("file");
        if (!(file instanceof File)) return new Response("no file", { status: 400 });
        return Response.json([form.get("name"), file.name, file.type, await file.text()]);
      }
      case "/gzip":
        return new Response(await gzipped("squeezed ".repeat(100)), {
          headers: { "content-encoding": "gzip", "content-type": "text/plain" },
          encodeBody: "manual",
        });
      case "/redirect": {
        const location = url.searchParams.get("to") ?? "/echo";
        return new Response(null, { status: Number(url.searchParams.get("code")), headers: { location } });
      }
      case "/loop":
        return new Response(null, { status: 302, headers: { location: "/loop" } });
      case "/socket":
        return socket(request);
      default:
        return new Response("nothing here", { status: 404, statusText: "Nowhere" });
    }
  }

  /** Over RPC, beside `fetch`. */
  add(a: number, b: number): number {
    return a + b;
  }

  async describe(what: { readonly name: string; readonly bytes: Uint8Array }): Promise<string> {
    return `${what.name}: ${what.bytes.byteLength} bytes`;
  }

  counter(): (by: number) => number {
    let value = 0;
    return (by) => {
      value += by;
      return value;
    };
  }

  fail(): never {
    throw new RangeError("over RPC");
  }
}

async function echo(request: Request): Promise<Response> {
  const headers = ["accept", "authorization", "content-type", "x-app"].map((name) => [
    name,
    request.headers.get(name),
  ]);
  return Response.json({
    method: request.method,
    url: request.url,
    headers,
    length: request.headers.get("content-length"),
    cf: request.cf ?? null,
    body: await request.text(),
  });
}

async function counted(request: Request): Promise<{ bytes: number; sum: number }> {
  let bytes = 0;
  let sum = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    for (const byte of chunk) sum = (sum + byte) % 65_521;
  }
  return { bytes, sum };
}

function endless(key: string): Response {
  let number = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode(`${number++}\n`));
    },
    cancel: () => note(key, "cancelled"),
  });
  return new Response(body);
}

function gzipped(text: string): Promise<ArrayBuffer> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

function socket(request: Request): Response {
  if (request.headers.get("upgrade") !== "websocket") return new Response("no upgrade", { status: 426 });
  const [client, server] = Object.values(new WebSocketPair());
  if (client === undefined || server === undefined) throw new Error("a pair has two ends");
  server.binaryType = "arraybuffer";
  server.accept();
  server.send("welcome");
  server.addEventListener("message", ({ data }) => {
    if (typeof data !== "string") server.send(new Uint8Array(data).map((byte) => byte + 1));
    else if (data === "bye") server.close(4_000, "as you wish");
    else server.send(`you said ${data}`);
  });
  const protocol = request.headers.get("sec-websocket-protocol");
  return new Response(null, {
    status: 101,
    webSocket: client,
    ...(protocol === null ? {} : { headers: { "sec-websocket-protocol": protocol } }),
  });
}
