import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { finderOf, forget, keeps, maxKept } from "../../../mesh-runtime/routing/automaton.ts";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import { maxSteps, reads, spend, stepsLeft, withinSteps } from "../../../mesh-runtime/routing/steps.ts";
import type { NamedMatch, Pattern, RouteTable } from "../../../mesh-runtime/routing/words.ts";
import { anyPattern, anyText } from "./any-pattern.ts";
import { asking, exact, expression, match, prefix, request, rule } from "./examples.ts";
import { steps } from "./noted.ts";

beforeEach(forget);

const exceeded = { url: "url", headers: "headers" } as const;

test("what is looked up within its steps is found, and what takes more is not, whatever was found meanwhile", () => {
  const lookUp = (asked: number): string => {
    reads(asked % 2 === 0 ? "url" : "headers");
    spend(asked);
    reads("url");
    return "found";
  };
  expect(withinSteps(lookUp, maxSteps, exceeded)).toBe("found");
  expect(withinSteps(lookUp, maxSteps + 2, exceeded)).toBe("url");
  expect(withinSteps(lookUp, maxSteps + 1, exceeded)).toBe("headers");
  expect(withinSteps(lookUp, 1, exceeded)).toBe("found");
});

test("outside of a look-up nothing is bounded, and neither is it after one that threw", () => {
  const throwing = (): string => {
    spend(maxSteps + 1);
    throw new TypeError("wrong");
  };
  expect(() => withinSteps(throwing, undefined, exceeded)).toThrow("wrong");
  expect([spend(10 * maxSteps), stepsLeft()]).toEqual([true, Number.POSITIVE_INFINITY]);
});

/** What finding takes of the steps of a request. */
const taken = (find: (text: string) => unknown, text: string): number => {
  const look = (asked: string): number => {
    find(asked);
    return maxSteps - stepsLeft();
  };
  return withinSteps(look, text, { url: Number.NaN, headers: Number.NaN });
};

const patternOf = (source: string): Pattern => {
  const path = expression(source);
  if (path.type !== "RegularExpression") throw new Error(source);
  return path.pattern;
};

test("a text takes the same steps whatever was learned before, is forgotten or finds no room", () => {
  const sources = fc.array(
    fc.tuple(fc.constantFrom("", "/", ".*", "(a|b)*", "(?i)k"), anyPattern).map((parts) => parts.join("")),
    { minLength: 1, maxLength: 6 },
  );
  const without = (text: string) => text.normalize();
  let most = 0;
  fc.assert(
    fc.property(sources, fc.array(anyText, { minLength: 2, maxLength: 5 }), (written, texts) => {
      const find = finderOf(
        written.flatMap((source) => {
          try {
            return [patternOf(source)];
          } catch {
            // An expression that is refused is in no table.
            return [];
          }
        }),
      );
      for (const text of texts.map(without)) {
        forget();
        const cold = taken(find, text);
        const warm = taken(find, text);
        keeps(maxKept + 1);
        const full = taken(find, text);
        expect([warm, full], text).toEqual([cold, cold]);
        most = Math.max(most, cold);
      }
    }),
    { seed: 22, numRuns: 150 },
  );
  expect(most).toBeGreaterThan(100);
});

test("no fewer steps are counted than places are come to, but for what making an automaton takes", () => {
  const hostile = [
    "[ab]*a[ab]{300}",
    "(a?){200}[ab]*a[ab]{90}",
    "(()*()*()*[ab]x?)*",
    "(\\b|\\B|[ab])*[ab]*",
  ];
  for (const source of hostile) {
    const [text = ""] = fc.sample(
      fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1_000, maxLength: 1_000 }),
      { seed: 7, numRuns: 1 },
    );
    const find = finderOf([patternOf(source)]);
    find("");
    keeps(maxKept + 1);
    const counted = taken(find, text);
    expect(
      steps(() => taken(find, text)),
      source,
    ).toBeLessThanOrEqual(counted + 4_000);
  }
});

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/** A thousand expressions that begin with nothing and have nothing in common. */
const unrelated = Array.from({ length: 1_000 }, (_, n) => {
  const [first, second, third] = [n, Math.floor(n / 26), n * 7].map((at) => letters[at % 26]);
  return `.*${first}.*${second}.{${(n % 9) + 1}}${third}`;
});
const [random = ""] = fc.sample(
  fc.string({ unit: fc.constantFrom(...letters), minLength: 8_192, maxLength: 8_192 }),
  { seed: 22, numRuns: 1 },
);

describe("a request whose texts take more steps than are allowed", () => {
  const table = routeTable([
    rule("exact", [match(exact("/exact"))]),
    ...unrelated.map((source, n) => rule(`rule ${n}`, [match(expression(source))])),
    rule("everything", [match(prefix("/"))]),
  ]);
  const found = (of: RouteTable, path: string, headers: Readonly<Record<string, string>> = {}) => {
    const matched = of.find(request(path, { headers }));
    return matched?.undecided ?? matched?.rule.name;
  };

  test("falls under no rule, and what stands in its place has no backend that could answer", () => {
    const matched = table.find(request(`/${random}`));
    expect(matched?.undecided).toBe("url");
    expect(matched?.rule.filters).toEqual([]);
    expect(matched?.rule.backends.map(({ unusable }) => typeof unusable)).toEqual(["string"]);
  });

  test("costs no more than those steps, and what making the automaton takes", () => {
    const asked = request(`/${random}`);
    table.find(request("/a"));
    expect(steps(() => table.find(asked))).toBeLessThan(2.5 * maxSteps);
    expect(steps(() => table.find(asked))).toBeLessThan(1.5 * maxSteps);
  });

  test("does so every time, and shorter ones and others are decided as ever", () => {
    for (let time = 0; time < 4; time++) expect(found(table, `/${random}`)).toBe("url");
    expect(found(table, "/exact")).toBe("exact");
    expect(found(table, "/a")).toBe("everything");
    expect(found(table, `/${"a".repeat(8_192)}`)).toBe("everything");
    forget();
    for (let time = 0; time < 4; time++) expect(found(table, `/${random}`)).toBe("url");
  });

  test("is told apart by what of it is too long", () => {
    const by = (name: string): readonly NamedMatch[] => [asking(name, "[AB]*A[AB]{900}")];
    const long = random.replace(/[C-Z]/g, "A");
    const headers = routeTable([
      rule("header", [match(prefix("/"), { headers: by("x") })]),
      rule("any", [match(prefix("/"))]),
    ]);
    expect(found(headers, "/", { x: long })).toBe("headers");
    expect(found(headers, "/", { y: long })).toBe("any");
    const parameters = routeTable([
      rule("parameter", [match(prefix("/"), { query: by("x") })]),
      rule("any", [match(prefix("/"))]),
    ]);
    expect(found(parameters, `/?x=${long}`)).toBe("url");
    expect(found(parameters, `/?y=${long}`)).toBe("any");
    const many = routeTable(
      Array.from({ length: 20 }, (_, n) =>
        rule(`${n}`, [match(prefix("/"), { headers: [...by("x"), { name: "n", value: `${n % 4}` }] })]),
      ),
    );
    expect(found(many, "/", { x: long, n: "1" })).toBe("headers");
  });

  test("has its steps for itself: many texts that are short enough each are too much together", () => {
    const names = Array.from({ length: 40 }, (_, n) => `x-${n}`);
    const long = random.replace(/[C-Z]/g, "A").slice(0, 400);
    const each = routeTable(
      names.map((name) => rule(name, [match(prefix("/"), { headers: [asking(name, "[AB]*A[AB]{900}")] })])),
    );
    expect(found(each, "/", { "x-3": long })).toBeUndefined();
    expect(found(each, "/", Object.fromEntries(names.map((name) => [name, long])))).toBe("headers");
    expect(found(each, "/", { "x-3": long })).toBeUndefined();
  });
});
