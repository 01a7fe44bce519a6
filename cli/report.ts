import Table from "cli-table3";
import { stringify } from "yaml";
import type { Terminal } from "./terminal.ts";

export const formats = ["table", "json", "yaml"] as const;
export type Format = (typeof formats)[number];

/** A column: its heading, and `right` for numbers. */
export interface Column {
  readonly head: string;
  readonly align?: "left" | "right";
}

/** A value as text that a program reads: JSON with two spaces, or YAML. */
export function structured(format: "json" | "yaml", value: unknown): string {
  if (format === "json") return JSON.stringify(value, null, 2);
  // Through JSON, so that both formats show the same: absent members absent, nothing aliased.
  return stringify(JSON.parse(JSON.stringify(value)), {
    aliasDuplicateObjects: false,
    lineWidth: 0,
  }).trimEnd();
}

/** A table without borders: headings, then one line a row. */
export function table(
  { paint }: Pick<Terminal, "paint">,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const drawn = new Table({
    head: columns.map((column) => paint("dim", column.head)),
    colAligns: columns.map((column) => column.align ?? "left"),
    chars: borderless,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
  });
  for (const row of rows) drawn.push([...row]);
  return drawn
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

const borderless = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "   ",
};

/** `3 documents`, `1 document`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** Milliseconds as people say them: `85 ms`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function ago(ms: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1_000, "s"],
  ] as const;
  const [size, unit] = units.find(([size]) => ms >= size) ?? [1, "ms"];
  return `${Math.round(ms / size)} ${unit}`;
}
