import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { type TokenPlace, tokenRules } from "../../../mesh-runtime/identity/end-user.ts";
import { tokensIn, withoutToken } from "../../../mesh-runtime/identity/token-places.ts";
import { tokenRule } from "./users.ts";

const bearer: TokenPlace = { type: "header", name: "authorization", prefix: "Bearer " };
const parameter: TokenPlace = { type: "query", name: "access_token" };
const cookie: TokenPlace = { type: "cookie", name: "session" };

const asked = (headers: Readonly<Record<string, string>>, url = "https://shop.example/") => {
  const all = new Headers(headers);
  return { url, header: (name: string) => all.get(name) };
};
const texts = (places: readonly TokenPlace[], ...where: Parameters<typeof asked>): readonly string[] =>
  tokensIn(tokenRules([tokenRule({ places })]), asked(...where)).map(({ text }) => text);

describe("tokensIn() finds in a header", () => {
  test.each([
    ["Bearer a.b.c", ["a.b.c"]],
    ["bearer a.b.c", ["a.b.c"]],
    ["bEaReR\ta.b.c", ["a.b.c"]],
    ["Bearer    a.b.c", ["a.b.c"]],
    ["Bearer\u00a0a.b.c", ["a.b.c"]],
    ["Bearer", [""]],
    ["Bearer a.b.c, Bearer d.e.f", ["a.b.c, Bearer d.e.f"]],
    ["Basic abc, bearer d.e.f", ["Basic abc, bearer d.e.f"]],
    ["Basic abc", []],
    ["Bearerish abc", []],
    ["Digest username=bearer, realm=x", []],
    ["", []],
  ])("%j what an application could take for a token: %j", (authorization, found) => {
    expect(texts([bearer], { authorization })).toEqual(found);
  });

  test("without a prefix whatever stands there", () => {
    const place: TokenPlace = { type: "header", name: "x-token", prefix: "" };
    expect(texts([place], { "x-token": "a.b.c" })).toEqual(["a.b.c"]);
    expect(texts([place], { "x-token": "" })).toEqual([]);
    expect(texts([place], {})).toEqual([]);
  });

  test("one token, by the longest prefix that fits", () => {
    const places: TokenPlace[] = [
      { type: "header", name: "x-token", prefix: "" },
      { type: "header", name: "x-token", prefix: "JWT=" },
    ];
    expect(texts(places, { "x-token": "jwt=a.b.c" })).toEqual(["a.b.c"]);
    expect(texts(places, { "x-token": "a.b.c" })).toEqual(["a.b.c"]);
  });
});

test("a query is read in one go, however many parameters an outsider writes", () => {
  let made = 0;
  class Counted extends URLSearchParams {
    constructor(init?: ConstructorParameters<typeof URLSearchParams>[0]) {
      super(init);
      made++;
    }
  }
  vi.stubGlobal("URLSearchParams", Counted);
  try {
    const url = `https://shop.example/?${"a&".repeat(8_000)}access_token=a.b.c${"&b=1".repeat(8_000)}`;
    expect(texts([parameter], {}, url)).toEqual(["a.b.c"]);
    const without = withoutToken(parameter, asked({}, url));
    expect(without).toEqual({ url: url.replace("access_token=a.b.c&", "") });
    expect(made).toBe(1);
  } finally {
    vi.unstubAllGlobals();
  }
});

describe("tokensIn() finds in cookies", () => {
  test.each([
    ["session=a.b.c", ["a.b.c"]],
    ["x=1; session=a.b.c; y=2", ["a.b.c"]],
    ['session="a.b.c"', ["a.b.c"]],
    ["session=a; session=b", ["a", "b"]],
    ["session=,a.b.c", [",a.b.c"]],
    ["x=1; session= , x=a.b.c; y=2", [", x=a.b.c"]],
    ["session=,a.b.c, session=d.e.f", [",a.b.c, session=d.e.f", "d.e.f"]],
    ["session=a.b.c, x=1", ["a.b.c"]],
    ["x=1, session=a.b.c", ["a.b.c"]],
    ["session=", []],
    ["Session=a", []],
    ["my-session=a", []],
    ["session", []],
    ["x=session=a", []],
  ])("%j: %j", (header, found) => {
    expect(texts([cookie], { cookie: header })).toEqual(found);
  });
});

describe("tokensIn() finds in the query", () => {
  test.each([
    ["?access_token=a.b.c", ["a.b.c"]],
    ["?x=1&access_token=a.b.c", ["a.b.c"]],
    ["?access%5Ftoken=a.b.c", ["a.b.c"]],
    ["?access_token=a&access_token=b", ["a", "b"]],
    ["?access_token=a%2Eb%2Ec", ["a.b.c"]],
    ["?access_token=", []],
    ["?access_token", []],
    ["?x=access_token=a", []],
    ["?Access_token=a", []],
    ["", []],
    ["a&access_token=a.b.c", []],
  ])("%j: %j", (query, found) => {
    expect(texts([parameter], {}, `https://shop.example/${query}`)).toEqual(found);
  });
});

test("every place is looked at, and each has the rules that name it", () => {
  const own = tokenRule({ name: "own", places: [cookie] });
  const all = tokenRule({ name: "all", places: [bearer, cookie, parameter] });
  const found = tokensIn(
    tokenRules([own, all]),
    asked({ authorization: "Bearer a", cookie: "session=b" }, "https://shop.example/?access_token=c"),
  );
  expect(found.map(({ text, rules }) => [text, rules.map(({ name }) => name)])).toEqual([
    ["a", ["all"]],
    ["b", ["own", "all"]],
    ["c", ["all"]],
  ]);
});

describe("withoutToken()", () => {
  test.each([
    ["session=t", null],
    ["a=1; session=t; b=2", "a=1; b=2"],
    ["session=t; b=2", "b=2"],
    ["a=1; session=t", "a=1"],
    ["a=1;session=t;b=2", "a=1;b=2"],
    ["a=1, session=t", "a=1"],
    ["my-session=1; session=t", "my-session=1"],
  ])("takes one cookie out of %j, and leaves the others as they are", (header, left) => {
    expect(withoutToken(cookie, asked({ cookie: header }))).toEqual({ header: "cookie", value: left });
  });

  test.each([
    ["/?access_token=t", "/"],
    ["/a?x=%41&access_token=t&y=+", "/a?x=%41&y=+"],
    ["/?access%5Ftoken=t&x", "/?x"],
  ])("takes one parameter out of %j, and leaves the rest as it was written", (path, left) => {
    expect(withoutToken(parameter, asked({}, `https://shop.example${path}`))).toEqual({
      url: `https://shop.example${left}`,
    });
  });

  test("takes out what tokensIn() finds, whatever else is there", () => {
    const words = fc.constantFrom(
      "session=t",
      " session=t",
      "a=1",
      " b=2",
      "session",
      "=",
      "session =t",
      "c=session=1",
    );
    const cut = fc.constantFrom(";", ",");
    fc.assert(
      fc.property(fc.array(fc.tuple(cut, words), { maxLength: 6 }), (parts) => {
        const header = parts.map(([mark, word], at) => (at === 0 ? word : mark + word)).join("");
        const left = withoutToken(cookie, asked({ cookie: header }));
        const kept = "value" in left ? (left.value ?? "") : "";
        expect(texts([cookie], { cookie: kept })).toEqual([]);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});
