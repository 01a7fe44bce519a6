import type { AuditEntry, AuditMark } from "@tulle/control/api/contract.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { AuditChain, type Break } from "../audit-chain.ts";
import { spanMs } from "../days.ts";
import { type ExitCode, exit } from "../exit-codes.ts";
import { RememberedHeads } from "../remembered-heads.ts";
import { count, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";
import { parseRevision } from "./apply.ts";

/** Entries of one page; control gives no more. */
const pageSize = 1_000;

interface ListOptions {
  readonly since?: string;
  readonly actor?: string;
  readonly limit: number;
}

interface VerifyOptions {
  readonly head?: string;
  readonly forget?: true;
}

/** `tulle audit`: who changed what, and whether anybody has changed the log of it. */
export function addAudit({ program, perform }: Cli): void {
  const audit = program
    .command("audit")
    .description("who changed or tried to change what; newest first")
    .addOption(
      new Option(
        "--since <time>",
        "not older: a time such as 2027-01-31T00:00:00Z, or an age such as 7d",
      ).argParser(parseSince),
    )
    .option("--actor <name>", "only what this token did")
    .option("--limit <number>", "show at most so many, 0 for all", parseRevision, 20)
    .action((options: ListOptions, command: Command) =>
      perform(command, async (session) => {
        const { entries, more } = await listed(session, options);
        session.show(entries, () => {
          if (entries.length > 0) session.terminal.out(table(session.terminal, columns, entries.map(row)));
        });
        if (more) session.terminal.note("Older ones not shown; see --limit.");
        if (entries.length === 0) session.terminal.note("No entry fits.");
        return exit.ok;
      }),
    );
  audit
    .command("verify")
    .description("walk the chain of the log from end to end; exit code 1 if it was tampered with")
    .addOption(
      new Option(
        "--head <hash>",
        "the log must hold the entry with this hash (default: the one verified last)",
      ).argParser(parseHash),
    )
    .option("--forget", "do not compare with what was verified last: another log is known to be there now")
    .action((options: VerifyOptions, command: Command) =>
      perform(command, (session) => verify(session, options)),
    );
}

async function listed(
  { control }: Session,
  { since, actor, limit }: ListOptions,
): Promise<{ entries: readonly AuditEntry[]; more: boolean }> {
  if (limit > 0 && limit <= pageSize) return control.audit({ since, actor, limit, newest: 1 });
  const all: AuditEntry[] = [];
  for (let after = 0, more = true; more; ) {
    const page = await control.audit({ since, actor, limit: pageSize, after });
    all.push(...page.entries);
    after = all.at(-1)?.sequence ?? after;
    more = page.more;
  }
  all.reverse();
  return limit === 0
    ? { entries: all, more: false }
    : { entries: all.slice(0, limit), more: all.length > limit };
}

async function verify(session: Session, { head, forget }: VerifyOptions): Promise<ExitCode> {
  const { control, terminal } = session;
  const heads = new RememberedHeads(process.cwd());
  const remembered = forget === true ? undefined : heads.of(control.connection.url);
  const known = [head, remembered?.hash].filter((hash) => hash !== undefined);
  const chain = new AuditChain(known);
  const broken = (await walk(session, chain)) ?? chain.end() ?? lost(chain, head, remembered);
  const answer = {
    ok: broken === undefined,
    entries: chain.entries,
    first: chain.first,
    head: chain.head,
    ...(broken === undefined ? {} : { brokenAt: broken.sequence, reason: broken.what }),
  };
  session.show(answer, () => {
    if (broken === undefined) {
      terminal.out(`The chain holds: ${count(chain.entries, "entry").replace("entrys", "entries")}.`);
      terminal.out(`head ${chain.head.sequence} ${chain.head.hash}`);
    } else terminal.out(`${terminal.paint("red", "BROKEN")} at ${broken.sequence}: ${broken.what}.`);
  });
  if (broken !== undefined) {
    terminal.note(
      "Somebody has changed the storage of control, or another log is there now (a mesh that was made anew). docs/operators.md says what to do.",
    );
    return exit.wrong;
  }
  if (remembered !== undefined && remembered.sequence < chain.first)
    terminal.note(
      `What was verified last, entry ${remembered.sequence}, has been dropped since: it could not be compared.`,
    );
  if (chain.entries > 0) heads.remember(control.connection.url, chain.head);
  return exit.ok;
}

async function walk({ control }: Session, chain: AuditChain): Promise<Break | undefined> {
  for (;;) {
    const { entries, more, head } = await control.audit({ after: chain.head.sequence, limit: pageSize });
    for (const entry of entries) {
      const broken = await chain.next(entry);
      if (broken !== undefined) return broken;
    }
    if (more && entries.length > 0) continue;
    // Written between the page and this look at it, or taken away: the next page tells.
    if (head.sequence <= chain.head.sequence) return undefined;
    if (entries.length === 0)
      return {
        sequence: chain.head.sequence + 1,
        what: `control says that ${head.sequence} is the newest, and does not show it`,
      };
  }
}

/** Entries that were there once and are not any longer: what a chain alone cannot tell. */
function lost(
  chain: AuditChain,
  head: string | undefined,
  remembered: AuditMark | undefined,
): Break | undefined {
  if (
    remembered !== undefined &&
    remembered.sequence >= chain.first &&
    chain.found(remembered.hash) === undefined
  ) {
    const { sequence } = remembered;
    return sequence > chain.head.sequence
      ? {
          sequence: chain.head.sequence + 1,
          what: `the log ends at ${chain.head.sequence}, and entry ${sequence} was verified before: the tail was cut off`,
        }
      : {
          sequence,
          what: `entry ${sequence} is another one than was verified before: the log was written anew`,
        };
  }
  if (head !== undefined && chain.found(head) === undefined)
    return {
      sequence: chain.head.sequence + 1,
      what: "no entry has the hash of --head: the log was cut off or written anew",
    };
  return undefined;
}

const columns = [
  { head: "#", align: "right" },
  { head: "AT" },
  { head: "ACTOR" },
  { head: "ACTION" },
  { head: "OBJECTS" },
  { head: "REVISION" },
  { head: "REASON" },
] as const;

/** More objects than this in one entry are counted, not listed. */
const maxListed = 3;

function row({
  sequence,
  at,
  actor,
  action,
  outcome,
  objects,
  omitted = 0,
  revision,
  reason,
  skipped,
}: AuditEntry): readonly string[] {
  const more = objects.length - maxListed + omitted;
  return [
    String(sequence),
    at.replace("T", " ").replace(/\.\d+Z$/, "Z"),
    `${actor.name} (${actor.role})`,
    outcome === "refused" ? `${action} REFUSED` : action,
    [...objects.slice(0, maxListed), ...(more > 0 ? [`and ${more} more`] : [])].join("\n"),
    revision.before === revision.after ? String(revision.after) : `${revision.before} → ${revision.after}`,
    skipped === undefined ? reason : `${reason} (before this, ${skipped} more refused attempts)`.trim(),
  ];
}

function parseSince(text: string): string {
  const at = Date.parse(text);
  if (/^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(at)) return new Date(at).toISOString();
  try {
    return new Date(Date.now() - spanMs(text)).toISOString();
  } catch {
    // What it says is about ages alone, and here a time will do as well.
    throw new InvalidArgumentError(
      'It must be a time such as "2027-01-31T00:00:00Z", or an age such as "7d" or "12h".',
    );
  }
}

function parseHash(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be the 64 hex digits that `tulle audit verify` shows as head.");
}
