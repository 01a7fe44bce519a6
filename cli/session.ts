import { type Command, Option } from "commander";
import { type Control, openControl } from "./client.ts";
import { type ConnectionOptions, connectionFrom } from "./connection.ts";
import type { ExitCode } from "./exit-codes.ts";
import { type Format, formats, structured } from "./report.ts";
import type { Terminal } from "./terminal.ts";

/** What a command works with. */
export interface Session {
  readonly control: Control;
  readonly terminal: Terminal;
  readonly format: Format;
  /** Prints the answer as JSON or YAML, or what `human` writes. */
  readonly show: (answer: unknown, human: () => void) => void;
}

/** What a command does: ends with its exit code, or throws a `Failure`. */
export type Verb = (session: Session) => Promise<ExitCode>;

/** What each file in `commands/` gets: the program to add itself to, and the way to run. */
export interface Cli {
  readonly program: Command;
  /** Opens the session that the global options ask for, and keeps the verb's exit code. */
  readonly perform: (command: Command, verb: Verb) => Promise<void>;
}

type GlobalOptions = ConnectionOptions & { readonly output: Format };

/** After this long without an answer, whoever watches is told what is being waited for, milliseconds. */
const patienceMs = 1_000;

/** Adds the options that every command takes. */
export function withGlobalOptions(program: Command): Command {
  return program
    .option("--url <url>", "where control is (or TULLE_URL)")
    .option(
      "--token <token>",
      "operator token; other users of this machine can see it, so prefer TULLE_TOKEN",
    )
    .option("--token-file <file>", "file that holds the operator token")
    .addOption(new Option("-o, --output <format>", "form of the answer").choices(formats).default("table"))
    .option("--timeout <duration>", "how long to wait for control, such as 10s", "10s");
}

/** The session for a command as it was called. */
export function openSession(command: Command, terminal: Terminal): Session {
  const { output: format, ...options } = command.optsWithGlobals<GlobalOptions>();
  const connection = connectionFrom(options, { env: process.env, directory: process.cwd() });
  return {
    control: openControl(connection),
    terminal,
    format,
    show: (answer, human) => (format === "table" ? human() : terminal.exact(structured(format, answer))),
  };
}

/** Runs a verb; says so when it takes longer than a second. */
export async function patiently(session: Session, verb: Verb): Promise<ExitCode> {
  const { terminal, control } = session;
  const timer = setTimeout(() => {
    if (terminal.watched) terminal.note(terminal.paintNote("dim", `Waiting for ${control.connection.url} …`));
  }, patienceMs);
  try {
    return await verb(session);
  } finally {
    clearTimeout(timer);
  }
}
