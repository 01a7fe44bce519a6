import { BreakingStream } from "../foundation/breaking-stream.ts";
import type { Message } from "../foundation/exchange.ts";
import { KeptBytes } from "../foundation/kept-bytes.ts";

/** A body that others may send too: whole, or undefined when it turned out too large or broke off. */
export type SharedBody = Uint8Array | null | Promise<Uint8Array | undefined>;

/**
 * The body of a message for the request itself, and the same for copies of it. Bytes are shared as they are. Of a
 * stream the copies get what the request's own reading brings, once it has come to the end: nothing is read for them
 * alone, nothing waits for them, and no more than `limitBytes` is kept. A stream that says itself that it is larger
 * goes on as it is, and there is nothing to share.
 */
export function bodyToShare(
  { body, headers }: Message,
  limitBytes: number,
): { readonly main: Message["body"]; readonly shared: SharedBody | undefined } {
  if (!(body instanceof ReadableStream)) return { main: body, shared: body };
  if (Number(headers.get("content-length") ?? 0) > limitBytes) return { main: body, shared: undefined };
  const source = body.getReader();
  let resolve: (body: Uint8Array | undefined) => void = () => undefined;
  const whole = new Promise<Uint8Array | undefined>((settle) => {
    resolve = settle;
  });
  let kept: KeptBytes | undefined = new KeptBytes();
  const giveUp = (): void => {
    kept = undefined;
    resolve(undefined);
  };
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      const { value } = await source.read();
      if (value === undefined) resolve(kept?.joined());
      else kept?.add(value);
      if (kept !== undefined && kept.length > limitBytes) giveUp();
      return value;
    } catch (error) {
      giveUp();
      throw error;
    }
  };
  const cancel = (reason: unknown): Promise<void> => {
    giveUp();
    return source.cancel(reason);
  };
  return { main: new BreakingStream(next, cancel), shared: whole };
}
