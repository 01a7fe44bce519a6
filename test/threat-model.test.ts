import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/** The page whose claims are held against the tests that it names. */
const page = new URL("../docs/threat-model.md", import.meta.url);
const text = readFileSync(page, "utf8");

/** Every link to a test file: which one, and the test's name, which is the link's title. */
const shown = [...text.matchAll(/\]\((\.\.\/test\/[^)\s]+?)(?: "([^"]*)")?\)/g)].map(
  ([, path = "", name = ""]) => ({ path, name }),
);
const tests = shown.filter(({ path }) => path !== "../test/threat-model.test.ts");

const sources = new Map<string, string>();
function sourceOf(path: string): string {
  const known = sources.get(path) ?? readFileSync(new URL(path, page), "utf8");
  sources.set(path, known);
  return known;
}

/** Whether a file has this as the name of a test or of a row of its tables: a whole literal, and not a part of one. */
const holds = (source: string, name: string): boolean =>
  [`"${name}"`, `\`${name}\``, `'${name}'`].some((literal) => source.includes(literal));

/** The rows of all tables that begin with a heading, each cell by itself. */
const rowsOf = (heading: string): readonly (readonly string[])[] =>
  [...text.matchAll(new RegExp(`^\\| ${heading} \\|.*\\n\\|[-|]+\\|\\n((?:\\|.*\\n)+)`, "gm"))].flatMap(
    ([, rows = ""]) =>
      rows
        .trimEnd()
        .split("\n")
        .map((row) =>
          row
            .slice(1, -1)
            .split(" | ")
            .map((cell) => cell.trim()),
        ),
  );

describe("the threat model", () => {
  test("names tests that exist, each by its file and its name", () => {
    const missing = tests.filter(
      ({ path, name }) => name === "" || !existsSync(new URL(path, page)) || !holds(sourceOf(path), name),
    );
    expect(missing).toEqual([]);
    expect(tests.length).toBeGreaterThan(80);
  });

  test("claims of no attacker that he cannot do what no test tries", () => {
    const rows = rowsOf("cannot");
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter(([, by = ""]) => !/\]\(\.\.\/test\/[^)]+ "[^"]+"\)/.test(by))).toEqual([]);
  });

  test("says of everything that an attacker can do what bounds it and what to do", () => {
    const rows = [...rowsOf("can"), ...rowsOf("with").map(([, ...rest]) => rest)];
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) {
      expect(row).toHaveLength(3);
      expect(row).not.toContain("");
    }
  });

  test("leads nowhere that is not there", () => {
    const links = [...text.matchAll(/\]\(([^)\s]+?)(?: "[^"]*")?\)/g)].map(([, target = ""]) => target);
    const anchorsOf = (url: URL): ReadonlySet<string> =>
      new Set(
        [...readFileSync(url, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, head = ""]) =>
          head
            .toLowerCase()
            .replace(/[^\p{L}\p{N}\s_-]/gu, "")
            .replaceAll(" ", "-"),
        ),
      );
    const dead = links.filter((target) => {
      const url = new URL(target, page);
      const file = new URL(url.pathname, page);
      if (!existsSync(file)) return true;
      return url.hash !== "" && !anchorsOf(file).has(decodeURIComponent(url.hash.slice(1)));
    });
    expect(dead).toEqual([]);
  });

  test("is found from where people look for it", () => {
    for (const from of ["README.md", "SECURITY.md", "docs/architecture.md"])
      expect(readFileSync(new URL(`../${from}`, import.meta.url), "utf8")).toContain("threat-model.md");
  });
});
