import { type Command, InvalidArgumentError } from "commander";
import { showChanges } from "../changes.ts";
import type { Cli } from "../session.ts";
import { readSources } from "../sources.ts";

interface ApplyOptions {
  readonly filename: readonly string[];
  readonly dryRun?: true;
  readonly reason?: string;
  readonly expectedRevision?: number;
  readonly strict?: true;
}

/** `tulle apply`: makes the documents in files the policy in force, all of them or none. */
export function addApply({ program, perform }: Cli): void {
  program
    .command("apply")
    .description("apply documents: all of them become one revision, or nothing changes")
    .requiredOption(
      "-f, --filename <path>",
      "file, directory (with all below it), or - for stdin; repeatable",
      append,
    )
    .option("--dry-run", "say what would change, and change nothing")
    .option("--strict", "refuse references that do not resolve, instead of accepting with a condition")
    .option("--reason <text>", "why, for the history")
    .option("--expected-revision <number>", "refuse unless this is the revision in force", parseRevision)
    .action((options: ApplyOptions, command: Command) =>
      perform(command, async (session) => {
        const sources = await readSources(options.filename, session.terminal.stdin);
        const answer = await session.control.apply({
          sources,
          ...(options.dryRun && { dryRun: true }),
          ...(options.strict && { strict: true }),
          ...(options.reason !== undefined && { reason: options.reason }),
          ...(options.expectedRevision !== undefined && { expectedRevision: options.expectedRevision }),
        });
        return showChanges(session, answer, { sources, dryRun: options.dryRun === true });
      }),
    );
}

/** For options that may be given several times. */
export function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** For options and arguments that are a revision. */
export function parseRevision(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a revision's number, as `tulle history` shows it.");
}
