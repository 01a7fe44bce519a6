import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { normalPath } from "../../../mesh-runtime/authorization/path-form.ts";

const form = (path: string): string => {
  const result = normalPath(path);
  return result.ok ? result.value : `ambiguous: ${result.reason}`;
};

describe("the one form of a path", () => {
  test.each([
    ["/admin", "/admin"],
    ["/", "/"],
    ["/admin/", "/admin/"],
    ["/%61dmin", "/admin"],
    ["/%41dmin", "/Admin"],
    ["/%7euser", "/~user"],
    ["/user%40example", "/user@example"],
    ["/user@example", "/user@example"],
    ["/a%20b", "/a%20b"],
    ["/a|b", "/a%7Cb"],
    ["/a%7cb", "/a%7Cb"],
    ["/café", "/caf%C3%A9"],
    ["/caf%c3%a9", "/caf%C3%A9"],
    ["/100%25", "/100%25"],
    ["/a%3Fb", "/a%3Fb"],
    ["/a%23b", "/a%23b"],
    ["/...", "/..."],
    ["/a.b/..c", "/a.b/..c"],
    ["/café;v=1", "/caf%C3%A9;v=1"],
    ["/café/", "/caf%C3%A9/"],
  ])("of %s is %s", (path, expected) => {
    expect(form(path)).toBe(expected);
  });

  test.each([
    ["/a%2fb", "an encoded slash"],
    ["/a%2Fb", "an encoded slash"],
    ["/a%5cb", "an encoded backslash"],
    ["/a\\b", "a backslash"],
    ["//admin", "an empty segment"],
    [`/a${"/%20".repeat(256)}`, "more than 256 segments"],
    [`${"/".repeat(32_000)}`, "more than 256 segments"],
    ["/a//b", "an empty segment"],
    ["/a/../admin", "a dot segment"],
    ["/a/./admin", "a dot segment"],
    ["/a/..", "a dot segment"],
    ["/a/%2e%2e/admin", "an encoded dot segment"],
    ["/a/.%2E/admin", "an encoded dot segment"],
    ["/a/%2e", "an encoded dot segment"],
    ["/%2561dmin", "an encoding of an encoding"],
    ["/a%252fb", "an encoding of an encoding"],
    ["/admin%00.png", "a control character"],
    ["/admin%0a", "a control character"],
    ["/admin%7f", "a control character"],
    ["/a%c0%afb", "bytes that are not UTF-8"],
    ["/a%ff", "bytes that are not UTF-8"],
    ["/a%", "a percent sign that encodes nothing"],
    ["/a%6", "a percent sign that encodes nothing"],
    ["/a%zz", "a percent sign that encodes nothing"],
    ["/a%g1", "a percent sign that encodes nothing"],
    // Taken for digits, these would be "A" and a byte of its own.
    ["/a%5!", "a percent sign that encodes nothing"],
    ["/a%.1", "a percent sign that encodes nothing"],
    ["admin", "a path that does not begin with a slash"],
    ["", "a path that does not begin with a slash"],
  ])("does not exist for %s: %s", (path, reason) => {
    expect(form(path)).toBe(`ambiguous: ${reason}`);
  });

  test("is its own form, so that it can be taken twice", () => {
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        const once = normalPath(path);
        if (once.ok) expect(normalPath(once.value)).toEqual(once);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("is decoded where there is something to decode, and nowhere else", () => {
    let made = 0;
    class Counted extends TextEncoder {
      constructor() {
        super();
        made++;
      }
    }
    vi.stubGlobal("TextEncoder", Counted);
    try {
      expect(form(`${"/a".repeat(100)}/%62${"/c".repeat(100)}`)).toBe(
        `${"/a".repeat(100)}/b${"/c".repeat(100)}`,
      );
      expect(made).toBe(1);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("is there for a path of as many segments as anybody needs", () => {
    const path = "/a".repeat(256);
    expect(form(path)).toBe(path);
  });

  test("is the same however many characters of a path are encoded", () => {
    const encoded = (path: string, which: readonly boolean[]) =>
      [...path]
        .map((character, index) =>
          which[index] === true && character !== "/"
            ? `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`
            : character,
        )
        .join("");
    fc.assert(
      fc.property(
        fc.stringMatching(/^(?:\/[a-z0-9]{1,5}){1,3}$/),
        fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
        (path, which) => {
          expect(form(encoded(path, which))).toBe(path);
        },
      ),
      { seed: 2, numRuns: 300 },
    );
  });

  test("is what a URL parser and decodeURIComponent make of a path, wherever they agree", () => {
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        const { pathname } = new URL(`https://a.example${path}`);
        const result = normalPath(pathname);
        if (result.ok) expect(decodeURIComponent(result.value)).toBe(decodeURIComponent(pathname));
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});
