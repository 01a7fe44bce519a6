import type { ServicesAnswer } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { exit } from "../exit-codes.ts";
import { ago, table } from "../report.ts";
import type { Cli } from "../session.ts";
import type { Look, Terminal } from "../terminal.ts";

const looks: Readonly<Record<string, Look>> = {
  closed: "green",
  open: "red",
  "half-open": "yellow",
  ramp: "yellow",
};

/** `tulle circuits`: closed lets requests pass, open refuses them. */
export function addCircuits({ program, perform }: Cli): void {
  program
    .command("circuits")
    .description("the circuits: closed passes, open refuses, half-open probes, ramp lets in more and more")
    .action((_options: object, command: Command) =>
      perform(command, async (session) => {
        const { circuits } = await session.control.services(30_000);
        session.show(circuits, () => {
          if (circuits.length === 0)
            session.terminal.note("No circuit is known yet: none of the services was called.");
          else session.terminal.out(circuitTable(session.terminal, circuits));
        });
        return exit.ok;
      }),
    );
}

/** Shared with `tulle stat`, which shows those that are not closed. */
export function circuitTable(terminal: Terminal, circuits: ServicesAnswer["circuits"]): string {
  const columns = [
    { head: "CIRCUIT" },
    { head: "STATE" },
    { head: "FOR" },
    { head: "EPOCH", align: "right" },
  ] as const;
  const rows = circuits.map(({ circuit, state, sinceMs, epoch }) => [
    circuit,
    terminal.paint(looks[state] ?? "red", state),
    ago(sinceMs),
    String(epoch),
  ]);
  return table(terminal, columns, rows);
}
