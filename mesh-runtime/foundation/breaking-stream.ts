/**
 * A stream that is made of another one, with a signal that fires when it breaks, before it fails itself.
 *
 * workerd ends the body of a request over a service binding as if it were whole when a stream that was made in
 * JavaScript fails (measured: a callee read 5 KB as a complete body). A client that goes away in the middle of
 * an upload would so have half of it accepted. Whoever sends such a stream calls the request off by this signal.
 */
export class BreakingStream extends ReadableStream<Uint8Array> implements Progress {
  readonly broken: AbortSignal;
  readonly #progress: { ended: boolean };

  /**
   * @param next the next chunk, undefined at the end; what it throws breaks the stream
   * @param cancel nobody reads any further
   */
  constructor(
    next: () => Promise<Uint8Array | undefined>,
    cancel: (reason: unknown) => Promise<void> | undefined,
  ) {
    const breaking = new AbortController();
    const progress = { ended: false };
    super(
      {
        async pull(controller) {
          try {
            const chunk = await next();
            if (chunk !== undefined) return controller.enqueue(chunk);
            progress.ended = true;
            controller.close();
          } catch (error) {
            breaking.abort(error);
            controller.error(error);
          }
        },
        cancel,
      },
      // Nothing is read before somebody asks for it.
      { highWaterMark: 0 },
    );
    this.broken = breaking.signal;
    this.#progress = progress;
  }

  /** Whether it has been read to its end. */
  get ended(): boolean {
    return this.#progress.ended;
  }
}

/** How far somebody has come with a stream. */
export interface Progress {
  /** Whether it has been read to its end. */
  readonly ended: boolean;
  /** Fires when it breaks. */
  readonly broken: AbortSignal;
}

/** Of streams of the platform, which do not tell themselves. */
const watched = new WeakMap<ReadableStream, Progress>();

/** Makes known of a stream of the platform what a {@link BreakingStream} tells itself. */
export function watching(stream: ReadableStream<Uint8Array>, progress: Progress): ReadableStream<Uint8Array> {
  watched.set(stream, progress);
  return stream;
}

const progressOf = (body: unknown): Progress | undefined =>
  body instanceof BreakingStream ? body : body instanceof ReadableStream ? watched.get(body) : undefined;

/** Whether all of a body is here: a stream of which nobody knows how far it has been read counts as one that is not. */
export const isWhole = (body: Uint8Array | ReadableStream<Uint8Array> | null): boolean =>
  !(body instanceof ReadableStream) || progressOf(body)?.ended === true;

/** What calls a request with this body off: the given signal, or that its body breaks. */
export function callingOff(body: unknown, signal: AbortSignal | undefined): AbortSignal | undefined {
  const broken = progressOf(body)?.broken;
  if (broken === undefined) return signal;
  return signal === undefined ? broken : AbortSignal.any([signal, broken]);
}
