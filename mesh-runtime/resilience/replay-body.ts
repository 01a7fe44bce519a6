import { BreakingStream } from "../foundation/breaking-stream.ts";
import { KeptBytes } from "../foundation/kept-bytes.ts";

/** What a message can have as its body. */
export type Body = Uint8Array | ReadableStream<Uint8Array> | null;

/** A body that can be given to more than one attempt. */
export interface ReplayBody {
  /** The whole body for the next attempt; the stream of the attempt before it breaks off. Only while `replayable()`. */
  take(): Body;
  /** Whether `take()` can still give every byte from the first. */
  replayable(): boolean;
  /** No further attempt will follow: nothing more is kept. */
  finish(): void;
}

/**
 * Keeps a body while it is sent, so that it can be sent again; up to a limit, beyond which bytes pass on
 * but are not kept. Nothing is read before an attempt asks for it, and an attempt never waits for the
 * end of the body: a caller may write the rest only after it has seen the response.
 *
 * A body of known length within the limit is read at once instead and sent as bytes, which keeps its
 * `content-length` and spares the copying chunk by chunk.
 *
 * @param lengthHint what `content-length` says, `undefined` if unknown
 */
export async function replayBody(
  body: Body,
  limitBytes: number,
  lengthHint: number | undefined,
): Promise<ReplayBody> {
  if (!(body instanceof ReadableStream)) return { take: () => body, replayable: () => true, finish() {} };
  if (lengthHint !== undefined && lengthHint > limitBytes) return once(body);
  const recording = new Recording(body, limitBytes);
  if (lengthHint !== undefined) await recording.readAll();
  return recording;
}

/**
 * A body that is not kept.
 * @param unrepeatable the request must not be sent twice even without a body, as one that asks to upgrade
 */
export function once(body: Body, unrepeatable = false): ReplayBody {
  let taken = false;
  return {
    take: () => {
      taken = true;
      return body;
    },
    replayable: () => !taken || !(unrepeatable || body instanceof ReadableStream),
    finish() {},
  };
}

/** A stream with a memory of what was read from it. One reader at a time: the newest. */
class Recording implements ReplayBody {
  readonly #source: ReadableStreamDefaultReader<Uint8Array>;
  readonly #limitBytes: number;
  /** All of it, as long as `keeping`; the first attempt has had what was dropped after that. */
  readonly #kept = new KeptBytes();
  #keeping = true;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #reading: Promise<void> | undefined;
  #attempt = 0;

  constructor(body: ReadableStream<Uint8Array>, limitBytes: number) {
    this.#source = body.getReader();
    this.#limitBytes = limitBytes;
  }

  replayable(): boolean {
    return this.#failure === undefined && (this.#keeping || this.#attempt === 0);
  }

  finish(): void {
    this.#keeping = false;
  }

  /** Reads until the end or the limit, whichever comes first. */
  async readAll(): Promise<void> {
    while (!this.#ended && this.#keeping) await this.#read();
  }

  take(): Body {
    this.#attempt += 1;
    if (this.#ended && this.#failure === undefined) return this.#kept.joined();
    return this.#stream(this.#attempt);
  }

  #stream(attempt: number): BreakingStream {
    let position = 0;
    const next = async (): Promise<Uint8Array | undefined> => {
      // Not once alone: a piece may be empty, and nothing after it would come.
      while (position >= this.#kept.length && !this.#ended && attempt === this.#attempt) await this.#read();
      if (attempt !== this.#attempt) throw new Error("A later attempt has taken this body over");
      const bytes = this.#kept.after(position);
      if (bytes !== undefined) {
        position += bytes.byteLength;
        if (!this.#keeping) this.#kept.drop(position);
        return bytes;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      return undefined;
    };
    return new BreakingStream(next, (reason) =>
      attempt === this.#attempt && !this.#keeping ? this.#source.cancel(reason) : undefined,
    );
  }

  /** One read at a time, whoever asks; its chunk is kept for whichever attempt is the newest by then. */
  #read(): Promise<void> {
    this.#reading ??= this.#source.read().then(
      ({ done, value }) => {
        this.#reading = undefined;
        if (done) {
          this.#ended = true;
          return;
        }
        this.#kept.add(value);
        if (this.#kept.length > this.#limitBytes) this.#keeping = false;
      },
      (error: unknown) => {
        this.#reading = undefined;
        this.#ended = true;
        this.#failure = { error };
      },
    );
    return this.#reading;
  }
}
