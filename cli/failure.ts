import type { ExitCode } from "./exit-codes.ts";

/** Why a command ended early: what could not be done, what to do about it, and the exit code. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: ExitCode;
  /** What to do; may span lines. Empty when the message says it all. */
  readonly remedy: string;
  /** The HTTP status, where control answered. */
  readonly status: number | undefined;

  constructor(exitCode: ExitCode, message: string, remedy = "", status?: number) {
    super(message);
    this.exitCode = exitCode;
    this.remedy = remedy;
    this.status = status;
  }
}
