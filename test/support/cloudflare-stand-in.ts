import { createServer, type IncomingMessage, type Server } from "node:http";

/** A version of a worker as wrangler has uploaded it. */
export interface Upload {
  readonly name: string;
  /** What the worker is bound to, its migrations and compatibility date. */
  readonly metadata: Metadata;
  /** Modules by name. */
  readonly modules: ReadonlyMap<string, string>;
}

export interface Metadata {
  readonly bindings: readonly Readonly<Record<string, unknown>>[];
  readonly migrations?: unknown;
  readonly compatibility_date: string;
}

interface Asked {
  readonly method: string;
  /** Below the account, without query. */
  readonly path: string;
  readonly body: Buffer;
  readonly contentType: string;
}

interface Answer {
  readonly status?: number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

const account = "acc";
const token = "token-of-the-stand-in";
/** The id of whatever KV namespace is made. */
export const namespaceId = "0123456789abcdef0123456789abcdef";
const notFound: Answer = { status: 404, error: { code: 10_007, message: "This does not exist" } };

/**
 * A stand-in for Cloudflare's API on this machine, as far as wrangler asks it: it takes workers, secrets and schedules, keeps
 * them in memory, and refuses a binding to a worker that it does not have, as Cloudflare does. It runs nothing.
 */
export class CloudflareStandIn implements AsyncDisposable {
  readonly uploads: Upload[] = [];
  readonly secrets: string[] = [];
  readonly schedules = new Map<string, unknown>();
  /** How often it was asked for anything. */
  asked = 0;
  /** Workers whose upload is refused, with what is said. */
  readonly refused = new Map<string, string>();
  readonly #known = new Set<string>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<CloudflareStandIn> {
    const server = createServer();
    const standIn = new CloudflareStandIn(server);
    server.on("request", async (request: IncomingMessage, response) => {
      const { status = 200, result = null, error } = await standIn.#answer(request);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          success: error === undefined,
          errors: error === undefined ? [] : [error],
          messages: [],
          result,
        }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  /** What makes wrangler take this for Cloudflare. */
  get env(): Readonly<Record<string, string>> {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("The stand-in does not listen");
    return {
      CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${address.port}/client/v4`,
      CLOUDFLARE_API_TOKEN: token,
      CLOUDFLARE_ACCOUNT_ID: account,
    };
  }

  /** As if these workers had been deployed before. */
  has(...names: readonly string[]): void {
    for (const name of names) this.#known.add(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    this.asked++;
    if (request.headers.authorization !== `Bearer ${token}`)
      return { status: 401, error: { code: 10_000, message: "Authentication error" } };
    const { pathname } = new URL(request.url ?? "/", "http://api");
    const body = Buffer.concat(await request.toArray());
    const prefix = `/client/v4/accounts/${account}/`;
    if (!pathname.startsWith(prefix)) return notFound;
    return this.#route({
      method: request.method ?? "GET",
      path: pathname.slice(prefix.length),
      body,
      contentType: request.headers["content-type"] ?? "",
    });
  }

  async #route({ method, path, body, contentType }: Asked): Promise<Answer> {
    const [, name = "", rest = ""] =
      /^workers\/(?:scripts|services|workers)\/([^/]+)\/?(.*)$/.exec(path) ?? [];
    const known = this.#known.has(name);
    switch (`${method} ${path.replace(/^(workers\/[a-z]+)\/[^/]+/, "$1/*")}`) {
      case "POST storage/kv/namespaces": {
        const { title } = JSON.parse(body.toString()) as { title: string };
        return { result: { id: namespaceId, title } };
      }
      case "GET workers/subdomain":
        return { result: { subdomain: "stand-in" } };
      case "GET workers/services/*":
        return known
          ? { result: { id: name, default_environment: { environment: "production", script: {} } } }
          : notFound;
      case "GET workers/scripts/*/secrets":
        return { result: [] };
      case "GET workers/scripts/*/deployments":
        return { result: { deployments: [] } };
      case "GET workers/scripts/*/settings":
        return { result: { bindings: [], tags: [], tail_consumers: [] } };
      case "GET workers/workers/*":
        return {
          result: { id: name, name, subdomain: { enabled: true, previews_enabled: false }, tags: [] },
        };
      case "PUT workers/scripts/*":
        return this.#take(name, body, contentType);
      case "POST workers/scripts/*/subdomain":
        return { result: JSON.parse(body.toString()) };
      case "PUT workers/scripts/*/schedules":
        this.schedules.set(name, JSON.parse(body.toString()));
        return { result: null };
      case "PUT workers/scripts/*/secrets": {
        const secret = JSON.parse(body.toString()) as { name: string };
        this.secrets.push(`${name}: ${secret.name}`);
        return known ? { result: { name: secret.name, type: "secret_text" } } : notFound;
      }
      default:
        return {
          ...notFound,
          error: { code: 10_007, message: `The stand-in has no ${method} ${rest || path}` },
        };
    }
  }

  async #take(name: string, body: Buffer, contentType: string): Promise<Answer> {
    const form = await new Response(new Uint8Array(body), {
      headers: { "content-type": contentType },
    }).formData();
    const metadata = JSON.parse(String(form.get("metadata"))) as Metadata;
    const message = this.refused.get(name);
    if (message !== undefined) return { status: 400, error: { code: 10_021, message } };
    for (const { type, service } of metadata.bindings) {
      if (type === "service" && service !== name && !this.#known.has(String(service)))
        return {
          status: 400,
          error: { code: 10_143, message: `The bound worker ${service} does not exist` },
        };
    }
    const modules = new Map<string, string>();
    for (const [part, value] of form) if (typeof value !== "string") modules.set(part, await value.text());
    this.uploads.push({ name, metadata, modules });
    this.#known.add(name);
    return {
      result: { id: name, etag: "e", startup_time_ms: 3, deployment_id: "d", entry_point: "index.js" },
    };
  }
}
