/** What the caller of a pass-through scenario has in its environment. `CALLEE` is the binding under test. */
export interface ProbeEnv {
  readonly STORE: KVNamespace;
  /** In the mesh there is a service of that name too. */
  readonly LEDGER: DurableObjectNamespace;
}

export type Callee = Service<typeof import("./callee.ts").default>;

export interface Probing {
  readonly callee: Callee;
  readonly env: ProbeEnv;
  /** A name that no other probe uses. */
  readonly key: string;
  /** The request that started the probe. */
  readonly request: Request;
}

/** Asks a callee for something and tells what came of it, as plain JSON. */
export type Probe = (probing: Probing) => Promise<unknown>;

const at = (path: string): string => `http://callee.example${path}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function told(response: Response): Promise<object> {
  const { status, statusText, headers, url, redirected } = response;
  const shown = [...headers].filter(([name]) => !["date", "content-length"].includes(name));
  return { status, statusText, headers: shown, url, redirected, body: await response.text() };
}

/** How a promise ended that should not have. */
async function failure(work: Promise<unknown>): Promise<object> {
  try {
    const value = await work;
    return { value: value instanceof Response ? await told(value) : value };
  } catch (error) {
    return error instanceof Error || error instanceof DOMException
      ? { name: error.name, message: error.message }
      : { thrown: String(error) };
  }
}

const nameOf = (ended: object): unknown => Reflect.get(ended, "name") ?? ended;

/** A call that throws at once instead of answering a promise is another behaviour. */
const atOnce = (work: () => Promise<unknown>): Promise<object> => {
  try {
    return failure(work());
  } catch {
    return Promise.resolve({ thrown: "at once" });
  }
};

/** Asks until somebody has left this behind, or 400 times. Workerd looks at its timers only while it has nothing else to do. */
async function left(callee: Callee, key: string, what: string): Promise<readonly string[]> {
  let seen: readonly string[] = [];
  for (let round = 0; round < 400 && !seen.includes(what); round++) {
    seen = await (await callee.fetch(at(`/seen?key=${key}`))).json<string[]>();
    await scheduler.wait(1);
  }
  return seen;
}

async function linesOf(body: ReadableStream<Uint8Array>, count: number): Promise<string[]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (text.split("\n").length <= count) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel("enough");
  return text.split("\n").slice(0, count);
}

function pattern(length: number): Uint8Array {
  const data = new Uint8Array(length);
  for (let index = 0; index < length; index++) data[index] = (index * 31 + 7) % 251;
  return data;
}

/** Sends one chunk, waits until it has come back, and only then sends the other. */
async function pingPong({ callee }: Probing, chunk: Uint8Array): Promise<unknown> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const first = writer.write(chunk);
  const response = await callee.fetch(at("/stream-back"), { method: "POST", body: readable });
  await first;
  const reader = response.body?.getReader();
  let before = 0;
  while (before < chunk.byteLength) before += (await reader?.read())?.value?.byteLength ?? Number.NaN;
  const second = writer.write(bytes("the last")).then(() => writer.close());
  let rest = "";
  for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
    rest += new TextDecoder().decode(read.value);
  }
  await second;
  return { before, rest };
}

async function conversation(response: Response): Promise<unknown> {
  const { webSocket } = response;
  if (webSocket === null) return { status: response.status, webSocket: null };
  webSocket.binaryType = "arraybuffer";
  const heard: string[] = [];
  const closed = new Promise<unknown>((resolve) => {
    webSocket.addEventListener("message", async ({ data }) => {
      heard.push(typeof data === "string" ? data : [...new Uint8Array(data)].join(" "));
      if (heard.length === 1) webSocket.send("hello");
      if (heard.length === 2) webSocket.send(new Uint8Array([1, 2, 250]));
      if (heard.length === 3) webSocket.send("bye");
    });
    webSocket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
  });
  webSocket.accept();
  const protocol = response.headers.get("sec-websocket-protocol");
  return { status: response.status, protocol, closed: await closed, heard };
}

export const probes: Readonly<Record<string, Probe>> = {
  "a GET with query, fragment and headers": async ({ callee }) =>
    told(await callee.fetch(at("/echo?q=1&q=2#fragment"), { headers: { accept: "*/*", "x-app": "1" } })),
  "a Request with a body": async ({ callee }) =>
    told(await callee.fetch(new Request(at("/echo"), { method: "PUT", body: "a text" }))),
  "a Request with further options": async ({ callee }) =>
    told(await callee.fetch(new Request(at("/echo"), { headers: { "x-app": "1" } }), { method: "DELETE" })),
  "a URL object": async ({ callee }) => told(await callee.fetch(new URL(at("/echo")))),
  "a POST with text and authorization": async ({ callee }) =>
    told(
      await callee.fetch(at("/echo"), {
        method: "POST",
        body: "größer",
        headers: { authorization: "Bearer abc" },
      }),
    ),
  "a POST without a body": async ({ callee }) => told(await callee.fetch(at("/echo"), { method: "POST" })),
  "a POST with an empty body": async ({ callee }) =>
    told(await callee.fetch(at("/echo"), { method: "POST", body: "" })),
  "a POST with URL parameters": async ({ callee }) =>
    told(
      await callee.fetch(at("/echo"), { method: "POST", body: new URLSearchParams({ a: "1 2", b: "ü" }) }),
    ),
  "platform properties of a request": async ({ callee }) =>
    told(await callee.fetch(at("/echo"), { cf: { colo: "VIE" } } as RequestInit)),
  "a form with a file": async ({ callee }) => {
    const form = new FormData();
    form.set("name", "größer");
    form.set("file", new File(["inside"], "notes.txt", { type: "text/plain" }));
    return told(await callee.fetch(at("/form"), { method: "POST", body: form }));
  },
  "a JSON answer with its own status text": async ({ callee }) => told(await callee.fetch(at("/json"))),
  "an answer 404": async ({ callee }) => told(await callee.fetch(at("/none"))),
  "an answer 204": async ({ callee }) => told(await callee.fetch(at("/status?code=204"))),
  "an answer 304": async ({ callee }) =>
    told(await callee.fetch(at("/status?code=304"), { headers: { "if-none-match": '"1"' } })),
  "a HEAD": async ({ callee }) => told(await callee.fetch(at("/head"), { method: "HEAD" })),
  "two cookies": async ({ callee }) => (await callee.fetch(at("/cookies"))).headers.getSetCookie(),
  "a compressed answer": async ({ callee }) => told(await callee.fetch(at("/gzip"))),
  "a compressed answer that is passed on": async ({ callee }) => callee.fetch(at("/gzip")),
  "a large body there and back": async ({ callee }) => {
    const response = await callee.fetch(at("/stream-back"), { method: "POST", body: pattern(900_000) });
    const back = new Uint8Array(await response.arrayBuffer());
    return [back.byteLength, back.every((byte, index) => byte === (index * 31 + 7) % 251)];
  },
  "a large body of unknown length": async ({ callee }) => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const written = (async () => {
      const writer = writable.getWriter();
      for (let chunk = 0; chunk < 8; chunk++) await writer.write(pattern(100_000));
      await writer.close();
    })();
    const response = await callee.fetch(at("/count"), { method: "POST", body: readable });
    await written;
    return response.json();
  },
  "a body larger than is digested": async ({ callee }) => {
    const response = await callee.fetch(at("/count"), { method: "POST", body: pattern(3_000_000) });
    return [response.status, await response.json()];
  },
  "a large request that is passed on": async ({ callee, request }) =>
    (await callee.fetch(new Request(at("/length"), request))).json(),
  "a body that has been read already": async ({ callee }) => {
    const used = new Request(at("/echo"), { method: "POST", body: "once" });
    await used.text();
    return failure(callee.fetch(used));
  },
  "a request whose last chunk waits for the answer to its first": (probing) =>
    pingPong(probing, pattern(5_000)),
  "an answer that never ends": async ({ callee }) => {
    const response = await callee.fetch(at("/endless"));
    return linesOf(response.body ?? new ReadableStream(), 3);
  },
  "an answer that its reader has enough of": async ({ callee, key }) => {
    const response = await callee.fetch(at(`/endless?key=${key}`));
    await linesOf(response.body ?? new ReadableStream(), 1);
    return left(callee, key, "cancelled");
  },
  "a WebSocket": async ({ callee }) =>
    conversation(await callee.fetch(at("/socket"), { headers: { upgrade: "websocket" } })),
  "a WebSocket with a protocol": async ({ callee }) =>
    conversation(
      await callee.fetch(at("/socket"), {
        headers: { upgrade: "websocket", "sec-websocket-protocol": "chat" },
      }),
    ),
  "a redirect that is not followed": async ({ callee }) =>
    told(await callee.fetch(at("/redirect?code=302"), { redirect: "manual" })),
  "a redirect that is followed": async ({ callee }) =>
    told(await callee.fetch(at("/redirect?code=302"), { headers: { "x-app": "1" } })),
  "a redirect 303 after a POST": async ({ callee }) => {
    const response = await callee.fetch(at("/redirect?code=303"), { method: "POST", body: "form" });
    // Only the standard takes `content-type` away as well.
    const { method, body } = await response.json<{ method: string; body: string }>();
    return { status: response.status, redirected: response.redirected, method, body };
  },
  "a redirect 307 with a body": async ({ callee }) =>
    told(await callee.fetch(at("/redirect?code=307"), { method: "POST", body: "kept" })),
  "a redirect 308 with a body that was a stream": async ({ callee }) => {
    const body = new Blob(["gone"]).stream();
    return nameOf(await failure(callee.fetch(at("/redirect?code=308"), { method: "POST", body })));
  },
  "a redirect to another origin": async ({ callee }) => {
    const headers = { authorization: "Bearer abc", "x-app": "1" };
    return told(await callee.fetch(at("/redirect?code=302&to=http://elsewhere.example/echo"), { headers }));
  },
  "a redirect to the same origin": async ({ callee }) =>
    told(await callee.fetch(at("/redirect?code=302"), { headers: { authorization: "Bearer abc" } })),
  "a redirect to itself": async ({ callee }) => nameOf(await failure(callee.fetch(at("/loop")))),
  "a redirect mode that the platform refuses": ({ callee }) =>
    atOnce(() => callee.fetch(at("/echo"), { redirect: "error" })),
  "a URL without origin": ({ callee }) => atOnce(() => callee.fetch("/echo")),
  "a method that is none": ({ callee }) => atOnce(() => callee.fetch(at("/echo"), { method: "NO WAY" })),
  "a method in lower case": ({ callee }) =>
    failure(callee.fetch(at("/echo"), { method: "patch", body: "x" })),
  "a signal that has fired before": async ({ callee }) =>
    failure(callee.fetch(at("/echo"), { signal: AbortSignal.abort(new RangeError("before")) })),
  "an abort under way": async ({ callee, key }) => {
    const abort = new AbortController();
    const call = failure(callee.fetch(at(`/hang?key=${key}`), { signal: abort.signal }));
    await left(callee, key, "began");
    abort.abort();
    return [await call, await left(callee, key, "aborted")];
  },
  "a signal with a timeout": async ({ callee, key }) => {
    const call = failure(callee.fetch(at(`/hang?key=${key}`), { signal: AbortSignal.timeout(50) }));
    return [await call, await left(callee, key, "aborted")];
  },
  "work that goes on after the answer": async ({ callee, key }) => {
    const response = await callee.fetch(at(`/later?key=${key}`));
    return [await response.text(), await left(callee, key, "done after the answer")];
  },
  "an RPC method": ({ callee }) => callee.add(2, 3),
  "an RPC method with an object and bytes": ({ callee }) =>
    callee.describe({ name: "notes", bytes: pattern(17) }),
  "a function that came over RPC": async ({ callee }) => {
    using counter = await callee.counter();
    return [await counter(2), await counter(5)];
  },
  "pipelined RPC calls": async ({ callee }) =>
    (callee.counter() as unknown as (by: number) => Promise<number>)(4),
  "an RPC method that throws": ({ callee }) => failure(callee.fail() as Promise<never>),
  "a KV namespace": async ({ env, key }) => {
    await env.STORE.put(key, "kept", { metadata: { n: 1 } });
    return [await env.STORE.getWithMetadata(key), Object.prototype.toString.call(env.STORE)];
  },
  "a Durable Object namespace with the name of a service": async ({ env }) => {
    const object = env.LEDGER.get(env.LEDGER.idFromName("one"));
    return told(await object.fetch("http://signed/entry"));
  },
  "the environment": async ({ env }) => [
    Object.keys(env)
      .filter((name) => ["STORE", "LEDGER"].includes(name))
      .sort(),
    "STORE" in env,
    "NOTHING" in env,
  ],
};
