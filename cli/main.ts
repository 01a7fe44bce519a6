import { Command, CommanderError } from "commander";
import { addApply } from "./commands/apply.ts";
import { addAudit } from "./commands/audit.ts";
import { addCheck } from "./commands/check.ts";
import { addCircuits } from "./commands/circuits.ts";
import { addDelete } from "./commands/delete.ts";
import { addExplain } from "./commands/explain.ts";
import { addFederation } from "./commands/federation.ts";
import { addGet } from "./commands/get.ts";
import { addHistory } from "./commands/history.ts";
import { addIdentity } from "./commands/identity.ts";
import { addKeys } from "./commands/keys.ts";
import { addRoutes } from "./commands/routes.ts";
import { addStat } from "./commands/stat.ts";
import { addStatus } from "./commands/status.ts";
import { addSync } from "./commands/sync.ts";
import { addToken } from "./commands/token.ts";
import { addTrace } from "./commands/trace.ts";
import { addUndo } from "./commands/undo.ts";
import { type ExitCode, exit, exitCodeHelp } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import manifest from "./package.json" with { type: "json" };
import { type Cli, openSession, patiently, withGlobalOptions } from "./session.ts";
import { processTerminal, type Terminal } from "./terminal.ts";

/** The commands, in the order in which help lists them: change, look, identity. */
const additions: readonly ((cli: Cli) => void)[] = [
  addApply,
  addDelete,
  addUndo,
  addSync,
  addGet,
  addHistory,
  addAudit,
  addStatus,
  addCheck,
  addStat,
  addCircuits,
  addRoutes,
  addExplain,
  addTrace,
  addIdentity,
  addKeys,
  addFederation,
  addToken,
];

/**
 * Runs one command line.
 * @param words what stands after `tulle`
 * @returns the exit code; nothing is thrown, everything that goes wrong has been said on stderr
 */
export async function main(words: readonly string[]): Promise<ExitCode> {
  const terminal = processTerminal(process.env);
  // Whoever reads may stop reading (`tulle get | head`): that is no error.
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) =>
      process.exit(error.code === "EPIPE" ? exit.ok : exit.wrong),
    );

  let exitCode: ExitCode = exit.ok;
  const program = withGlobalOptions(new Command("tulle"))
    .description("The command line of the Tulle mesh: change policy, and see what the mesh does.")
    .version(manifest.version)
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", exitCodeHelp)
    .showSuggestionAfterError()
    .showHelpAfterError("(--help says what is possible)")
    .exitOverride();
  const perform: Cli["perform"] = async (command, verb) => {
    exitCode = await patiently(openSession(command, terminal), verb);
  };
  for (const add of additions) add({ program, perform });

  try {
    await program.parseAsync([...words], { from: "user" });
    return exitCode;
  } catch (error) {
    return explained(error, terminal);
  }
}

function explained(error: unknown, { note, paintNote }: Terminal): ExitCode {
  // Commander has written its message, or the help that was asked for, already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exit.ok : exit.usage;
  if (error instanceof Failure) {
    note(`${paintNote("red", "error:")} ${error.message}`);
    if (error.remedy !== "") note(error.remedy.replaceAll(/^/gm, "  "));
    return error.exitCode;
  }
  note(
    `${paintNote("red", "error:")} tulle itself failed: ${error instanceof Error ? error.stack : String(error)}`,
  );
  return exit.wrong;
}
