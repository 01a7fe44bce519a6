import type { ChangeAnswer, DocumentRef } from "@tulle/control/api/contract.ts";
import { type Command, Option } from "commander";
import { showChanges } from "../changes.ts";
import { isRefused } from "../client.ts";
import { namesIn } from "../documents.ts";
import { type ExitCode, exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { parseRef } from "../kinds.ts";
import type { Cli, Session } from "../session.ts";
import { readSources } from "../sources.ts";
import { append, parseRevision } from "./apply.ts";

interface DeleteOptions {
  readonly filename?: readonly string[];
  readonly namespace?: string;
  readonly expectedRevision?: number;
}

/** `tulle delete`: takes a document out of force, or every document that files name. */
export function addDelete({ program, perform }: Cli): void {
  program
    .command("delete")
    .description("delete one document, or those that files name (one revision each)")
    .argument("[kind]", "such as httproute, svc, authorizationpolicies")
    .argument("[name]", "name, or namespace/name")
    .option("-n, --namespace <namespace>", "where the document is (default: default)")
    .addOption(
      new Option(
        "-f, --filename <path>",
        "delete what this file, directory or - (stdin) names; repeatable",
      ).argParser(append),
    )
    .option("--expected-revision <number>", "refuse unless this is the revision in force", parseRevision)
    .action((kind: string | undefined, name: string | undefined, options: DeleteOptions, command: Command) =>
      perform(command, async (session) => {
        const refs = await named(session, kind, name, options);
        return removeAll(session, refs, options.expectedRevision);
      }),
    );
}

async function named(
  session: Session,
  kind: string | undefined,
  name: string | undefined,
  { filename, namespace }: DeleteOptions,
): Promise<readonly DocumentRef[]> {
  if (filename !== undefined && kind === undefined)
    return namesIn(await readSources(filename, session.terminal.stdin));
  if (filename !== undefined || kind === undefined || name === undefined)
    throw new Failure(exit.usage, "Say which document: `tulle delete KIND NAME`, or `tulle delete -f FILE`.");
  return [parseRef(kind, name, namespace)];
}

/** One after the other, and no further than the first that control refuses. */
async function removeAll(
  session: Session,
  refs: readonly DocumentRef[],
  expectedRevision: number | undefined,
): Promise<ExitCode> {
  let expected = expectedRevision;
  const answers: ChangeAnswer[] = [];
  for (const [at, ref] of refs.entries()) {
    try {
      const answer = await session.control.remove(ref, expected);
      answers.push(answer);
      // Each deletion is a revision of its own, and whoever asked for compare-and-set means all of them.
      if (expected !== undefined) expected = answer.revision;
      if (isRefused(answer)) break;
    } catch (error) {
      if (at > 0) session.terminal.note(`Deleted ${at} of ${refs.length} documents, then:`);
      throw error;
    }
  }
  return showChanges(session, joined(answers));
}

/** Several answers as one; the revision is that of the last. */
function joined(answers: readonly ChangeAnswer[]): ChangeAnswer {
  return {
    revision: answers.at(-1)?.revision ?? 0,
    applied: answers.every((answer) => answer.applied),
    changes: answers.flatMap((answer) => (isRefused(answer) ? [] : answer.changes)),
    issues: answers.flatMap((answer) => answer.issues),
  };
}
