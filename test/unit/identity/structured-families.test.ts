import { parseDictionary } from "structured-headers";
import { describe, expect, test } from "vitest";
import { dictionaryMembers } from "../../../mesh-runtime/identity/structured-dictionary.ts";

/*
 * The families of cases that a suite of structured fields is generated from: every character in every place of the
 * grammar, and everything in every length around its limit. A reader of all of RFC 9651, which passes the standard's
 * own suite, says what is right; ours takes the same, but for what no signature has.
 */

const ours = (header: string): string | undefined => {
  const members = dictionaryMembers(header);
  return members.ok ? members.value.map(({ key }) => key).join() : undefined;
};
const theirs = (header: string): string | undefined => {
  try {
    return [...parseDictionary(header).keys()].join();
  } catch {
    return undefined;
  }
};

/** Where a character may stand: in the place of the underscore. */
const places: readonly (readonly [place: string, header: string])[] = [
  ["before everything", "_a=1"],
  ["in the place of a key", "_=1"],
  ["within a key", "a_b=1"],
  ["at the end of a key", "a_=1"],
  ["behind the equals sign", "a=_x"],
  ["in the place of a value", "a=_"],
  ["within a number", "a=1_1"],
  ["behind a decimal point", "a=1._"],
  ["behind a minus", "a=-_"],
  ["within a string", 'a="x_y"'],
  ["behind a backslash", 'a="x\\_y"'],
  ["behind a string", 'a="x"_'],
  ["within a token", "a=x_y"],
  ["at the end of a token", "a=x_"],
  ["within bytes", "a=:AA_A:"],
  ["at the end of bytes", "a=:AAA_:"],
  ["behind bytes", "a=:AAAA:_"],
  ["in a boolean", "a=?_"],
  ["behind a boolean", "a=?1_"],
  ["in a list", "a=(_)"],
  ["between items of a list", 'a=("x"_"y")'],
  ["behind an item of a list", "a=(x_)"],
  ["behind a list", "a=(x)_"],
  ["before a parameter", "a=1_;b"],
  ["in the place of a parameter's name", "a=1;_"],
  ["within a parameter's name", "a=1;b_c=2"],
  ["in the place of a parameter's value", "a=1;b=_"],
  ["behind a bare key", "a_"],
  ["before a comma", "a=1_,b=2"],
  ["behind a comma", "a=1,_b=2"],
  ["behind everything", "a=1_"],
];

describe("82: dictionaryMembers() and a reader of all structured fields", () => {
  test.each(places)("agree on every character %s", (_, header) => {
    for (let code = 0; code < 0x180; code++) {
      const text = header.replace("_", () => String.fromCharCode(code));
      expect([text, ours(text)]).toEqual([text, theirs(text)]);
    }
  });

  test.each<readonly [string, (length: number) => string]>([
    ["an integer", (length) => `a=${"1".repeat(length)}`],
    ["a negative integer", (length) => `a=-${"1".repeat(length)}`],
    ["an integer of noughts", (length) => `a=${"0".repeat(length)}`],
    ["the whole part of a decimal", (length) => `a=${"1".repeat(length)}.1`],
    ["the places of a decimal", (length) => `a=1.${"1".repeat(length)}`],
    ["a key", (length) => `${"a".repeat(length)}=1`],
    ["a string", (length) => `a="${"x".repeat(length)}"`],
    ["a string of escapes", (length) => `a="${'\\"'.repeat(length)}"`],
    ["a token", (length) => `a=${"x".repeat(length)}`],
    ["whole groups of bytes", (length) => `a=:${"AbC/".repeat(length)}:`],
    ["a list", (length) => `a=(${"x ".repeat(length)})`],
    ["blanks in a list", (length) => `a=(x${" ".repeat(length)}y)`],
    ["parameters", (length) => `a${Array.from({ length }, (_, at) => `;p${at}=1`).join("")}`],
    ["parameters of one name", (length) => `a${";p=1".repeat(length)}`],
    ["members", (length) => Array.from({ length }, (_, at) => `k${at}=1`).join(", ")],
    ["blanks around a comma", (length) => `a=1${" \t".repeat(length)},${" \t".repeat(length)}b=2`],
  ])("agree on %s of any length", (_, of) => {
    for (const length of [...Array(24).keys(), 63, 64, 65, 255, 256, 1_024])
      expect([length, ours(of(length))]).toEqual([length, theirs(of(length))]);
  });

  test.each([
    ["a date", "a=@1659578233", "a"],
    ["a display string", 'a=%"f%c3%bc"', "a"],
    ["bytes without padding", "a=:aGk:", "a"],
    ["one key twice", "a=1,b=2,a=3", "a,b"],
  ])("differ on %s, which no signature needs: we take none", (_, header, keys) => {
    expect([ours(header), theirs(header)]).toEqual([undefined, keys]);
  });
});
