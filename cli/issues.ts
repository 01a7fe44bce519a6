import type { Issue } from "@tulle/control/api/contract.ts";
import { count } from "./report.ts";
import type { Source } from "./sources.ts";
import type { Paint } from "./terminal.ts";

/** Longer lines are cut around the place that is meant, columns. */
const maxExcerpt = 120;

/**
 * An issue as an editor and a person can read it:
 *
 *     routes.yaml:12:17  error  spec.rules[0].backendRefs[1].weight: expected …, found …
 *       12 |         weight: ten
 *          |                 ^
 *       A weight is a share: write a number.
 */
export function issueText(issue: Issue, sources: readonly Source[], paint: Paint): string {
  const place = `${issue.source || issue.document}:${issue.line}:${issue.column}`;
  const severity = paint(issue.severity === "error" ? "red" : "yellow", issue.severity);
  const wants = issue.expected === "" ? issue.message : `expected ${issue.expected}, found ${issue.found}`;
  const head = `${paint("bold", place)}  ${severity}  ${issue.path === "" ? "" : `${issue.path}: `}${wants}`;
  const text = sources.find(({ source }) => source === issue.source)?.text;
  const explained = issue.expected === "" || issue.message === "" ? [] : [`  ${issue.message}`];
  return [head, ...(text === undefined ? [] : excerpt(text, issue, paint)), ...explained].join("\n");
}

/** `2 errors and 1 warning`. */
export function tally(issues: readonly Issue[]): string {
  const errors = issues.filter((issue) => issue.severity === "error").length;
  const warnings = issues.length - errors;
  if (warnings === 0) return count(errors, "error");
  return errors === 0
    ? count(warnings, "warning")
    : `${count(errors, "error")} and ${count(warnings, "warning")}`;
}

function excerpt(text: string, { line, column }: Issue, paint: Paint): readonly string[] {
  const whole = text.split(/\r?\n/)[line - 1];
  if (whole === undefined || whole.trim() === "") return [];
  const from = column - 1 <= maxExcerpt - 20 ? 0 : column - maxExcerpt / 2;
  const shown = whole.slice(from, from + maxExcerpt);
  // Tabs stay tabs, so that the mark stands under its place however wide they are.
  const indent = shown.slice(0, Math.max(0, column - 1 - from)).replace(/[^\t]/g, " ");
  const gutter = String(line);
  return [
    `  ${paint("dim", `${gutter} |`)} ${shown}`,
    `  ${paint("dim", `${" ".repeat(gutter.length)} |`)} ${indent}${paint("red", "^")}`,
  ];
}
