import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatTraceState,
  maxStateLength,
  parseTraceState,
} from "../../../mesh-runtime/telemetry/trace-state.ts";

describe("parseTraceState()", () => {
  test.each([
    ["one member", "rojo=00f067aa0ba902b7", 1],
    ["a tenant's member", "fw529a3039@dt=FfzeE", 1],
    ["a tenant that begins with a digit", "0t@v=1", 1],
    ["space around members", "a=1 \t,\t b=2", 2],
    ["empty members", ",a=1,,b=2,", 2],
    ["nothing", "", 0],
    ["a value with spaces inside and before it", "a=  x y", 1],
    ["a key of 256 characters", `${"a".repeat(256)}=1`, 1],
    ["a value of 256 characters", `a=${"x".repeat(256)}`, 1],
    ["32 members", Array.from({ length: 32 }, (_, n) => `k${n}=1`).join(","), 32],
  ])("reads %s", (_, text, count) => {
    expect(parseTraceState(text)).toHaveLength(count);
  });

  test.each([
    ["a key that begins with a digit", "0a=1"],
    ["an upper-case key", "A=1"],
    ["an empty key", "=1"],
    ["an empty value", "a="],
    ["a member without equals sign", "a"],
    ["an equals sign in the value", "a=b=c"],
    ["space before the equals sign", "a =1"],
    ["a tenant of 242 characters", `${"a".repeat(242)}@v=1`],
    ["a system of 15 characters", `t@${"a".repeat(15)}=1`],
    ["two at signs", "t@a@b=1"],
    ["a key of 257 characters", `${"a".repeat(257)}=1`],
    ["a value of 257 characters", `a=${"x".repeat(257)}`],
    ["a control character", "a=\u0001b"],
    ["a character beyond ASCII", "a=é"],
    ["a repeated key", "a=1,b=2,a=3"],
    ["33 members", Array.from({ length: 33 }, (_, n) => `k${n}=1`).join(",")],
    ["one bad member among good ones", "a=1,B=2,c=3"],
    ["more than it is willing to look at", ",".repeat(8_193)],
  ])("does not read %s", (_, text) => {
    expect(parseTraceState(text)).toBeUndefined();
  });
});

describe("formatTraceState()", () => {
  test("writes members in their order", () => {
    expect(
      formatTraceState([
        { key: "b", value: "2" },
        { key: "a", value: "1" },
      ]),
    ).toBe("b=2,a=1");
  });

  test("lets long members go before short ones when it is too long", () => {
    const long = { key: "long", value: "x".repeat(250) };
    const short = { key: "short", value: "y".repeat(100) };
    expect(formatTraceState([long, short])).toContain("long=");
    expect(formatTraceState([long, { ...long, key: "longer" }, short])).toBe(`short=${short.value}`);
  });

  test("lets members go from the end, where the oldest stand", () => {
    const members = Array.from({ length: 10 }, (_, n) => ({ key: `k${n}`, value: "x".repeat(97) }));
    expect(
      formatTraceState(members)
        .split(",")
        .map((part) => part.slice(0, 2)),
    ).toEqual(["k0", "k1", "k2", "k3", "k4"]);
  });

  test("writes what parseTraceState() reads back, never more than the limit", () => {
    const member = fc.record({
      key: fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/),
      value: fc.stringMatching(/^[!-+]{1,140}$/),
    });
    fc.assert(
      fc.property(fc.uniqueArray(member, { maxLength: 32, selector: ({ key }) => key }), (members) => {
        const text = formatTraceState(members);
        expect(text.length).toBeLessThanOrEqual(maxStateLength);
        const kept = parseTraceState(text);
        expect(kept).toEqual(members.filter(({ key }) => kept?.some((each) => each.key === key)));
      }),
      { seed: 5, numRuns: 200 },
    );
  });
});
