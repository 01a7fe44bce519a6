/**
 * What the mesh reads and writes of a message's header fields: a part of the standard's `Headers`, so that either
 * may be given where this is asked for.
 */
export interface HeaderFields {
  /** The value, several of one name joined with a comma and a space; `null` without one. */
  get(name: string): string | null;
  has(name: string): boolean;
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  delete(name: string): void;
  /** Names are in lower case. */
  forEach(each: (value: string, name: string) => void): void;
  keys(): Iterable<string>;
  [Symbol.iterator](): Iterator<[string, string]>;
}

/**
 * The header fields of a request that leaves, as plain data. Every call of the platform's `Headers` crosses into the
 * runtime and back, and a dozen layers read and write them: between two workers that was a tenth of a hop. What is
 * no valid name or value is found when the platform makes the request.
 *
 * For requests only: `set-cookie`, whose lines must stay apart, is a response's.
 */
export class Fields implements HeaderFields {
  readonly #values: Map<string, string>;

  /** @param from what to begin with; not changed by what happens here */
  constructor(from?: HeaderFields) {
    if (from instanceof Fields) {
      this.#values = new Map(from.#values);
      return;
    }
    const values = new Map<string, string>();
    from?.forEach((value, name) => {
      values.set(name, value);
    });
    this.#values = values;
  }

  get(name: string): string | null {
    // Who asks mostly says it in lower case; to make sure costs as much as the look-up.
    return this.#values.get(name) ?? this.#values.get(name.toLowerCase()) ?? null;
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  set(name: string, value: string): void {
    this.#values.set(name.toLowerCase(), value);
  }

  append(name: string, value: string): void {
    const before = this.get(name);
    this.set(name, before === null ? value : `${before}, ${value}`);
  }

  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }

  forEach(each: (value: string, name: string) => void): void {
    for (const [name, value] of this.#values) each(value, name);
  }

  keys(): Iterable<string> {
    return this.#values.keys();
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#values[Symbol.iterator]();
  }

  /** As the platform takes them most cheaply. */
  toRecord(): Record<string, string> {
    return Object.fromEntries(this.#values);
  }
}

/** Header fields in a form of which the platform makes a request. */
export const asInit = (headers: HeaderFields): HeadersInit =>
  headers instanceof Headers ? headers : new Fields(headers).toRecord();
