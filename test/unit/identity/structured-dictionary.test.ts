import { parseDictionary } from "structured-headers";
import { describe, expect, test } from "vitest";
import { parseSignature, parseSignatureInput } from "../../../mesh-runtime/identity/signature-input.ts";
import { dictionaryMembers } from "../../../mesh-runtime/identity/structured-dictionary.ts";
import { compare, fuzzSignatureInput } from "../../fuzz/signature-input-cases.ts";
import rfc9421 from "../../vectors/rfc9421.json" with { type: "json" };
import { value } from "./fixture.ts";

/**
 * A dictionary, and the keys that it has; undefined: it is none, or one that no signature needs. Of the 1,272 cases of
 * dictionaries and items in httpwg/structured-field-tests (1e280c3) none is taken that must fail; refused are, besides
 * those, dates, display strings and keys that stand twice.
 */
const cases: readonly (readonly [what: string, header: string, keys: string | undefined])[] = [
  // RFC 9651 §3.2, the standard's own examples.
  ["byte sequences", "en=:QXBwbGVwaWU=:, da=:w4ZibGV0w6ZydGU=:", "en,da"],
  ["booleans, one of them bare", "a=?0, b, c; foo=bar", "a,b,c"],
  ["inner lists beside items", "rating=1.5, feelings=(joy sadness)", "rating,feelings"],
  ["a list with parameters within and behind", "a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid", "a,b,c,d"],
  // §4.2.2: whitespace of a dictionary.
  ["no whitespace", "a=1,b=2", "a,b"],
  ["optional whitespace before and after a comma", "a=1 \t,\t b=2", "a,b"],
  ["blanks in front", "  a=1", "a"],
  ["blanks behind", "a=1 \t", "a"],
  ["a blank before the equals sign", "a =1", undefined],
  ["a blank behind the equals sign", "a= 1", undefined],
  ["a comma in front", ",a=1", undefined],
  ["a comma behind", "a=1,", undefined],
  ["two commas", "a=1,,b=2", undefined],
  ["no comma", "a=1 b=2", undefined],
  ["a semicolon for a comma", "a=1;b=2", "a"],
  ["nothing", "", ""],
  // §3.2 lets the last one win; two readers could disagree, so we do not.
  ["one key twice", "a=1,b=2,a=3", undefined],
  // §3.1.2: keys.
  ["a key with all that it may have", "*a_-.*9=1", "*a_-.*9"],
  ["a key in upper case", "A=1", undefined],
  ["a key that begins with a digit", "1a=1", undefined],
  ["a key that begins with an underscore", "_a=1", undefined],
  ["a key in quotes", '"a"=1', undefined],
  ["no key", "=1", undefined],
  ["no value", "a=", undefined],
  // §3.3.1 and §3.3.2: numbers.
  ["the longest integers", "a=999999999999999,b=-999999999999999", "a,b"],
  ["an integer of 16 digits", "a=1000000000000000", undefined],
  ["a plus sign", "a=+1", undefined],
  ["a sign alone", "a=-", undefined],
  ["two signs", "a=--1", undefined],
  ["the longest decimal", "a=999999999999.999", "a"],
  ["a decimal of 13 digits before the point", "a=1000000000000.1", undefined],
  ["a decimal of four places", "a=1.2345", undefined],
  ["a decimal without places", "a=1.", undefined],
  ["a decimal without a whole part", "a=.1", undefined],
  // §3.3.3: strings.
  ["an empty string", 'a=""', "a"],
  ["a string with commas, brackets and semicolons", 'a=",;()="', "a"],
  ["escaped quotes and backslashes", 'a="\\"\\\\"', "a"],
  ["another escape", 'a="\\n"', undefined],
  ["a string that is not closed", 'a="b', undefined],
  ["a string that an escape keeps open", 'a="b\\"', undefined],
  ["a tab in a string", 'a="\t"', undefined],
  ["a line feed in a string", 'a="\n"', undefined],
  ["a NUL in a string", 'a="\0"', undefined],
  ["a delete character in a string", 'a="\x7f"', undefined],
  ["a letter outside ASCII in a string", 'a="\u00e9"', undefined],
  ["single quotes", "a='b'", undefined],
  // §3.3.4: tokens.
  ["a token with all that it may have", "a=*!#$%&'*+-.^_`|~:/09Az", "a"],
  ["a token that begins with a percent sign", "a=%b", undefined],
  // §3.3.5: byte sequences.
  ["no bytes", "a=::", "a"],
  ["bytes without an end", "a=:aGk=", undefined],
  ["bytes in base64url", "a=:_-8=:", undefined],
  ["a blank among the digits", "a=:aG k=:", undefined],
  ["padding in the middle", "a=:a=Gk:", undefined],
  ["too much padding", "a=:aGk==:", undefined],
  ["no padding, which the standard lets a reader take", "a=:aGk:", undefined],
  // §3.3.6: booleans.
  ["a boolean that is none", "a=?2", undefined],
  ["a boolean by its word", "a=?true", undefined],
  // §3.1.1: inner lists.
  ["an empty list", "a=()", "a"],
  ["a list with blanks at its ends", "a=(  b  )", "a"],
  ["blanks between items", 'a=("b"   "c")', "a"],
  ["no blank between items", 'a=("b""c")', undefined],
  ["a tab between items", 'a=("b"\t"c")', undefined],
  ["a comma between items", 'a=("b","c")', undefined],
  ["a list within a list", "a=((b))", undefined],
  ["a list that is not closed", 'a=("b"', undefined],
  ["a list that is closed twice", 'a=("b"))', undefined],
  // §3.1.2: parameters.
  ["blanks before a parameter's name", "a;   b=1", "a"],
  ["a tab before a parameter's name", "a;\tb=1", undefined],
  ["a blank before the semicolon", "a ;b=1", undefined],
  ["a blank before a parameter's equals sign", "a;b =1", undefined],
  ["a parameter in upper case", "a;B", undefined],
  ["a list as a parameter", "a;b=(1)", undefined],
  ["an empty parameter", "a;", undefined],
  // §3.3.7 and §3.3.8: what no signature has.
  ["a date", "a=@1659578233", undefined],
  ["a display string", 'a=%"f%c3%bc"', undefined],
];

describe("dictionaryMembers()", () => {
  test.each(cases)("%s", (_, header, keys) => {
    const members = dictionaryMembers(header);
    expect(members.ok ? members.value.map(({ key }) => key).join() : undefined).toBe(keys);
    if (members.ok) expect([...parseDictionary(header).keys()].join()).toBe(keys);
  });

  test("gives each member's own text", () => {
    expect(
      value(dictionaryMembers('a=1 ,\tsig=("x";sf "y");tag="t";n="1,2", c')).map(({ text }) => text),
    ).toEqual(["a=1", 'sig=("x";sf "y");tag="t";n="1,2"', "c"]);
  });

  test.each([
    ["as a string", 'a=();tag="t"', "t"],
    ["behind a blank", 'a=(); tag="t"', "t"],
    ["as a token", "a=();tag=t", undefined],
    ["as a boolean", "a=();tag", undefined],
    ["with an escape", 'a=();tag="\\"t"', undefined],
    ["of a component", 'a=("x";tag="t")', undefined],
    ["twice, where the last one counts", 'a=();tag="s";tag="t"', "t"],
  ])("knows the tag of a member, %s", (_, header, tag) => {
    expect(value(dictionaryMembers(header)).map((member) => member.tag)).toEqual([tag]);
  });

  test("reads every signature of RFC 9421's appendix as a reader of all structured fields does", () => {
    const taken = { input: 0, signature: 0, digest: 0, dictionary: 0 };
    for (const { signatureInput, signature } of rfc9421.cases) {
      compare(signatureInput, taken);
      compare(signature, taken);
    }
    expect(taken.dictionary).toBe(30);
  });
});

describe("82: the readers of a proof", () => {
  test("take nothing that a reader of all structured fields understands otherwise, and throw at nothing", () => {
    const { inputs, taken } = fuzzSignatureInput({ seed: 9_651, runs: 20_000 });
    expect(inputs).toBe(20_000);
    for (const [reader, count] of Object.entries(taken)) expect(count, reader).toBeGreaterThan(500);
  });

  const parameters =
    'created=1;expires=2;nonce="n";tag="wimse-workload-to-workload";wimse-aud="spiffe://example.org/a"';
  const ours = `wimse=("@method");${parameters}`;
  const bytes = `wimse=:${"A".repeat(86)}==:`;

  test.each([
    ["a second one of that label, which others would take for the one", `${ours}, wimse=("x");tag="other"`],
    ["a bare member of that label", `${ours}, wimse`],
    ["a second one of that tag, behind a blank", `${ours}, b=("@method"); tag="wimse-workload-to-workload"`],
    ["something that is no member at all", `!!!, ${ours}`],
    ["a comma at the end", `${ours},`],
    ["a blank of another kind around it", `\u00a0${ours}\u00a0, a`],
  ])("refuse a proof beside %s", (_, header) => {
    expect(parseSignatureInput(header).ok).toBe(false);
  });

  test.each([
    ["a second one of that label", `${bytes}, wimse=:AAAA:`],
    ["a bare member of that label", `${bytes}, wimse`],
    ["something that is no member at all", `${bytes}, !!!`],
  ])("refuse a signature beside %s", (_, header) => {
    expect(parseSignature(header, "wimse").ok).toBe(false);
  });
});
