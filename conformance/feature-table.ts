/**
 * Writes the table of features in docs/gateway-api.md from what `npm run conformance -- FILE -o json` has printed:
 *
 *     node conformance/feature-table.ts UPSTREAM.json OWN.json
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Outcome } from "./case.ts";
import { type Feature, features } from "./features.ts";

const page = fileURLToPath(new URL("../docs/gateway-api.md", import.meta.url));
const marks = ["<!-- features -->", "<!-- end of features -->"] as const;

/** The table, one line a feature, with the cases that have run for it. */
export function featureTable(upstream: readonly Outcome[], own: readonly Outcome[]): string {
  const head = "| feature | support | upstream's cases | our cases | |\n|---|---|---|---|---|";
  const rows = features.map(
    (feature) =>
      `| \`${feature.name}\` | ${supportOf(feature)} | ${counted(feature, upstream)} | ${counted(feature, own)} | ${remark(feature)} |`,
  );
  return [head, ...rows].join("\n");
}

const supportOf = ({ support, channel }: Feature): string =>
  channel === undefined ? support : `${support}, ${channel}`;

const remark = ({ unsupported, note = "" }: Feature): string =>
  unsupported === undefined ? note : `**not supported**: ${unsupported}`;

function counted({ name, unsupported }: Feature, outcomes: readonly Outcome[]): string {
  if (unsupported !== undefined) return "–";
  const run = outcomes.filter(({ result, features: has }) => result !== "skipped" && has.includes(name));
  const passed = run.filter(({ result }) => result === "ok").length;
  if (run.length === 0) return "–";
  return passed === run.length ? `${passed} passed` : `${passed} of ${run.length} passed`;
}

function outcomesIn(file: string): readonly Outcome[] {
  return (JSON.parse(readFileSync(file, "utf8")) as { cases: readonly Outcome[] }).cases;
}

/** Puts a table between the marks of a page. */
export function withTable(text: string, table: string): string {
  const [before = "", rest = ""] = text.split(marks[0]);
  const [, after = ""] = rest.split(marks[1]);
  return `${before}${marks[0]}\n${table}\n${marks[1]}${after}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , upstream, own] = process.argv;
  if (upstream === undefined || own === undefined)
    throw new TypeError("Usage: node conformance/feature-table.ts UPSTREAM.json OWN.json");
  writeFileSync(
    page,
    withTable(readFileSync(page, "utf8"), featureTable(outcomesIn(upstream), outcomesIn(own))),
  );
}
