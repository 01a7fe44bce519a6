import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatBaggage, maxBaggageLength, parseBaggage } from "../../../mesh-runtime/telemetry/baggage.ts";

describe("parseBaggage()", () => {
  test("reads the standard's examples", () => {
    expect(
      parseBaggage("key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue"),
    ).toEqual([
      { key: "key1", value: "value1", properties: ["property1", "property2"] },
      { key: "key2", value: "value2", properties: [] },
      { key: "key3", value: "value3", properties: ["propertyKey=propertyValue"] },
    ]);
  });

  test.each([
    ["percent-encoding as it stands", "userId=Am%C3%A9lie"],
    ["an equals sign inside a value", "a=b=c"],
    ["an empty value", "a="],
    ["exactly the limit", `a=${"x".repeat(maxBaggageLength - 2)}`],
  ])("reads %s", (_, text) => {
    expect(parseBaggage(text)).toHaveLength(1);
  });

  test.each([
    ["nothing", ""],
    ["a member without a value", "a"],
    ["an empty member", "a=1,,b=2"],
    ["an empty key", "=1"],
    ["space inside a key", "a b=1"],
    ["space inside a value", "a=b c"],
    ["a quote", 'a="b"'],
    ["a backslash", "a=b\\c"],
    ["a character beyond ASCII", "a=é"],
    ["an empty property", "a=1;"],
    ["a property whose key is no token", "a=1;(=2"],
    ["one bad member among good ones", "a=1,b c=2"],
    ["more than the limit", `a=${"x".repeat(maxBaggageLength - 1)}`],
    ["181 members", Array.from({ length: 181 }, (_, n) => `k${n}=1`).join(",")],
  ])("does not read %s", (_, text) => {
    expect(parseBaggage(text)).toBeUndefined();
  });
});

describe("formatBaggage()", () => {
  test("writes what parseBaggage() reads back", () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,10}$/);
    const member = fc.record({
      key: name,
      value: fc.stringMatching(/^[!#-+./0-9:<-[\]-~-]{0,20}$/),
      properties: fc.array(name, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 20 }), (members) => {
        expect(parseBaggage(formatBaggage(members))).toEqual(members);
      }),
      { seed: 6, numRuns: 200 },
    );
  });

  test("leaves whole members out from the end when they do not fit", () => {
    const member = (key: string) => ({ key, value: "x".repeat(4_000), properties: [] });
    const text = formatBaggage([member("a"), member("b"), member("c")]);
    expect(parseBaggage(text)?.map(({ key }) => key)).toEqual(["a", "b"]);
  });
});
