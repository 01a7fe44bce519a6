import type { Change, ChangeAnswer } from "@tulle/control/api/contract.ts";
import { isRefused } from "./client.ts";
import { type ExitCode, exit } from "./exit-codes.ts";
import { issueText, tally } from "./issues.ts";
import { count } from "./report.ts";
import type { Session } from "./session.ts";
import type { Source } from "./sources.ts";
import type { Look, Paint } from "./terminal.ts";

const looks: Readonly<Record<Change["action"], Look>> = {
  created: "green",
  changed: "yellow",
  unchanged: "dim",
  deleted: "red",
};

/** What is shown of a change beside its answer. */
export interface ChangeDisplay {
  /** What was sent, for excerpts. */
  readonly sources?: readonly Source[];
  readonly dryRun?: boolean;
}

/**
 * Prints the answer of a change: each document with what happened to it and the difference, then what
 * is in force now. Issues go to stderr.
 * @returns 3 when the change was refused, else 0
 */
export function showChanges(session: Session, answer: ChangeAnswer, display: ChangeDisplay = {}): ExitCode {
  const { terminal } = session;
  const refused = isRefused(answer);
  session.show(answer, () => {
    for (const issue of answer.issues)
      terminal.note(issueText(issue, display.sources ?? [], terminal.paintNote));
    // Of a refused change nothing has become "created" or "changed", so nothing is called that.
    for (const change of refused ? [] : answer.changes)
      terminal.out(changeText(change, display.dryRun === true, terminal.paint));
    (refused ? terminal.note : terminal.out)(summary(answer, display.dryRun === true));
    const unresolved = answer.issues.filter((issue) => issue.unresolved === true).length;
    if (unresolved > 0 && !refused) terminal.note(terminal.paintNote("yellow", unresolvedNote(unresolved)));
  });
  return refused ? exit.refused : exit.ok;
}

/** What was let through all the same, where nobody who reads quickly can miss it. */
const unresolvedNote = (amount: number): string =>
  amount === 1
    ? "1 reference does not resolve, and is not used until it does (see above, and `tulle check`)."
    : `${amount} references do not resolve, and are not used until they do (see above, and \`tulle check\`).`;

/** One document of a change, with its difference where there was something before or nothing happened yet. */
export function changeText(change: Change, dryRun: boolean, paint: Paint): string {
  const name = `${change.kind}/${change.namespace}/${change.name}`;
  const head = `${name}  ${paint(looks[change.action], change.action)}`;
  const wanted = change.diff !== "" && (dryRun || change.action === "changed");
  return wanted ? `${head}\n${painted(change.diff.trimEnd(), paint)}` : head;
}

function painted(diff: string, paint: Paint): string {
  return diff
    .split("\n")
    .map((line) => {
      const look = line.startsWith("@@")
        ? "cyan"
        : line.startsWith("+")
          ? "green"
          : line.startsWith("-")
            ? "red"
            : undefined;
      return `  ${look === undefined ? line : paint(look, line)}`.trimEnd();
    })
    .join("\n");
}

function summary(answer: ChangeAnswer, dryRun: boolean): string {
  const force =
    answer.revision === 0 ? "no revision is in force yet" : `revision ${answer.revision} stays in force`;
  if (isRefused(answer)) return `Refused: ${tally(answer.issues)}. Nothing was changed; ${force}.`;
  const actions = [...new Set(answer.changes.map((change) => change.action))];
  const parts = actions.map(
    (action) => `${answer.changes.filter((change) => change.action === action).length} ${action}`,
  );
  const what = parts.length === 0 ? count(0, "document") : parts.join(", ");
  if (dryRun) return `Dry run (${what}): nothing was changed; ${force}.`;
  if (!answer.applied) return `Nothing to change (${what}); ${force}.`;
  return `Revision ${answer.revision} is in force: ${what}.`;
}
