import { readFileSync } from "node:fs";
import type { FederationLine } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { type ExitCode, exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { ago, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import type { Look } from "../terminal.ts";

const looks: Readonly<Record<FederationLine["state"], Look>> = {
  ok: "green",
  pending: "yellow",
  failing: "yellow",
  expired: "red",
};

/** `tulle federation`: other trust domains whose workloads are known here. */
export function addFederation({ program, perform }: Cli): void {
  const federation = program
    .command("federation")
    .description("other trust domains, whose workloads are known here by their own issuers' word");
  federation
    .command("list")
    .description("the trust domains that are federated, and how fresh their keys are")
    .action((_options: object, command: Command) =>
      perform(command, async (session) => {
        const { federations } = await session.control.federations();
        session.show(federations, () => printAll(session, federations));
        return exit.ok;
      }),
    );
  federation
    .command("show")
    .argument("<trust-domain>", "such as partner.example")
    .description("one of them, with its keys")
    .action((trustDomain: string, _options: object, command: Command) =>
      perform(command, async (session) => {
        const { federations } = await session.control.federations();
        const line = federations.find((each) => each.trustDomain === trustDomain);
        if (line === undefined)
          throw new Failure(exit.wrong, `The trust domain ${trustDomain} is not federated.`);
        session.show(line, () => print(session, line));
        return exit.ok;
      }),
    );
  federation
    .command("add")
    .argument("<trust-domain>", "its name, as its operators say it")
    .requiredOption("--endpoint <url>", "where its bundle is, as its operators say it: https")
    .option("--bundle <file>", "its bundle, if they gave you that: believed without waiting for the address")
    .description("believe its issuer about the names of that trust domain, and about no others")
    .action((trustDomain: string, options: { endpoint: string; bundle?: string }, command: Command) =>
      perform(command, async (session) => {
        const { endpoint: url, bundle } = options;
        const line = await session.control.federate({
          trustDomain,
          bundleEndpoint: { url, profile: "https_web" },
          ...(bundle === undefined ? {} : { trustDomainBundle: textOf(bundle) }),
        });
        return shown(session, line);
      }),
    );
  federation
    .command("refresh")
    .argument("<trust-domain>", "such as partner.example")
    .description("fetch its bundle now")
    .action((trustDomain: string, _options: object, command: Command) =>
      perform(command, async (session) =>
        shown(session, await session.control.refreshFederation(trustDomain)),
      ),
    );
  federation
    .command("remove")
    .argument("<trust-domain>", "such as partner.example")
    .description("believe it no more: its workloads are refused")
    .action((trustDomain: string, _options: object, command: Command) =>
      perform(command, async (session) => {
        const { federations } = await session.control.unfederate(trustDomain);
        session.show(federations, () => printAll(session, federations));
        return exit.ok;
      }),
    );
}

/** One federation; it is wrong when its bundle could not be had. */
function shown(session: Session, line: FederationLine): ExitCode {
  session.show(line, () => print(session, line));
  return line.error === undefined ? exit.ok : exit.wrong;
}

function printAll({ terminal }: Session, lines: readonly FederationLine[]): void {
  if (lines.length === 0) {
    terminal.note("No other trust domain is federated.");
    return;
  }
  const columns = [
    { head: "TRUST DOMAIN" },
    { head: "STATE" },
    { head: "KEYS", align: "right" },
    { head: "SEQUENCE", align: "right" },
    { head: "SEEN" },
    { head: "ENDPOINT" },
  ] as const;
  const now = Date.now();
  const rows = lines.map(({ trustDomain, state, keys, sequence, seenAt, bundleEndpoint }) => [
    trustDomain,
    terminal.paint(looks[state] ?? "red", state),
    String(keys.length),
    sequence === undefined ? "-" : String(sequence),
    seenAt === undefined ? "never" : `${ago(Math.max(0, now - Date.parse(seenAt)))} ago`,
    bundleEndpoint.url,
  ]);
  terminal.out(table(terminal, columns, rows));
}

function print({ terminal }: Session, line: FederationLine): void {
  const { state, bundleEndpoint, addedBy, addedAt, sequence, keys, seenAt, believedUntil, error, failures } =
    line;
  const rows = [
    ["state", terminal.paint(looks[state] ?? "red", state)],
    ["endpoint", `${bundleEndpoint.url} (${bundleEndpoint.profile})`],
    ["added", `${addedAt} by ${addedBy}`],
    ["seen", seenAt ?? "never"],
    ["believed until", believedUntil ?? "-"],
    ["sequence", sequence === undefined ? "-" : String(sequence)],
    ["next look", line.nextAt],
    ["keys", keys.length === 0 ? "none" : keys.join(", ")],
    ...(error === undefined ? [] : [["error", `${error} (${failures ?? 1} in a row)`]]),
  ];
  terminal.out(table(terminal, [{ head: line.trustDomain }, { head: "" }], rows));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Failure(
      exit.usage,
      `${path} cannot be read: ${error instanceof Error ? error.message : typeof error}`,
    );
  }
}
