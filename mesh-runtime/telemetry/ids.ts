/** Where the ids of traces and spans come from. Asked only while a request is handled: workerd has no randomness before. */
export interface Ids {
  /** 32 lower-case hex digits, never all zero. */
  traceId(): string;
  /** 16 lower-case hex digits, never all zero. */
  spanId(): string;
}

/** Random bytes drawn at once: a call into the runtime for each id costs more than the id. */
const poolBytes = 512;

/**
 * Ids from a source of random bytes, such as `(bytes) => crypto.getRandomValues(bytes)`.
 * All sixteen bytes of a trace id are random, which consistent sampling relies on (W3C Trace Context 2, §3.2.2.3).
 */
export function randomIds(fill: (bytes: Uint8Array<ArrayBuffer>) => void): Ids {
  const pool = new Uint8Array(poolBytes);
  let used = poolBytes;
  const draw = (length: number): string => {
    if (used + length > poolBytes) {
      fill(pool);
      used = 0;
    }
    const bytes = pool.subarray(used, used + length);
    used += length;
    // All zero means "no id" on the wire (W3C Trace Context, §3.2.2.3).
    if (bytes.every((byte) => byte === 0)) bytes[length - 1] = 1;
    let text = "";
    for (const byte of bytes) text += hex[byte];
    return text;
  };
  return { traceId: () => draw(16), spanId: () => draw(8) };
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
