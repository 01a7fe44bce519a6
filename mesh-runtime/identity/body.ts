import { BreakingStream } from "../foundation/breaking-stream.ts";

/** Bytes of a stream as far as a limit: all of them, or the first part with the rest still to come. */
export type Head =
  | { readonly whole: true; readonly bytes: Uint8Array }
  | {
      readonly whole: false;
      readonly read: readonly Uint8Array[];
      readonly rest: ReadableStreamDefaultReader<Uint8Array>;
    };

/**
 * Reads a stream to its end if that comes within `limit` bytes. Keeps no more than the limit and one chunk.
 *
 * @throws what the stream throws when its sender goes away
 */
export async function readUpTo(stream: ReadableStream<Uint8Array>, limit: number): Promise<Head> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (true) {
    const next = await reader.read();
    if (next.done) break;
    chunks.push(next.value);
    size += next.value.byteLength;
    if (size > limit) return { whole: false, read: chunks, rest: reader };
  }
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return { whole: true, bytes: first };
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return { whole: true, bytes };
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
