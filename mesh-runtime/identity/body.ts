import { BreakingStream } from "../foundation/breaking-stream.ts";
import { KeptBytes } from "../foundation/kept-bytes.ts";

/** Bytes of a stream as far as a limit: all of them, or the first part with the rest still to come. */
export type Head =
  | { readonly whole: true; readonly bytes: Uint8Array }
  | {
      readonly whole: false;
      /** There was no room for more of it, whatever the limit. */
      readonly crowded: boolean;
      readonly read: readonly Uint8Array[];
      readonly rest: ReadableStreamDefaultReader<Uint8Array>;
    };

/** Where the bytes of a stream are kept while it is read. */
export interface Shelf {
  readonly kept: KeptBytes;
  /** Asked for room for so many bytes more, and once more at the end; reading ends where there is none. */
  take(bytes: number): boolean;
}

/**
 * Reads a stream to its end if that comes within `limit` bytes. Keeps no more than the limit and one chunk.
 *
 * @param shelf where room is not for the asking
 * @throws what the stream throws when its sender goes away
 */
export async function readUpTo(
  stream: ReadableStream<Uint8Array>,
  limit: number,
  shelf?: Shelf,
): Promise<Head> {
  const reader = stream.getReader();
  const kept = shelf?.kept ?? new KeptBytes();
  while (true) {
    const next = await reader.read();
    const bytes = next.value?.byteLength ?? 0;
    const isLarge = kept.length + bytes > limit;
    const crowded = !isLarge && shelf?.take(bytes) === false;
    if (next.done && !crowded) return { whole: true, bytes: kept.joined() };
    if (next.value !== undefined) kept.add(next.value);
    if (isLarge || crowded) return { whole: false, crowded, read: kept.pieces(), rest: reader };
  }
}

/** The stream again, as if nobody had read its first part. */
export function resumed(
  read: readonly Uint8Array[],
  rest: ReadableStreamDefaultReader<Uint8Array>,
): BreakingStream {
  let position = 0;
  const next = async (): Promise<Uint8Array | undefined> => {
    const chunk = read[position++];
    return chunk ?? (await rest.read()).value;
  };
  return new BreakingStream(next, (reason) => rest.cancel(reason));
}
