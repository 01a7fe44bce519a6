import { expect, test } from "vitest";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { destinationTable } from "../../../mesh-runtime/policy/port-table.ts";
import { readSnapshot } from "../../../mesh-runtime/policy/snapshot-shape.ts";
import { documents, route, service } from "./writing.ts";

/** The rule that decides, by its place in the document; through the snapshot as it is published. */
function decided(rules: string, asked: string, init: RequestInit = {}): string | undefined {
  const snapshots = compile(documents(service("web"), service("cart"), route("r", "name: cart", rules)));
  const read = readSnapshot(JSON.parse(JSON.stringify(snapshots.get("default/web"))));
  if (!read.ok) throw new Error(read.reason);
  const destination = read.value.destinations["default/cart"];
  const table = destination && destinationTable(destination);
  const { url, method, headers } = new Request(new URL(asked, "http://cart"), init);
  return table
    ?.find({ url: new URL(url), method, headers })
    ?.rule.name.split("/")
    .at(-1);
}

const rules = `[
  {matches: [{path: {value: /}}]},
  {matches: [{path: {type: RegularExpression, value: '/items/[0-9]+'}}]},
  {matches: [{path: {type: RegularExpression, value: '/items/[0-9]+'}, headers: [{type: RegularExpression, name: X-Tier, value: 'gold|silver'}]}]},
  {matches: [{path: {type: Exact, value: /items/7}}]},
  {matches: [{path: {value: /}, queryParams: [{type: RegularExpression, name: page, value: '[1-9]'}]}]},
  {matches: [{path: {value: /}, headers: [{name: X-Tier, value: 'gold, silver'}, {name: x-tier, value: never}]}]},
]`;

test.each([
  ["/", {}, "0"],
  ["/items/12", {}, "1"],
  ["/items/12/more", {}, "0"],
  ["/items/12", { headers: { "x-tier": "gold" } }, "2"],
  ["/items/12", { headers: { "x-tier": "golden" } }, "1"],
  ["/items/7", { headers: { "x-tier": "gold" } }, "3"],
  ["/?page=3&page=x", {}, "4"],
  ["/?page=x&page=3", {}, "0"],
  ["/?page=33", {}, "0"],
  [
    "/",
    {
      headers: [
        ["x-tier", "gold"],
        ["X-Tier", "silver"],
      ],
    },
    "5",
  ],
] as const)("the request %s with %j falls under the rule %s as written", (asked, init, expected) => {
  expect(decided(rules, asked, init as RequestInit)).toBe(expected);
});

test("the rule that decides does not depend on where it stands in the document", () => {
  const shuffled = `[
    {name: regex, matches: [{path: {type: RegularExpression, value: '/a/.*'}}]},
    {name: exact, matches: [{path: {type: Exact, value: /a/b}}]},
    {name: prefix, matches: [{path: {value: /a/b/c/d}}]},
  ]`;
  expect(decided(shuffled, "/a/b")).toBe("exact");
  expect(decided(shuffled, "/a/b/c/d")).toBe("regex");
});
