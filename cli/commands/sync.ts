import type { SyncAnswer } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { changeText } from "../changes.ts";
import { exit } from "../exit-codes.ts";
import { issueText } from "../issues.ts";
import { count } from "../report.ts";
import type { Cli, Session } from "../session.ts";

/** `tulle sync`: takes up at once what somebody put into KV by hand; control does the same on a schedule. */
export function addSync({ program, perform }: Cli): void {
  program
    .command("sync")
    .description("take up documents that were put into KV by hand; exit code 1 if one is invalid")
    .action((_options: object, command: Command) =>
      perform(command, async (session) => {
        const answer = await session.control.sync();
        session.show(answer, () => print(session, answer));
        return answer.invalid.length === 0 ? exit.ok : exit.wrong;
      }),
    );
}

function print({ terminal }: Session, { revision, adopted, invalid }: SyncAnswer): void {
  for (const change of adopted) terminal.out(changeText(change, false, terminal.paint));
  for (const { key, issues } of invalid) {
    terminal.note(`${key}  ${terminal.paintNote("red", "invalid")}`);
    for (const issue of issues) terminal.note(issueText(issue, [], terminal.paintNote));
  }
  const taken =
    adopted.length === 0 ? "KV holds nothing new" : `Took up ${count(adopted.length, "document")} from KV`;
  const left =
    invalid.length === 0
      ? ""
      : ` ${count(invalid.length, "document")} cannot be taken up; the last good ones stay.`;
  terminal.out(`${taken}; revision ${revision} is in force.${left}`);
}
