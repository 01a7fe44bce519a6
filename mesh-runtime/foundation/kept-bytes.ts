/** What comes in smaller pieces than this is copied together, bytes. */
const blockBytes = 4_096;

/** Bytes that are kept together, and where the first of them stands. */
interface Piece {
  readonly from: number;
  bytes: Uint8Array;
  /** The buffer that the bytes are in, where it is one of ours and takes more. */
  readonly block: Uint8Array | undefined;
}

/**
 * Bytes that are kept as they come, in not much more memory than they are. A sender decides in how small pieces it
 * sends, and workerd gives each piece a buffer of 4,096 bytes (measured): as they are, 64 KiB that come byte by byte
 * take 256 MiB, twice of what an isolate has. So small pieces are copied together; others are kept as they are.
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
    const size = bytes.byteLength;
    if (size === 0) return;
    const from = this.#length;
    this.#length += size;
    if (2 * size >= Math.max(bytes.buffer.byteLength, blockBytes)) {
      this.#pieces.push({ from, bytes, block: undefined });
      return;
    }
    const last = this.#pieces.at(-1);
    const taken = last?.bytes.byteLength ?? 0;
    if (last?.block !== undefined && taken + size <= last.block.byteLength) {
      last.block.set(bytes, taken);
      last.bytes = last.block.subarray(0, taken + size);
      return;
    }
    const block = new Uint8Array(Math.max(size, blockBytes));
    block.set(bytes);
    this.#pieces.push({ from, bytes: block.subarray(0, size), block });
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
