import type { RevocationRequest, RevocationsAnswer } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { ago, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";

interface What {
  readonly jti?: string;
  readonly thumbprint?: string;
  readonly reason?: string;
}

/** `tulle identity list|revoke|unrevoke|revoked`: who has an identity, and who is no longer believed. */
export function addRevocations(identity: Command, perform: Cli["perform"]): void {
  identity
    .command("list")
    .alias("show")
    .argument("[service]", "one service: name, or namespace/name")
    .description(
      "the services with their SPIFFE IDs, when they were seen, and how many credentials they were given",
    )
    .action((service: string | undefined, _options: object, command: Command) =>
      perform(command, async (session) => {
        const { identities } = await session.control.identities();
        const wanted = service === undefined || service.includes("/") ? service : `default/${service}`;
        const lines = identities.filter((line) => wanted === undefined || line.service === wanted);
        if (wanted !== undefined && lines.length === 0)
          throw new Failure(exit.wrong, `No Service ${wanted} is registered.`);
        session.show(lines, () => {
          const columns = [
            { head: "SERVICE" },
            { head: "SPIFFE ID" },
            { head: "SEEN" },
            { head: "CREDENTIALS", align: "right" },
            { head: "LAST ISSUED" },
            { head: "REVOKED" },
          ] as const;
          const rows = lines.map(({ service, spiffeId, lastSeenMs, issued, lastIssuedAt, revoked }) => [
            service,
            spiffeId,
            lastSeenMs === undefined ? "-" : `${ago(lastSeenMs)} ago`,
            String(issued),
            lastIssuedAt ?? "-",
            revoked ? session.terminal.paint("red", "revoked") : "-",
          ]);
          session.terminal.out(table(session.terminal, columns, rows));
        });
        return exit.ok;
      }),
    );
  named(identity.command("revoke"))
    .option("--reason <text>", "why, for the list")
    .description("refuse what was issued until now, and issue no more")
    .action((id: string | undefined, options: What, command: Command) =>
      perform(command, async (session) => {
        show(session, await session.control.revoke(requestOf(id, options)));
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

const named = (command: Command): Command =>
  command
    .argument("[spiffe-id]", "all tokens of an identity, such as spiffe://mesh.local/ns/default/sa/web")
    .option("--jti <id>", "one token, by its jti")
    .option("--thumbprint <jkt>", "one key of a workload, by its RFC 7638 thumbprint");

function requestOf(spiffeId: string | undefined, { jti, thumbprint, reason }: What): RevocationRequest {
  const given = [spiffeId, jti, thumbprint].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw new Failure(exit.usage, "Name exactly one: a SPIFFE ID, --jti or --thumbprint.");
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
