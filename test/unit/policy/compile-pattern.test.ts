import { expect, test } from "vitest";
import { compilePattern, maxInstructions } from "../../../mesh-runtime/policy/compile-pattern.ts";

const refused = (source: string): string => {
  const pattern = compilePattern(source);
  return pattern.ok ? "let through" : pattern.reason;
};

test.each([
  ["(?=a)b", "no look-ahead and look-behind"],
  ["a(?!b)", "no look-ahead and look-behind"],
  ["(?<=a)b", "no look-ahead and look-behind"],
  ["(?<!a)b", "no look-ahead and look-behind"],
  ["(a)\\1", "no back-references"],
  ["(?P<n>a)\\k<n>", "no back-references"],
  ["(?>a)", "no atomic groups"],
  ["a++", "possessive repetitions"],
  ["a**", "invalid nested repetition"],
  ["(a", "missing closing )"],
  ["[a", "missing closing ]"],
  ["a)", "unexpected )"],
  ["[z-a]", "invalid character class range"],
  ["\\Z", "invalid escape sequence"],
  ["\\C", "invalid escape sequence"],
  ["\\p{Klingon}", "invalid character class range"],
  ["*a", "missing argument to repetition operator"],
  ["a\\", "trailing backslash"],
  ["(?x)a", "invalid or unsupported Perl syntax"],
  ["a{1001}", "too large"],
  ["a{1,501}", "too large"],
  ["(a{100}){100}", "too large"],
  ["(((((a{10}){10}){10}){10}){10}){10}", "too large"],
  [`(${"a".repeat(1_000)}){1000}`, "too large"],
  [`(?:\\Q\\x[\\E(?:${"a".repeat(100)}){1000}]){2}`, "too large"],
  [`(${"\\pL".repeat(300)}){100}`, "too large"],
  ["a".repeat(20) + "b?".repeat(600), "too large"],
  ["[\\pL\\x{0}][\\pL\\x{1}][\\pL\\x{2}][\\pL\\x{3}][\\pL\\x{4}][\\pL\\x{5}][\\pL\\x{6}]", "classes"],
])("%s is refused, and said why and what to do", (source, reason) => {
  expect(refused(source)).toContain(reason);
  expect(refused(source)).toMatch(/; (?:write|leave|repeat|name) /);
});

test.each([
  "[a-z]{0,499}",
  "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
  "([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.){1,3}[a-z]{2,63}",
  "/".padEnd(1_024, "a"),
  "(".repeat(400) + ")".repeat(400),
  "{",
  "a{,2}",
  "a{2",
])("%s is let through", (source) => {
  expect(refused(source)).toBe("let through");
});

test("the literal beginning is told apart, so that a table can file the expression by it", () => {
  const prefixOf = (source: string): string => {
    const pattern = compilePattern(source);
    return pattern.ok ? pattern.value.prefix : pattern.reason;
  };
  expect(prefixOf("/team/a-[0-9]+/x")).toBe("/team/a-");
  expect(prefixOf("^(/team)/(?:a|b)")).toBe("/team/");
  expect(prefixOf("/a(?i)b")).toBe("/a");
  expect(prefixOf("/ab*")).toBe("/a");
  expect(prefixOf(".*/x")).toBe("");
  expect(prefixOf("(?:/a|/b)")).toBe("/");
  expect(prefixOf("")).toBe("");
});

test("a program is small: what the beginning says is not in it, and each class is there once", () => {
  expect(compilePattern("/api/[0-9]+-[0-9]")).toEqual({
    ok: true,
    value: {
      prefix: "/api/",
      program: "[[0,1,0,-2,0,2,-61,3,0,0,4,0,-1,0,0],[48,58]]",
    },
  });
  expect(maxInstructions).toBe(1_000);
});
