import type { StatusAnswer } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { exit } from "../exit-codes.ts";
import { ago, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import type { Look } from "../terminal.ts";

type Service = StatusAnswer["services"][number];

const looks: Readonly<Record<Service["state"], Look>> = {
  SYNCED: "green",
  STALE: "yellow",
  "NOT SEEN": "dim",
};

/** `tulle status`: which service runs which policy. */
export function addStatus({ program, perform }: Cli): void {
  program
    .command("status")
    .description("which service runs which policy: SYNCED, STALE or NOT SEEN")
    .option("--exit-code", "exit with 1 unless every service is SYNCED and no document is refused")
    .action((options: { exitCode?: true }, command: Command) =>
      perform(command, async (session) => {
        const status = await session.control.status();
        session.show(status, () => print(session, status));
        // A virtual service runs nowhere, so it has nothing to be in step with.
        const behind = status.services.some((service) => !service.virtual && service.state !== "SYNCED");
        const isRefusing = (status.refused ?? []).length > 0;
        return options.exitCode && (behind || isRefusing) ? exit.wrong : exit.ok;
      }),
    );
}

const columns = [
  { head: "SERVICE" },
  { head: "STATE" },
  { head: "EPOCH", align: "right" },
  { head: "ISOLATES", align: "right" },
  { head: "LAST REPORT" },
] as const;

function print(
  { terminal }: Session,
  { trustDomain, revision, epoch, services, refused = [] }: StatusAnswer,
): void {
  const { out, note, paint } = terminal;
  out(`${paint("bold", trustDomain)}  revision ${revision}  epoch ${epoch}`);
  for (const { document, meanwhile } of refused)
    note(
      `${paint("red", "REFUSED")} ${document}: this version of Tulle refuses it. ${meanwhile} See tulle check.`,
    );
  if (services.length === 0) {
    out("No services yet: apply a document of kind Service.");
    return;
  }
  const row = (service: Service): readonly string[] =>
    service.virtual
      ? [service.service, paint("dim", isOf(trustDomain, service) ? "virtual" : "other mesh"), "-", "-", "-"]
      : [
          service.service,
          paint(looks[service.state] ?? "red", service.state),
          service.epoch === 0 ? "-" : String(service.epoch),
          String(service.isolates),
          service.lastSeenMs === undefined ? "never" : `${ago(service.lastSeenMs)} ago`,
        ];
  out(table(terminal, columns, services.map(row)));
}

/** Whether a service is of this mesh: one of another has a name that another issuer gives. */
const isOf = (trustDomain: string, { spiffeId }: Service): boolean =>
  spiffeId.startsWith(`spiffe://${trustDomain}/`);
