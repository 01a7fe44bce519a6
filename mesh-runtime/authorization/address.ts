import { no, ok, type Result } from "../foundation/result.ts";

/** An IP address: 4 bytes, or 16. */
export type Address = readonly number[];

/** Addresses that begin with the same bits. */
export interface Block {
  readonly address: Address;
  readonly bits: number;
}

/** The longest text of an address, RFC 4291 §2.2 with an IPv4 address at its end. */
const maxText = 45;
const octet = /^(?:0|[1-9][0-9]{0,2})$/;
const group = /^[0-9A-Fa-f]{1,4}$/;

/**
 * Reads an IP address, strictly: four decimal numbers without leading zeros (`010.0.0.1` is octal to some
 * readers), or RFC 4291 §2.2 without zone, brackets and port. An IPv4-mapped IPv6 address is the IPv4
 * address, so that no caller passes a rule by the way in which it is written.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > maxText) return undefined;
  if (!text.includes(":")) return ipv4(text);
  const bytes = ipv6(text);
  return bytes !== undefined && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/**
 * Reads a block of addresses, `192.0.2.0/24` or `2001:db8::/32`; an address alone is the block of itself.
 * Bits beyond the prefix must be zero: whoever wrote `10.1.2.3/8` may have meant either half.
 *
 * @returns the block, or a phrase that completes "must be …"
 */
export function parseBlock(text: string): Result<Block, string> {
  const example = 'an address or a block such as "192.0.2.0/24" or "2001:db8::/32"';
  const [written = "", length, ...more] = text.split("/");
  if (more.length > 0) return no(example);
  const address = written.includes(":") ? ipv6(written) : ipv4(written);
  if (address === undefined) return no(example);
  const most = address.length * 8;
  if (length !== undefined && (!octet.test(length) || Number(length) > most)) return no(example);
  const bits = length === undefined ? most : Number(length);
  if (!address.every((byte, index) => (byte & (0xff >> kept(bits, index))) === 0))
    return no(`${example}, with nothing but zeros after its first ${bits} bits`);
  if (!isMapped(address)) return ok({ address, bits });
  // With less than 96 bits there would be other than zeros after them.
  return ok({ address: address.slice(12), bits: bits - 96 });
}

/** Whether an address is in a block. IPv4 and IPv6 have nothing in common. */
export function inBlock({ address: first, bits }: Block, address: Address): boolean {
  if (address.length !== first.length) return false;
  return first.every((byte, index) => {
    const rest = 8 - kept(bits, index);
    return byte >> rest === (address[index] ?? 0) >> rest;
  });
}

/** How many bits of the byte at an index a prefix covers. */
const kept = (bits: number, index: number): number => Math.min(8, Math.max(0, bits - index * 8));

/** RFC 4291 §2.5.5.2: `::ffff:192.0.2.1`. */
const isMapped = (bytes: Address): boolean =>
  bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;

function ipv4(text: string): Address | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => octet.test(part) && Number(part) < 256)) return undefined;
  return parts.map(Number);
}

function ipv6(text: string): Address | undefined {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return undefined;
  const before = groups(head, tail === undefined);
  const after = tail === undefined ? [] : groups(tail, true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  // "::" stands for one group of zeros or more; without it none may be missing.
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

/** Bytes of groups with colons between them; the last may be an IPv4 address where the text ends with it. */
function groups(text: string, last: boolean): Address | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes(".")) {
      const four = ipv4(part);
      if (four === undefined) return undefined;
      bytes.push(...four);
    } else if (group.test(part)) {
      const value = Number.parseInt(part, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return bytes;
}
