/** What comes in smaller pieces than this is copied together, bytes; no more than one such block is half empty. */
export const blockBytes = 4_096;

/** Bytes that are kept together, and where the first of them stands. */
interface Piece {
  readonly from: number;
  bytes: Uint8Array;
  /** The buffer that the bytes are in, where it is one of ours and takes more. */
  readonly block: Uint8Array | undefined;
}

/**
 * Bytes that are kept as they come, in a block more of memory than they are, at most. A sender decides in how small pieces it
 * sends, and workerd gives each piece a buffer of 4,096 bytes (measured): as they are, 64 KiB that come byte by byte
 * take 256 MiB, twice of what an isolate has. So pieces are copied together, but for large ones that fill their buffer.
 */
export class KeptBytes {
  #pieces: Piece[] = [];
  #length = 0;

  /** How many have been added, those that were dropped included. */
  get length(): number {
    return this.#length;
  }

  /** Where the first one stands that has not been dropped. */
  get start(): number {
    return this.#pieces[0]?.from ?? this.#length;
  }

  add(bytes: Uint8Array): void {
    const rest = this.#fillUp(bytes);
    const size = rest.byteLength;
    if (size === 0) return;
    const from = this.#length;
    this.#length += size;
    if (size === rest.buffer.byteLength && 2 * size >= blockBytes) {
      this.#pieces.push({ from, bytes: rest, block: undefined });
      return;
    }
    const block = new Uint8Array(Math.max(size, blockBytes));
    block.set(rest);
    this.#pieces.push({ from, bytes: block.subarray(0, size), block });
  }

  /** Puts into the last block what it has room for, and answers with the rest: so that only one is ever half empty. */
  #fillUp(bytes: Uint8Array): Uint8Array {
    const last = this.#pieces.at(-1);
    if (last?.block === undefined) return bytes;
    const taken = last.bytes.byteLength;
    const room = last.block.byteLength - taken;
    if (room === 0) return bytes;
    const first = bytes.subarray(0, room);
    last.block.set(first, taken);
    last.bytes = last.block.subarray(0, taken + first.byteLength);
    this.#length += first.byteLength;
    return bytes.subarray(first.byteLength);
  }

  /** What stands from there on, as much of it as is kept in one piece; undefined where nothing does yet. */
  after(position: number): Uint8Array | undefined {
    const found = this.#pieces.findLast(({ from }) => from <= position);
    if (found === undefined || position >= found.from + found.bytes.byteLength) return undefined;
    return position === found.from ? found.bytes : found.bytes.subarray(position - found.from);
  }

  /** Keeps nothing any more of what stands before there, but for the piece that goes on beyond. */
  drop(before: number): void {
    const end = this.#pieces.findIndex(({ from, bytes }) => from + bytes.byteLength > before);
    this.#pieces = end === -1 ? [] : this.#pieces.slice(end);
  }

  /** All that is kept, in its pieces. */
  pieces(): readonly Uint8Array[] {
    return this.#pieces.map(({ bytes }) => bytes);
  }

  /** All that is kept, in one. */
  joined(): Uint8Array {
    const [first] = this.#pieces;
    if (first !== undefined && this.#pieces.length === 1) return first.bytes;
    const whole = new Uint8Array(this.#length - this.start);
    let at = 0;
    for (const { bytes } of this.#pieces) {
      whole.set(bytes, at);
      at += bytes.byteLength;
    }
    return whole;
  }
}
