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

/**
 * Reads a stream to its end if that comes within `limit` bytes. Keeps no more than the limit and one chunk.
 *
 * @param take asked for room for each piece; reading ends where there is none
 * @throws what the stream throws when its sender goes away
 */
export async function readUpTo(
  stream: ReadableStream<Uint8Array>,
  limit: number,
  take: (bytes: number) => boolean = () => true,
): Promise<Head> {
  const reader = stream.getReader();
  const kept = new KeptBytes();
  while (true) {
    const next = await reader.read();
    if (next.done) return { whole: true, bytes: kept.joined() };
    kept.add(next.value);
    if (kept.length > limit) return { whole: false, crowded: false, read: kept.pieces(), rest: reader };
    if (!take(next.value.byteLength))
      return { whole: false, crowded: true, read: kept.pieces(), rest: reader };
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
