import { describe, expect, test } from "vitest";
import { type Age, bornAt, byAgeIn, precedenceWords, timeOf } from "../../../mesh-runtime/policy/age.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { effectiveRules } from "../../../mesh-runtime/policy/effective-rules.ts";
import { documents, route, service } from "./writing.ts";

const ages = (of: Record<string, readonly [at: number, revision: number]>): ReadonlyMap<string, Age> =>
  new Map(
    Object.entries(of).map(([name, [at, revision]]) => [`HTTPRoute/default/${name}`, { at, revision }]),
  );
const rules = (backend: string) => `[{backendRefs: [{name: ${backend}, port: 80}]}]`;
const texts = [
  service("web"),
  service("one"),
  service("two"),
  route("a", "name: web", rules("one")),
  route("b", "name: web", rules("two")),
] as const;
const both = documents(route("a", "name: web", rules("one")), route("b", "name: web", rules("two")));
const [a, b] = both;

/** Whose backend a request to `web` gets. */
const decides = (of: ReadonlyMap<string, Age>): string | undefined =>
  compile(documents(...texts), { ages: of }).get("default/web")?.destinations["default/web"]?.rules?.[0]
    ?.backends[0]?.service;

describe("the age of documents", () => {
  test.each([
    ["the older one, whatever the alphabet says", ages({ a: [2, 2], b: [1, 1] }), "default/two"],
    ["that of the earlier revision, of two that are as old", ages({ a: [1, 2], b: [1, 1] }), "default/two"],
    ["the alphabet's first, of two that are alike in both", ages({ a: [1, 1], b: [1, 1] }), "default/one"],
    ["the one that is known, because the other is the youngest", ages({ b: [1, 1] }), "default/two"],
    ["the alphabet's first, of two that are not known", ages({}), "default/one"],
  ])("decides between equal matches: %s", (_name, of, winner) => {
    expect(decides(of)).toBe(winner);
  });

  test("known to the store counts, and not what the document says", () => {
    const pretender = documents(
      route("a", "name: web", rules("one")).replace(
        "{name: a,",
        '{name: a, creationTimestamp: "2001-01-01T00:00:00Z",',
      ),
    )[0];
    expect(pretender).toBeDefined();
    if (pretender === undefined || b === undefined) return;
    expect(byAgeIn(ages({ a: [2e12, 2], b: [1e12, 1] }))(pretender, b)).toBeGreaterThan(0);
    expect(byAgeIn(new Map())(pretender, b)).toBeLessThan(0);
  });

  test("is told in words that say what decided", () => {
    if (a === undefined || b === undefined) throw new Error("two routes");
    expect(precedenceWords(ages({ a: [1, 1], b: [2, 2] }), a, b)).toBe("is older");
    expect(precedenceWords(ages({ a: [1, 1], b: [1, 2] }), a, b)).toBe("is older");
    expect(precedenceWords(ages({ a: [1, 1], b: [1, 1] }), a, b)).toBe("is as old, and first by name");
    expect(precedenceWords(new Map(), a, b)).toBe("is as old, and first by name");
  });

  test("a document that is new was created now, or earlier if it says so, and never later", () => {
    expect(bornAt(100, undefined)).toBe(100);
    expect(bornAt(100, 40)).toBe(40);
    expect(bornAt(100, 400)).toBe(100);
  });

  test("times are read with seconds and with fractions, and nothing else is a time", () => {
    expect(timeOf("1970-01-01T00:00:01Z")).toBe(1_000);
    expect(timeOf("1970-01-01T00:00:01.250Z")).toBe(1_250);
    for (const text of ["", "now", "1970-01-01", "1970-01-01T00:00:01+01:00", "1970-13-41T00:00:01Z"])
      expect(timeOf(text)).toBeUndefined();
  });
});

describe("rules in order of precedence", () => {
  const of = (known: ReadonlyMap<string, Age>) => {
    const web = compile(documents(...texts), { ages: known }).get("default/web");
    return effectiveRules(web?.destinations["default/web"]?.rules ?? [], known);
  };

  test("say which match never decides, and that the other's route is older", () => {
    const [first, second] = of(ages({ a: [1_000, 2], b: [0, 1] }));
    expect(first).toMatchObject({ rule: "HTTPRoute/default/b/0" });
    expect(first).not.toHaveProperty("behind");
    expect(second).toMatchObject({
      rule: "HTTPRoute/default/a/0",
      behind: {
        rule: "HTTPRoute/default/b/0",
        because: "its route is younger: created 1970-01-01T00:00:01.000Z, the other 1970-01-01T00:00:00.000Z",
      },
    });
  });

  test("say so too where only the revision or the name tells them apart, or nothing is known", () => {
    const because = (known: ReadonlyMap<string, Age>) => of(known)[1]?.behind?.because;
    expect(because(ages({ a: [0, 1], b: [0, 2] }))).toBe(
      "its route is younger: of revision 2, the other of revision 1",
    );
    expect(because(ages({ a: [0, 1], b: [0, 1] }))).toBe("its route is later by name, and as old");
    expect(because(new Map())).toBe("its route is younger, or later by name");
  });
});
