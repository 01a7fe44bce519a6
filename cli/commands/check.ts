import type { CheckAnswer, CheckLine } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import type { Control } from "../client.ts";
import { type ExitCode, exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { count } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import type { Look } from "../terminal.ts";

/** Up to this apart nothing that the mesh compares goes wrong: proofs are accepted from 5 s ahead, milliseconds. */
const unnoticedSkewMs = 5_000;
/** Beyond this a workload on the slower clock cannot be understood any more: proofs live 60 s, milliseconds. */
const fatalSkewMs = 60_000;

const looks: Readonly<Record<CheckLine["result"], Look>> = { ok: "green", warning: "yellow", failed: "red" };

interface Examination {
  /** Control's answer with the client's own lines before it. */
  readonly answer: CheckAnswer;
  readonly code: ExitCode;
}

/** `tulle check`: what control knows about its health, and what only a client can see. */
export function addCheck({ program, perform }: Cli): void {
  program
    .command("check")
    .description("examine control and the way to it; exit code 1 if a check failed")
    .action((_options: object, command: Command) =>
      perform(command, async (session) => {
        const { answer, code } = await examine(session.control);
        session.show(answer, () => print(session, answer.checks));
        return code;
      }),
    );
}

async function examine(control: Control): Promise<Examination> {
  const { url, tokenFrom } = control.connection;
  const before = Date.now();
  try {
    const answer = await control.check();
    const after = Date.now();
    const lines = [
      line("control reachable", "ok", `${url} answered in ${after - before} ms`),
      line("operator token", "ok", tokenFrom === "" ? "none is wanted" : `accepted (from ${tokenFrom})`),
      skew(Date.parse(answer.time), before, after),
      ...answer.checks,
    ];
    return {
      answer: { ...answer, checks: lines },
      code: lines.some(({ result }) => result === "failed") ? exit.wrong : exit.ok,
    };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { message, remedy, exitCode: code } = error;
    const reached = line("control reachable", "ok", url);
    const lines =
      code === exit.unreachable
        ? [line("control reachable", "failed", message, remedy)]
        : [
            reached,
            line(code === exit.forbidden ? "operator token" : "control's checks", "failed", message, remedy),
          ];
    return { answer: { time: new Date().toISOString(), checks: lines }, code };
  }
}

/**
 * Compares clocks. Control's time was read somewhere between `before` and `after`, so half of the
 * round trip is what cannot be known.
 */
export function skew(theirs: number, before: number, after: number): CheckLine {
  const name = "clock skew";
  if (Number.isNaN(theirs))
    return line(name, "failed", "control did not say what time it is", "Is control of this version?");
  const doubt = (after - before) / 2;
  const ahead = theirs - (before + doubt);
  const certain = Math.max(0, Math.abs(ahead) - doubt);
  const detail = `control's clock is ${Math.round(Math.abs(ahead))} ms ${ahead < 0 ? "behind" : "ahead of"} this machine's (±${Math.ceil(doubt)} ms)`;
  if (certain <= unnoticedSkewMs) return line(name, "ok", detail);
  return line(
    name,
    certain <= fatalSkewMs ? "warning" : "failed",
    detail,
    "Let this machine set its clock from the network (NTP); workloads that run here cannot prove who they are otherwise.",
  );
}

function line(name: string, result: CheckLine["result"], detail: string, remedy = ""): CheckLine {
  return { name, result, detail, remedy };
}

function print({ terminal }: Session, lines: readonly CheckLine[]): void {
  const { out, paint } = terminal;
  for (const { name, result, detail, remedy } of lines) {
    out(`${paint(looks[result] ?? "red", result.padEnd(7))}  ${name}: ${detail}`);
    if (remedy !== "") out(remedy.replaceAll(/^/gm, "         → "));
  }
  const bad = (["failed", "warning"] as const)
    .map((result) => [lines.filter((line) => line.result === result).length, result] as const)
    .filter(([amount]) => amount > 0)
    .map(([amount, result]) => (result === "failed" ? `${amount} failed` : count(amount, result)));
  out(bad.length === 0 ? "Everything is in order." : `${bad.join(", ")}.`);
}
