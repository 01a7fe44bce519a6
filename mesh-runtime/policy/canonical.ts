/** Texts of objects that are part of several values, so that each is written once. */
export type CanonicalMemo = WeakMap<object, string>;

/**
 * JSON in which equal values have equal bytes: members in order of their names (by UTF-16 code units, as
 * RFC 8785 §3.2.3), no white space. Members that are `undefined` are left out, as `JSON.stringify` does.
 *
 * @param memo keeps the texts of objects that it already has an entry for; entries are made by {@link remember}
 * @throws TypeError for what JSON cannot say: such a value must never get a digest
 */
export function canonicalJson(value: unknown, memo?: CanonicalMemo): string {
  switch (typeof value) {
    case "string":
    case "boolean":
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw new TypeError("Cannot write a number that is not finite as JSON");
      return JSON.stringify(value);
    case "object": {
      if (value === null) return "null";
      const known = memo?.get(value);
      if (known !== undefined) return known;
      if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, memo)).join(",")}]`;
      return `{${members(value, memo).join(",")}}`;
    }
    default:
      throw new TypeError(`Cannot write a value of type ${typeof value} as JSON`);
  }
}

/** Writes an object once, so that every later {@link canonicalJson} with this memo reuses its text. */
export function remember(memo: CanonicalMemo, value: object): void {
  if (!memo.has(value)) memo.set(value, canonicalJson(value, memo));
}

function members(value: object, memo: CanonicalMemo | undefined): readonly string[] {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => byCodeUnits(a, b))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member, memo)}`);
}

/** Order by UTF-16 code units: the same on every machine, unlike `localeCompare`. */
export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** SHA-256 of a text's UTF-8 bytes, lower-case hex. */
export async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
