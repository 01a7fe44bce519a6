/** What a script on a page asks for. */
export interface ScriptRequest {
  readonly method?: string;
  /** Set by the script, names in lower case; a browser sends those that are not simple only where they are allowed. */
  readonly headers?: Readonly<Record<string, string>>;
  /** With cookies. */
  readonly credentials?: boolean;
}

/** What the script gets to see. */
export interface ScriptResponse {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends a request as the browser puts it on the wire. */
export type Send = (url: string, init: RequestInit) => Promise<Response>;

const simpleMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST"]);
const simpleHeaders: ReadonlySet<string> = new Set(["accept", "accept-language", "content-language"]);
const readable: ReadonlySet<string> = new Set([
  "cache-control",
  "content-language",
  "content-length",
  "content-type",
  "expires",
  "last-modified",
  "pragma",
]);

/**
 * A page of an origin, as strict as a browser with what answers say (Fetch §4.8 to §4.10): asks before whatever is not
 * simple, and shows the script only what it may see.
 */
export class Page {
  readonly #origin: string;
  readonly #send: Send;

  constructor(origin: string, send: Send) {
    this.#origin = origin;
    this.#send = send;
  }

  /** @throws TypeError "blocked: …" where a browser tells the script nothing but that it failed */
  async fetch(url: string, asked: ScriptRequest = {}): Promise<ScriptResponse> {
    const { method = "GET", headers = {}, credentials = false } = asked;
    const unusual = Object.keys(headers).filter((name) => !simpleHeaders.has(name));
    if (!simpleMethods.has(method) || unusual.length > 0)
      await this.#preflight(url, method, unusual, credentials);
    const cookie = credentials ? { cookie: "session=1" } : undefined;
    const response = await this.#send(url, {
      method,
      headers: { ...headers, ...cookie, origin: this.#origin },
    });
    this.#check(response, credentials);
    const exposed = listed(response, "access-control-expose-headers", credentials);
    return {
      status: response.status,
      text: await response.text(),
      headers: Object.fromEntries(
        [...response.headers].filter(([name]) => readable.has(name) || exposed(name, false)),
      ),
    };
  }

  async #preflight(
    url: string,
    method: string,
    headers: readonly string[],
    credentials: boolean,
  ): Promise<void> {
    const response = await this.#send(url, {
      method: "OPTIONS",
      headers: {
        origin: this.#origin,
        "access-control-request-method": method,
        ...(headers.length === 0 ? {} : { "access-control-request-headers": headers.toSorted().join(",") }),
      },
    });
    this.#check(response, credentials);
    if (!response.ok) throw new TypeError(`blocked: the preflight was answered with ${response.status}`);
    const methods = listed(response, "access-control-allow-methods", credentials);
    if (!simpleMethods.has(method) && !methods(method, true))
      throw new TypeError(`blocked: ${method} is not allowed`);
    const allowed = listed(response, "access-control-allow-headers", credentials);
    const refused = headers.find((name) => !allowed(name, false, name === "authorization"));
    if (refused !== undefined) throw new TypeError(`blocked: the header ${refused} is not allowed`);
  }

  #check({ headers }: Response, credentials: boolean): void {
    const allowed = headers.get("access-control-allow-origin");
    const fits = allowed === this.#origin || (allowed === "*" && !credentials);
    if (!fits) throw new TypeError(`blocked: the origin ${this.#origin} is not allowed`);
    if (credentials && headers.get("access-control-allow-credentials") !== "true")
      throw new TypeError("blocked: credentials are not allowed");
  }
}

/** Whether a list of an answer names something; a `*` names everything, but neither with credentials nor what must be named. */
function listed({ headers }: Response, name: string, credentials: boolean) {
  const values = (headers.get(name) ?? "").split(",").map((value) => value.trim());
  const lower = values.map((value) => value.toLowerCase());
  return (wanted: string, exact: boolean, byName = false): boolean =>
    (exact ? values.includes(wanted) : lower.includes(wanted)) ||
    (!credentials && !byName && values.includes("*"));
}
