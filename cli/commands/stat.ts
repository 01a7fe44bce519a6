import type { ServicesAnswer } from "@tulle/control/api/contract.ts";
import {
  type Grouping,
  goldenSignals,
  groupings,
  type Signals,
} from "@tulle/mesh-runtime/telemetry/edge-signals.ts";
import { type Command, Option } from "commander";
import { exit } from "../exit-codes.ts";
import { parsePlace } from "../kinds.ts";
import { latency, parseWindow, percent, successLook } from "../measures.ts";
import { type Column, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import { circuitTable } from "./circuits.ts";

const defaultWindowMs = 30_000;

interface StatOptions {
  readonly namespace?: string;
  readonly window: number;
  readonly by: Grouping;
}

/** `tulle stat`: the golden signals of each edge. */
export function addStat({ program, perform }: Cli): void {
  program
    .command("stat")
    .description("golden signals: requests, success, latency and retries of each edge")
    .argument("[service]", "only edges from or to this service: name, or namespace/name")
    .option("-n, --namespace <namespace>", "the service's namespace (default: default)")
    .addOption(
      new Option("--window <duration>", "how far back to look")
        .argParser(parseWindow)
        .default(defaultWindowMs, "30s"),
    )
    .addOption(new Option("--by <what>", "one line each").choices(groupings).default("edge"))
    .action((service: string | undefined, options: StatOptions, command: Command) =>
      perform(command, async (session) => {
        const only = service === undefined ? undefined : parsePlace(service, options.namespace);
        const key = only && `${only.namespace}/${only.name}`;
        const answer = await session.control.services(options.window);
        const edges = answer.edges.filter(
          ({ source, destination }) => key === undefined || source === key || destination === key,
        );
        const signals = goldenSignals(edges, answer.windowMs, options.by, answer.latencyBoundsMs);
        const circuits = answer.circuits.filter(
          ({ circuit, state }) => state !== "closed" && (key === undefined || circuit === key),
        );
        if (answer.windowMs < options.window)
          session.terminal.note(
            `Control remembers ${answer.windowMs / 1_000} s only; this is what happened in them.`,
          );
        session.show({ windowMs: answer.windowMs, edges: signals, circuits }, () =>
          print(session, options.by, signals, { ...answer, circuits }),
        );
        return exit.ok;
      }),
    );
}

function print(
  { terminal }: Session,
  by: Grouping,
  signals: readonly Signals[],
  answer: ServicesAnswer,
): void {
  const { out, note, paint } = terminal;
  if (signals.length === 0) note(`No request in the last ${answer.windowMs / 1_000} s.`);
  else {
    const grouped: readonly Column[] = by === "edge" ? [] : [{ head: by.toUpperCase() }];
    const columns: readonly Column[] = [{ head: "SOURCE" }, { head: "DESTINATION" }, ...grouped, ...numbers];
    const rows = signals.map((one) => [
      one.source,
      one.seenBy === "callee" ? `${one.destination} *` : one.destination,
      ...(by === "edge" ? [] : [one[by] || "-"]),
      one.requestsPerSecond.toFixed(1),
      paint(successLook(one.successRate), percent(one.successRate)),
      latency(one.p50Ms),
      latency(one.p95Ms),
      latency(one.p99Ms),
      one.retries === undefined ? "-" : percent(one.retries / one.requests),
      one.refused === 0 ? "0" : percent(one.refused / one.requests),
    ]);
    out(table(terminal, columns, rows));
    if (signals.some(({ seenBy }) => seenBy === "callee"))
      note(
        paint(
          "dim",
          "* counted by the callee: it was reached as a backend of another name, or its callers do not report.",
        ),
      );
    if (signals.every(({ p50Ms }) => p50Ms === undefined))
      note("Control counts latencies in other buckets than this tulle: use the one of control's version.");
  }
  if (answer.circuits.length > 0) out(`\n${circuitTable(terminal, answer.circuits)}`);
}

const numbers = ["RPS", "SUCCESS", "P50", "P95", "P99", "RETRIES", "REFUSED"].map(
  (head): Column => ({ head, align: "right" }),
);
