/**
 * A number of 53 bits for a text: the same in every isolate and release, evenly spread, and no secret (cyrb53).
 * Two texts of one number meet by chance alone, which for names of endpoints never happens.
 */
export function hashOf(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** A number in (0, 1) for two hashes together, evenly spread over either. */
export function mixed(one: number, other: number): number {
  let bits = fold(one) ^ Math.imul(fold(other), 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (((bits ^ (bits >>> 16)) >>> 0) + 0.5) / 4294967296;
}

const fold = (hash: number): number => (hash >>> 0) ^ Math.imul(Math.floor(hash / 4294967296), 0x27d4eb2f);
