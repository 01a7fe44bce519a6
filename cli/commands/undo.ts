import type { Command } from "commander";
import { showChanges } from "../changes.ts";
import type { Cli } from "../session.ts";
import { parseRevision } from "./apply.ts";

/** `tulle undo`: takes back what one revision did, as a new revision. */
export function addUndo({ program, perform }: Cli): void {
  program
    .command("undo")
    .description("take back one revision; the history keeps both")
    .argument("[revision]", "which (default: the newest)", parseRevision)
    .option("--expected-revision <number>", "refuse unless this is the revision in force", parseRevision)
    .action((revision: number | undefined, options: { expectedRevision?: number }, command: Command) =>
      perform(command, async (session) =>
        showChanges(
          session,
          await session.control.undo({ ...(revision !== undefined && { revision }), ...options }),
        ),
      ),
    );
}
