import type { RoutesAnswer, RoutesView } from "@tulle/control/api/contract.ts";
import { type Command, Option } from "commander";
import { exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { parseNamespace, parsePlace } from "../kinds.ts";
import { latency, parseWindow, percent, sharePercent, successLook } from "../measures.ts";
import { type Column, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import type { Terminal } from "../terminal.ts";

const defaultWindowMs = 60_000;

interface RoutesOptions {
  readonly namespace?: string;
  readonly gateway?: string;
  readonly fromNamespace?: string;
  readonly window: number;
}

/** `tulle routes`: the rules that hold, in the order in which they decide, and what each got. */
export function addRoutes({ program, perform }: Cli): void {
  program
    .command("routes")
    .description("the rules in force at a service or gateway, in order of precedence, with their traffic")
    .argument("[service]", "name, or namespace/name")
    .option("-n, --namespace <namespace>", "the service's namespace (default: default)")
    .option("--gateway <name>", "a gateway instead: name, or namespace/name, with /listener if need be")
    .option("--from-namespace <namespace>", "as callers of this namespace see it (default: all)")
    .addOption(
      new Option("--window <duration>", "how far back to count requests")
        .argParser(parseWindow)
        .default(defaultWindowMs, "1m"),
    )
    .action((service: string | undefined, options: RoutesOptions, command: Command) =>
      perform(command, async (session) => {
        const answer = await session.control.routes({
          ...whose(service, options),
          windowMs: options.window,
        });
        if (answer.windowMs < options.window)
          session.terminal.note(`Control remembers ${answer.windowMs / 1_000} s only.`);
        session.show(answer, () => print(session, answer));
        return exit.ok;
      }),
    );
}

function whose(service: string | undefined, options: RoutesOptions) {
  if ((service === undefined) === (options.gateway === undefined))
    throw new Failure(exit.usage, "Name a service, or a gateway with --gateway.");
  if (service === undefined) {
    if (options.fromNamespace === undefined) return { gateway: options.gateway };
    throw new Failure(
      exit.usage,
      "What comes in at a gateway has no namespace: leave --from-namespace away.",
    );
  }
  const { namespace, name } = parsePlace(service, options.namespace);
  return {
    service: `${namespace}/${name}`,
    ...(options.fromNamespace !== undefined && { namespace: parseNamespace(options.fromNamespace) }),
  };
}

const columns: readonly Column[] = [
  { head: "RANK", align: "right" },
  { head: "RULE" },
  { head: "MATCH" },
  { head: "FILTERS" },
  { head: "BACKENDS" },
  { head: "RPS", align: "right" },
  { head: "SUCCESS", align: "right" },
  { head: "P95", align: "right" },
];

function print({ terminal }: Session, answer: RoutesAnswer): void {
  const { out, note, paint } = terminal;
  for (const [index, view] of answer.views.entries()) {
    out(`${index === 0 ? "" : "\n"}${paint("bold", title(answer, view))}`);
    if (view.rules.length === 0) out("No route is bound here: every request is answered 404.");
    else out(table(terminal, columns, rows(terminal, view)));
    for (const text of idleTexts(view)) out(paint("yellow", text));
    if (view.omitted > 0) out(`… and ${view.omitted} more`);
  }
  if (answer.views.length === 0) note(`No workload of the mesh could call ${answer.of}.`);
  const { unrouted } = answer;
  if (unrouted !== undefined)
    note(
      `${unrouted.requestsPerSecond.toFixed(1)} requests a second matched no rule in the last ${answer.windowMs / 1_000} s and were answered 404.`,
    );
}

function title({ of }: RoutesAnswer, view: RoutesView): string {
  const port = view.port === undefined ? "" : `, port ${view.port}`;
  const callers = `callers of ${view.namespaces.join(", ")}`;
  switch (view.routes) {
    case "listener":
      return `${view.listener ?? of}, ${view.hostname === undefined ? "every host" : view.hostname}`;
    case "producer":
      return `${of}${port}: the routes of its own namespace, for ${callers}`;
    case "consumer":
      return `${of}${port}: the callers' own routes, for ${callers}`;
    case "none":
      return `${of}${port}: no route is attached, for ${callers}`;
  }
}

function rows({ paint }: Terminal, { rules }: RoutesView): readonly (readonly string[])[] {
  const told = new Set<string>();
  return rules.map(({ rank, rule, match, filters, backends, traffic }) => {
    const again = told.has(rule);
    told.add(rule);
    const numbers =
      traffic === undefined
        ? ["0.0", "-", "-"]
        : [
            traffic.requestsPerSecond.toFixed(1),
            paint(successLook(traffic.successRate), percent(traffic.successRate)),
            latency(traffic.p95Ms),
          ];
    return [
      String(rank),
      rule,
      match,
      filters.join("\n") || "-",
      backends.map((each) => backendText(paint, each)).join("\n") || "-",
      // What is counted is counted by rule, so that it stands once for all matches of a rule.
      ...(again ? numbers.map(() => paint("dim", '"')) : numbers),
    ];
  });
}

/** The matches that never decide, and why. */
const idleTexts = ({ rules }: RoutesView): readonly string[] =>
  rules.flatMap(({ rank, rule, behind }) =>
    behind === undefined
      ? []
      : [`${rank} never decides: ${rule} has the match of ${behind.rule}, but ${behind.because}.`],
  );

function backendText(
  paint: Terminal["paint"],
  backend: RoutesView["rules"][number]["backends"][number],
): string {
  const { service, share, unusable } = backend;
  const text = `${service} ${sharePercent(share)}`;
  return unusable === undefined ? text : `${text} ${paint("red", unusable)}`;
}
