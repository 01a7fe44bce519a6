/** What a backend under test has received. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  /** Milliseconds of this process's own clock. */
  readonly at: number;
}

/** What a backend does with a request. */
export type Doing = (received: Received) => Response | Promise<Response>;

/** A service that runs in the test's process: remembers what it receives, and does what it is told. */
export class Backend {
  received: Received[] = [];
  readonly #waiting = new Set<() => void>();
  #script: Doing[] = [];
  #always: Doing = () => new Response("well");

  readonly fetch = async (request: Request): Promise<Response> => {
    const received = {
      method: request.method,
      path: new URL(request.url).pathname,
      headers: new Headers([...request.headers]),
      body: await request.text(),
      at: performance.now(),
    };
    this.received.push(received);
    for (const look of [...this.#waiting]) look();
    return (this.#script.shift() ?? this.#always)(received);
  };

  /** Forgets what it received, does these things with the next requests in turn, and `always` with what comes after. */
  script(steps: readonly Doing[], always: Doing = () => new Response("well")): void {
    this.received = [];
    this.#script = [...steps];
    this.#always = always;
  }

  /** Resolves when so many requests have come since {@link script}. */
  reached(count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.received.length < count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** From now on answers nothing before what this returns is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.script([], async () => {
      await promise;
      return new Response("well");
    });
    return resolve;
  }
}

/** Answers with a status. */
export const fails =
  (status: number, headers: Readonly<Record<string, string>> = {}): Doing =>
  () =>
    new Response("not well", { status, headers });

/** Does not answer before the test's end. */
export const hangs: Doing = () => new Promise<Response>(() => undefined);
