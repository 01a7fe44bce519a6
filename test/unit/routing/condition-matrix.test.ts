import { expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { candidateOf } from "../../../mesh-runtime/routing/candidate.ts";
import { choose, type Pile, pileOf } from "../../../mesh-runtime/routing/candidates.ts";
import { inPrecedence } from "../../../mesh-runtime/routing/precedence.ts";
import type { RoutedRequest } from "../../../mesh-runtime/routing/route-match.ts";
import type { NamedMatch, RouteMatch } from "../../../mesh-runtime/routing/words.ts";
import { asking, match, named, prefix, request, rule } from "./examples.ts";

const piled = (count: number, conditions: (n: number) => Partial<RouteMatch>): Pile =>
  pileOf(
    inPrecedence(
      Array.from({ length: count }, (_, n) => rule(`rule ${n}`, [match(prefix("/"), conditions(n))])),
    ).map(candidateOf),
  );

/** A request that tells what it was asked for. */
function counted(headers: Readonly<Record<string, string>>, path = "/"): RoutedRequest & { asked: string[] } {
  const fields = new Fields(new Headers(headers));
  const asked: string[] = [];
  const get = (name: string) => {
    asked.push(name);
    return fields.get(name);
  };
  const keys = () => fields.keys();
  return {
    ...request(path),
    headers: { get, keys, [Symbol.iterator]: () => fields[Symbol.iterator]() },
    asked,
  };
}

const chosen = (pile: Pile, asked: RoutedRequest) => choose(pile, asked)?.matched.rule.name;
const digits = (n: number): readonly number[] => [Math.floor(n / 100), Math.floor(n / 10) % 10, n % 10];
const byDigits = (n: number): Readonly<Record<string, string>> =>
  Object.fromEntries(digits(n).map((digit, at) => [`part-${at}`, `${digit}`]));

test("a thousand candidates that only three headers together tell apart cost three questions and no comparison", () => {
  const pile = piled(1_000, (n) => ({ headers: named(byDigits(n)) }));
  expect(pile.arranged?.asking).toEqual([]);
  expect(pile.arranged?.crowd?.candidates.every(({ open }) => open.headers.length === 0)).toBe(true);
  for (const n of [0, 7, 31, 32, 417, 999]) {
    const asked = counted(byDigits(n));
    expect(chosen(pile, asked)).toBe(`rule ${n}`);
    expect(asked.asked.toSorted()).toEqual(["part-0", "part-1", "part-2"]);
  }
  expect(chosen(pile, counted({ ...byDigits(5), "part-1": "x" }))).toBeUndefined();
  expect(chosen(pile, counted({ "part-0": "0", "part-1": "0" }))).toBeUndefined();
});

test("headers, parameters, expressions and methods are compared together", () => {
  const methods = ["GET", "PUT"];
  const pile = piled(500, (n) => ({
    method: methods[n % 2] ?? "",
    headers: [...named({ region: `${digits(n)[0]}` }), asking("tenant", `[a-z]+-${digits(n)[1]}(-.*)?`)],
    query: named({ page: `${digits(n)[2]}` }),
  }));
  const crowd = pile.arranged?.crowd;
  expect(crowd?.names.map(({ by, name }) => `${by} ${name}`).toSorted()).toEqual([
    "headers region",
    "headers tenant",
    "query page",
  ]);
  const from = (method: string, tenant: string, page: string, region = "3") =>
    chosen(pile, request(`/?page=${page}&page=9`, { method, headers: { region, tenant } }));
  expect(from("PUT", "shop-7", "5")).toBe("rule 375");
  expect(from("PUT", "shop-7-blue", "5")).toBe("rule 375");
  expect(from("GET", "shop-7", "5")).toBeUndefined();
  expect(from("PUT", "shop", "5")).toBeUndefined();
  expect(from("GET", "shop-7", "4", "8")).toBeUndefined();
});

test("who does not ask for a name holds for all of its values and without one", () => {
  const pairs = [
    ["a", "b"],
    ["b", "c"],
    ["a", "c"],
  ];
  const pile = piled(300, (n) => ({
    headers: (pairs[n % 3] ?? []).map((name, at): NamedMatch => ({ name, value: `${digits(n)[at + 1]}` })),
  }));
  expect(pile.arranged?.crowd?.candidates.length).toBe(300);
  expect(chosen(pile, counted({ a: "0", b: "6" }))).toBe("rule 6");
  expect(chosen(pile, counted({ a: "0", b: "6", c: "x" }))).toBe("rule 6");
  expect(chosen(pile, counted({ b: "1", c: "0" }))).toBe("rule 10");
  expect(chosen(pile, counted({ a: "x", b: "x", c: "x" }))).toBeUndefined();
});

const ofMany = (n: number): readonly NamedMatch[] => [
  { name: `row-${n % 32}`, value: "on" },
  { name: `column-${n >> 5}`, value: "on" },
];

test("with many names what a request carries is gone through once, and all values of a candidate must be there", () => {
  const pile = piled(1_024, (n) => ({ headers: ofMany(n) }));
  const asked = counted({ accept: "*/*", "row-13": "on", "column-22": "on", "column-3": "off" });
  expect(chosen(pile, asked)).toBe(`rule ${22 * 32 + 13}`);
  expect(asked.asked).toEqual([]);
  expect(chosen(pile, counted({ "row-13": "on" }))).toBeUndefined();
  expect(chosen(pile, counted({ accept: "*/*" }))).toBeUndefined();
  const crowd = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`other-${n}`, "on"]));
  const crowded = counted({ ...crowd, "row-0": "on", "column-0": "on" });
  expect(chosen(pile, crowded)).toBe("rule 0");
  expect(crowded.asked.length).toBeLessThanOrEqual(2 * 64);
});

test("with many names a parameter that comes several times counts once, by its first value", () => {
  const pile = piled(1_024, (n) => ({ query: ofMany(n) }));
  const of = (query: string) => chosen(pile, request(`/?${query}`));
  expect(of("row-1=on&row-1=on")).toBeUndefined();
  expect(of("row-1=on&row-1=off&column-1=on")).toBe("rule 33");
  expect(of("row-1=off&row-1=on&column-1=on")).toBeUndefined();
});

test("with many names expressions count as values do", () => {
  const pile = piled(1_024, (n) => ({
    headers: [asking(`row-${n % 32}`, "[a-z]+"), asking(`row-${(n + 1 + (n >> 5)) % 32}`, ".*[a-z]")],
  }));
  expect(pile.arranged?.crowd?.among).toBeDefined();
  expect(chosen(pile, counted({ "row-3": "blue", "row-4": "1-blue" }))).toBe("rule 3");
  expect(chosen(pile, counted({ "row-3": "1", "row-4": "1-blue" }))).toBeUndefined();
});

test("with many names a header that came several times has the value that `Headers` makes of it", () => {
  const twice = { name: "set-cookie", value: "a=1, b=2" };
  const pile = piled(1_024, (n) => ({ headers: n % 2 === 0 ? [...ofMany(n)] : [...ofMany(n), twice] }));
  const headers = new Headers({ "row-13": "on", "column-22": "on" });
  const found = () => chosen(pile, { ...request("/"), headers });
  const n = 22 * 32 + 13;
  expect(found()).toBeUndefined();
  headers.append("set-cookie", "a=1");
  expect(found()).toBeUndefined();
  headers.append("set-cookie", "b=2");
  expect(found()).toBe(`rule ${n}`);
});

test("candidates that one value tells apart stand with the others, as long as there is room", () => {
  const few = piled(128, (n) => ({
    headers: named(n % 2 === 0 ? { row: `${n & 6}`, column: `${n & 56}` } : { env: "live", tenant: `${n}` }),
  }));
  expect(few.arranged?.crowd?.candidates.length).toBe(128);
  expect(few.arranged?.asking).toEqual([]);
  const all = { row: "2", column: "8", env: "live" };
  expect(chosen(few, counted({ ...all, tenant: "9" }))).toBe("rule 9");
  expect(chosen(few, counted({ ...all, tenant: "11" }))).toBe("rule 10");
});

test("candidates that one value tells apart are filed by it where there is no room, in order of precedence", () => {
  const pile = piled(8_192, (n) => ({
    headers: named(n % 2 === 0 ? { row: `${n & 6}`, column: `${n & 56}` } : { env: "live", tenant: `${n}` }),
  }));
  expect(pile.arranged?.crowd?.candidates.length).toBe(4_096);
  expect(pile.arranged?.asking.map(({ groups }) => [...groups.keys()])).toEqual([["tenant"]]);
  const all = { row: "2", column: "8", env: "live" };
  expect(chosen(pile, counted({ ...all, tenant: "9" }))).toBe("rule 9");
  expect(chosen(pile, counted({ ...all, tenant: "11" }))).toBe("rule 10");
});

test("sixteen headers and sixteen parameters of many names are counted, and the method with them", () => {
  const names = Array.from({ length: 24 }, (_, at) => at);
  const its = (n: number) =>
    names.filter((at) => ((n * 31 + at * 7) % 24) + ((n >> (at % 8)) & 1) <= 16).slice(0, 16);
  const on = (n: number, kind: string) =>
    Object.fromEntries(its(n).map((at) => [`${kind}-${at}`, `${n & 3}`]));
  const pile = piled(400, (n) => ({
    method: n % 2 === 0 ? "GET" : "PUT",
    headers: named(on(n, "h")),
    query: named(on(n, "q")),
  }));
  expect(pile.arranged?.asking).toEqual([]);
  expect(pile.arranged?.crowd?.candidates.length).toBe(400);
  const first = (n: number): number => {
    for (let each = 0; each < n; each++)
      if (each % 2 === n % 2 && (each & 3) === (n & 3) && its(each).join() === its(n).join()) return each;
    return n;
  };
  for (let n = 0; n < 400; n += 7) {
    const headers = on(n, "h");
    const query = `/?${new URLSearchParams(on(n, "q"))}`;
    const method = n % 2 === 0 ? "GET" : "PUT";
    expect(chosen(pile, request(query, { method, headers }))).toBe(`rule ${first(n)}`);
    expect(chosen(pile, request(query, { method: "POST", headers }))).toBeUndefined();
    expect(
      chosen(pile, request(query, { method, headers: { ...headers, [`h-${its(n)[15]}`]: "x" } })),
    ).toBeUndefined();
  }
});

test("whoever comes first in precedence is found, wherever those stand that share its rarest value", () => {
  const bits = (n: number) => Array.from({ length: 10 }, (_, at) => (n >> at) & 1);
  const pile = piled(1_023, (n) => ({
    headers: bits(n + 1).flatMap((bit, at) => (bit === 1 ? [{ name: `flag-${at}`, value: "on" }] : [])),
  }));
  expect(pile.arranged?.crowd?.candidates.length).toBe(1_023 - 10);
  const flags = (n: number) =>
    Object.fromEntries(bits(n + 1).flatMap((bit, at) => (bit === 1 ? [[`flag-${at}`, "on"]] : [])));
  // Of all whose flags are there, the one with most of them.
  for (const n of [2, 4, 100, 511, 512, 767, 1_022])
    expect(chosen(pile, counted(flags(n)))).toBe(`rule ${n}`);
});

test("where rows would take too much, candidates are filed one condition after the other", () => {
  const pile = piled(20_480, (n) => ({ headers: named({ row: `${n % 32}`, column: `${n >> 5}` }) }));
  expect(pile.arranged?.crowd).toBeUndefined();
  expect(chosen(pile, counted({ row: "13", column: "222" }))).toBe(`rule ${222 * 32 + 13}`);
});
