import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { inBlock, parseAddress, parseBlock } from "../../../mesh-runtime/authorization/address.ts";

const bytes = (text: string): string => parseAddress(text)?.join(".") ?? "none";
const zeros = (count: number): string => Array.from({ length: count }, () => "0").join(".");

describe("an address", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", zeros(16)],
    ["::1", `${zeros(15)}.1`],
    ["2001:db8::1", `32.1.13.184.${zeros(11)}.1`],
    ["2001:DB8:0:0:0:0:0:1", `32.1.13.184.${zeros(11)}.1`],
    ["1::", `0.1.${zeros(14)}`],
    ["1:2:3:4:5:6:7::", "0.1.0.2.0.3.0.4.0.5.0.6.0.7.0.0"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
    ["::ff:c000:201", `${zeros(11)}.255.192.0.2.1`],
    ["::ff00:c000:201", `${zeros(10)}.255.0.192.0.2.1`],
    ["1::ffff:c000:201", `0.1.${zeros(8)}.255.255.192.0.2.1`],
    ["0:0:0:0:1:ffff:c000:201", `${zeros(9)}.1.255.255.192.0.2.1`],
    ["64:ff9b::192.0.2.1", `0.100.255.155.${zeros(8)}.192.0.2.1`],
  ])("%s is %s", (text, expected) => {
    expect(bytes(text)).toBe(expected);
  });

  test.each([
    "",
    "192.0.2",
    "192.0.2.1.1",
    "192.0.2.256",
    "192.0.2.01",
    "010.0.0.1",
    "0x7f.0.0.1",
    "2130706433",
    " 192.0.2.1",
    "192.0.2.1 ",
    "192.0.2.1:80",
    "192.0.2.1/32",
    "192.0.2.1, 198.51.100.1",
    "１92.0.2.1",
    ":",
    ":::",
    "1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "1::2::3",
    "12345::",
    "::g",
    "[::1]",
    "fe80::1%eth0",
    "::192.0.2.1:1",
    "192.0.2.1::",
    "::1.2.3",
    "1:2:3:4:5:6:7:192.0.2.1",
    `${"0:".repeat(30)}1`,
  ])("is not %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test("that is longer than any can be is not taken apart", () => {
    const split = vi.spyOn(String.prototype, "split");
    try {
      expect(parseAddress("1:".repeat(23))).toBeUndefined();
      expect(split).not.toHaveBeenCalled();
      expect(parseAddress("0000:0000:0000:0000:0000:0000:255.255.255.255")).toHaveLength(16);
    } finally {
      split.mockRestore();
    }
  });

  test("of IPv6 is read as URL parsers read it", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
        expect(bytes(text)).toBe(bytes(canonical));
        expect(bytes(text)).not.toBe("none");
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });

  test("is never read from what a URL parser does not take for one", () => {
    const nearly = fc
      .array(fc.constantFrom(":", "::", "1", "ffff", "0", ".", "192.0.2.1", "g"), { maxLength: 12 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(nearly, (text) => {
        if (!text.includes(":") || parseAddress(text) === undefined) return;
        expect(URL.canParse(`http://[${text}]`)).toBe(true);
      }),
      { seed: 2, numRuns: 5_000 },
    );
  });
});

describe("a block", () => {
  const holds = (block: string, address: string): boolean => {
    const [parsed, given] = [parseBlock(block), parseAddress(address)];
    if (!parsed.ok || given === undefined) throw new Error(`${block} or ${address} is none`);
    return inBlock(parsed.value, given);
  };

  test.each([
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.128/25", "192.0.2.127", false],
    ["192.0.2.128/25", "192.0.2.128", true],
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.1", "192.0.2.2", false],
    ["0.0.0.0/0", "255.1.2.3", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "192.0.2.1", false],
    ["2001:db8::/33", "2001:db8:7fff::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
    ["::ffff:192.0.2.0/120", "192.0.2.77", true],
    ["192.0.2.0/24", "::ffff:192.0.2.77", true],
  ])("%s has %s: %j", (block, address, expected) => {
    expect(holds(block, address)).toBe(expected);
  });

  test.each([
    ["192.0.2.0/33", "an address or a block"],
    ["192.0.2.0/", "an address or a block"],
    ["192.0.2.0/024", "an address or a block"],
    ["192.0.2.0/-1", "an address or a block"],
    ["192.0.2.0/2/4", "an address or a block"],
    ["192.0.2.0/24/24", "an address or a block"],
    ["192.0.2/24", "an address or a block"],
    ["2001:db8::/129", "an address or a block"],
    ["example.com", "an address or a block"],
    ["192.0.2.1/24", "nothing but zeros after its first 24 bits"],
    ["192.0.2.128/24", "nothing but zeros after its first 24 bits"],
    ["2001:db8::1/64", "nothing but zeros after its first 64 bits"],
    ["::ffff:0:0/64", "nothing but zeros after its first 64 bits"],
    ["::ffff:0:0/95", "nothing but zeros after its first 95 bits"],
    ["::ffff:0.0.0.0/96", ""],
  ])("%j is %s", (text, reason) => {
    const block = parseBlock(text);
    expect(block.ok ? "" : block.reason).toContain(reason);
    expect(block.ok).toBe(reason === "");
  });

  test("has what begins with its bits, and nothing else", () => {
    const number = (text: string): bigint =>
      (parseAddress(text) ?? []).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    const [v4, v6] = [fc.ipV4(), fc.ipV6()].map((one) => fc.tuple(one, one)) as [
      fc.Arbitrary<[string, string]>,
      fc.Arbitrary<[string, string]>,
    ];
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.nat(128), ([first, second], wanted) => {
        const size = (parseAddress(first) ?? []).length * 8;
        if ((parseAddress(second) ?? []).length * 8 !== size) return;
        const bits = BigInt(Math.min(wanted, size));
        const shift = BigInt(size) - bits;
        const start = (number(first) >> shift) << shift;
        const same = number(second) >> shift === number(first) >> shift;
        const address = Array.from({ length: size / 8 }, (_, index) =>
          Number((start >> BigInt(size - 8 - index * 8)) & 255n),
        );
        const given = parseAddress(second);
        expect(given !== undefined && inBlock({ address, bits: Number(bits) }, given)).toBe(same);
      }),
      { seed: 3, numRuns: 2_000 },
    );
  });
});
