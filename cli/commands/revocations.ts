import type { IdentityLine, RevocationRequest, RevocationsAnswer } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { ago, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import { showEntries, tableOf } from "./entries.ts";

interface What {
  readonly jti?: string;
  readonly thumbprint?: string;
  readonly entry?: string;
  readonly reason?: string;
}

const onlyOne = "Name exactly one: a SPIFFE ID, --jti, --thumbprint or, to revoke, --entry.";

/** `tulle identity list|show|revoke|unrevoke|revoked`: who has an identity, and who is no longer believed. */
export function addRevocations(identity: Command, perform: Cli["perform"]): void {
  identity
    .command("list")
    .argument("[service]", "one service: name, namespace/name, or its SPIFFE ID")
    .description(
      "services and registered identities: SPIFFE ID, who may become each, and how many credentials it was given",
    )
    .action((service: string | undefined, _options: object, command: Command) =>
      perform(command, async (session) => {
        const lines = await identitiesOf(session, service);
        if (lines.length === 0 && service !== undefined) throw notThere(service);
        session.show(lines, () => tableOfIdentities(session, lines));
        return exit.ok;
      }),
    );
  identity
    .command("show")
    .argument("<service>", "name, namespace/name, or the SPIFFE ID")
    .description("one identity, with its registration entries")
    .action((service: string, _options: object, command: Command) =>
      perform(command, async (session) => {
        const lines = await identitiesOf(session, service);
        const spiffeId = isSpiffeId(service) ? service : lines[0]?.spiffeId;
        const { entries } = await session.control.entries();
        const own = entries.filter((entry) => entry.spiffeId === spiffeId);
        if (lines.length === 0 && own.length === 0) throw notThere(service);
        session.show({ spiffeId, ...lines[0], entries: own }, () => {
          if (lines.length === 0) session.terminal.note(`No Service has the identity ${service} at present.`);
          else {
            tableOfIdentities(session, lines);
            session.terminal.out("");
          }
          tableOf(session, own);
        });
        return exit.ok;
      }),
    );
  named(identity.command("revoke"))
    .option("--entry <id>", "one registration entry: nothing is issued by it any more")
    .option("--reason <text>", "why, for the list")
    .description("refuse what was issued until now, and issue no more")
    .action((id: string | undefined, options: What, command: Command) =>
      perform(command, async (session) => {
        const { entry, reason } = options;
        if (entry === undefined) {
          show(session, await session.control.revoke(requestOf(id, options)));
          if (id !== undefined) await noteUnknown(session, id);
        } else if (id !== undefined || options.jti !== undefined || options.thumbprint !== undefined)
          throw new Failure(exit.usage, onlyOne);
        else {
          const revoked = await session.control.revokeEntry(entry, reason);
          showEntries(session, [revoked], revoked);
          if (revoked.issued === 0)
            session.terminal.note(
              `Nobody came in by it, so no token is refused; tulle identity revoke ${revoked.spiffeId} ends those that there are.`,
            );
        }
        return exit.ok;
      }),
    );
  named(identity.command("unrevoke"))
    .description("lift a revocation; an identity gets new credentials, those from before stay refused")
    .action((id: string | undefined, options: What, command: Command) =>
      perform(command, async (session) => {
        show(session, await session.control.unrevoke(requestOf(id, options)));
        return exit.ok;
      }),
    );
  identity
    .command("revoked")
    .description("what is revoked")
    .action((_options: object, command: Command) =>
      perform(command, async (session) => {
        show(session, await session.control.revocations());
        return exit.ok;
      }),
    );
}

const isSpiffeId = (text: string): boolean => text.startsWith("spiffe://");

const keyOf = (service: string): string => (service.includes("/") ? service : `default/${service}`);

/** The identities of all services, or that of one, which is named by its key or its SPIFFE ID. */
async function identitiesOf(session: Session, service: string | undefined): Promise<readonly IdentityLine[]> {
  const { identities } = await session.control.identities();
  if (service === undefined) return identities;
  return identities.filter((line) =>
    isSpiffeId(service) ? line.spiffeId === service : line.service === keyOf(service),
  );
}

const notThere = (service: string): Failure =>
  new Failure(
    exit.wrong,
    isSpiffeId(service)
      ? `No Service and no registration entry has the identity ${service}.`
      : `No Service ${keyOf(service)} is registered.`,
  );

/** Says so when no Service of this mesh has an identity that was revoked, since it may be misspelt. */
async function noteUnknown(session: Session, spiffeId: string): Promise<void> {
  const { identities } = await session.control.identities();
  const domainOf = (id: string): string | undefined => id.split("/")[2];
  const isOurs = identities.some((line) => domainOf(line.spiffeId) === domainOf(spiffeId));
  if (isOurs && !identities.some((line) => line.spiffeId === spiffeId && line.service !== ""))
    session.terminal.note(
      `No Service has the identity ${spiffeId} at present: if it is misspelt, see tulle identity list.`,
    );
}

function tableOfIdentities({ terminal }: Session, lines: readonly IdentityLine[]): void {
  const columns = [
    { head: "SERVICE" },
    { head: "SPIFFE ID" },
    { head: "ATTESTED BY" },
    { head: "SEEN" },
    { head: "CREDENTIALS", align: "right" },
    { head: "LAST ISSUED" },
    { head: "REVOKED" },
  ] as const;
  const rows = lines.map((line) => [
    line.service === "" ? "-" : line.service,
    line.spiffeId,
    attestedBy(line),
    line.lastSeenMs === undefined ? "-" : `${ago(line.lastSeenMs)} ago`,
    String(line.issued),
    line.lastIssuedAt ?? "-",
    line.revoked ? terminal.paint("red", "revoked") : "-",
  ]);
  terminal.out(table(terminal, columns, rows));
}

/** Who may become it: by its entries, or anybody whom a binding or a join token names. */
function attestedBy({ attestors, registered }: IdentityLine): string {
  if (!registered) return "anybody named so";
  return attestors.length === 0 ? "nobody" : attestors.join(", ");
}

const named = (command: Command): Command =>
  command
    .argument("[spiffe-id]", "all tokens of an identity, such as spiffe://mesh.local/ns/default/sa/web")
    .option("--jti <id>", "one token, by its jti")
    .option("--thumbprint <jkt>", "one key of a workload, by its RFC 7638 thumbprint");

function requestOf(spiffeId: string | undefined, { jti, thumbprint, reason }: What): RevocationRequest {
  const given = [spiffeId, jti, thumbprint].filter((each) => each !== undefined);
  if (given.length !== 1) throw new Failure(exit.usage, onlyOne);
  return {
    ...(spiffeId === undefined ? {} : { spiffeId }),
    ...(jti === undefined ? {} : { jti }),
    ...(thumbprint === undefined ? {} : { thumbprint }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function show(session: Session, answer: RevocationsAnswer): void {
  session.show(answer.revoked, () => {
    const { terminal } = session;
    if (answer.revoked.length === 0) {
      terminal.note("Nothing is revoked.");
      return;
    }
    const columns = [
      { head: "WHAT" },
      { head: "VALUE" },
      { head: "AT" },
      { head: "LIFTED" },
      { head: "BY" },
      { head: "REASON" },
    ];
    const rows = answer.revoked.map(({ kind, value, at, liftedAt, by, reason }) => [
      kind,
      value,
      at,
      liftedAt ?? "-",
      by,
      reason,
    ]);
    terminal.out(table(terminal, columns, rows));
  });
}
