/** Where the ids of traces and spans come from. Asked only while a request is handled: workerd has no randomness before. */
export interface Ids {
  /** 32 lower-case hex digits, never all zero. */
  traceId(): string;
  /** 16 lower-case hex digits, never all zero. */
  spanId(): string;
}

/** Random bytes drawn and written out at once: a call into the runtime for each id costs more than the id. */
const poolBytes = 512;

/**
 * Ids from a source of random bytes, such as `(bytes) => crypto.getRandomValues(bytes)`.
 * All sixteen bytes of a trace id are random, which consistent sampling relies on (W3C Trace Context 2, §3.2.2.3).
 */
export function randomIds(fill: (bytes: Uint8Array<ArrayBuffer>) => void): Ids {
  const bytes = new Uint8Array(poolBytes);
  let pool = "";
  let used = 0;
  const draw = (digits: number): string => {
    if (used + digits > pool.length) {
      fill(bytes);
      pool = Array.from(bytes, (byte) => hex[byte]).join("");
      used = 0;
    }
    const text = pool.slice(used, used + digits);
    used += digits;
    // All zero means "no id" on the wire (W3C Trace Context, §3.2.2.3).
    return nothing.startsWith(text) ? `${text.slice(1)}1` : text;
  };
  return { traceId: () => draw(32), spanId: () => draw(16) };
}

const nothing = "0".repeat(32);

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
