import type { Attestor, EntryLine } from "@tulle/control/api/contract.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { spanMs } from "../days.ts";
import { exit } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { ago, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";

const attestors: readonly Attestor[] = ["binding", "deno-deploy", "join-token"];
const minTtlMs = 600_000;
const maxTtlMs = 14_400_000;

interface CreateOptions {
  readonly service?: string;
  readonly attestor: Attestor;
  readonly selector?: readonly string[];
  readonly ttl?: number;
  readonly note?: string;
}

/** `tulle identity create|entries|delete`: who may become which identity. */
export function addEntries(identity: Command, perform: Cli["perform"]): void {
  identity
    .command("create")
    .argument("[spiffe-id]", "the identity, such as spiffe://mesh.local/ns/default/sa/web; or --service")
    .option("--service <name>", "the identity of a Service: name, or namespace/name")
    .addOption(
      new Option("--attestor <attestor>", "by what a workload shows what it is")
        .choices(attestors)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option(
        "--selector <name:value>",
        "what must be so of it; given several times, all of them",
      ).argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]),
    )
    .addOption(
      new Option("--ttl <duration>", "how long its credentials live, from 10m to 4h").argParser(parseTtl),
    )
    .option("--note <text>", "for the list")
    .description("register who may become an identity; without any entry every binding and join token may")
    .action((spiffeId: string | undefined, options: CreateOptions, command: Command) =>
      perform(command, async (session) => {
        const { service, attestor, selector, ttl, note } = options;
        if ((spiffeId === undefined) === (service === undefined))
          throw new Failure(exit.usage, "Name exactly one: a SPIFFE ID, or --service.");
        const made = await session.control.createEntry({
          ...(spiffeId === undefined ? {} : { spiffeId }),
          ...(service === undefined ? {} : { service }),
          attestor,
          ...(selector === undefined ? {} : { selectors: selector }),
          ...(ttl === undefined ? {} : { ttlMs: ttl }),
          ...(note === undefined ? {} : { note }),
        });
        session.show(made, () => {
          tableOf(session, [made]);
          session.terminal.note(`Only what its entries name may become ${made.spiffeId} now.`);
        });
        return exit.ok;
      }),
    );
  identity
    .command("entries")
    .argument("[spiffe-id]", "of one identity; tulle identity show has those of a Service")
    .description("the registration entries: who may become which identity")
    .action((spiffeId: string | undefined, _options: object, command: Command) =>
      perform(command, async (session) => {
        if (spiffeId !== undefined && !spiffeId.startsWith("spiffe://"))
          throw new Failure(
            exit.usage,
            `${spiffeId} is no SPIFFE ID.`,
            `The entries of a Service: tulle identity show ${spiffeId}`,
          );
        const { entries } = await session.control.entries();
        showEntries(
          session,
          entries.filter((entry) => spiffeId === undefined || entry.spiffeId === spiffeId),
        );
        return exit.ok;
      }),
    );
  identity
    .command("delete")
    .argument("<entry>", "the id of an entry that is revoked")
    .description(
      "forget a revoked entry; an identity without any entry is open to bindings and join tokens again",
    )
    .action((id: string, _options: object, command: Command) =>
      perform(command, async (session) => {
        const deleted = await session.control.deleteEntry(id);
        session.show(deleted, () =>
          session.terminal.out(`Entry ${deleted.id} of ${deleted.spiffeId} is forgotten.`),
        );
        return exit.ok;
      }),
    );
}

/** Prints entries; `answer` is what machines get. */
export function showEntries(
  session: Session,
  entries: readonly EntryLine[],
  answer: unknown = entries,
): void {
  session.show(answer, () => tableOf(session, entries));
}

/** The table of entries, or that there are none. */
export function tableOf({ terminal }: Session, entries: readonly EntryLine[]): void {
  if (entries.length === 0) {
    terminal.note("There are no registration entries.");
    return;
  }
  const columns = [
    { head: "ENTRY" },
    { head: "SPIFFE ID" },
    { head: "BY" },
    { head: "SELECTORS" },
    { head: "LIFE" },
    { head: "CREDENTIALS", align: "right" },
    { head: "CREATED" },
    { head: "NOTE" },
  ] as const;
  const rows = entries.map((entry) => [
    entry.id,
    entry.spiffeId,
    entry.attestor,
    entry.selectors.join(" ") || "-",
    entry.revokedAt === undefined
      ? entry.ttlMs === undefined
        ? "-"
        : ago(entry.ttlMs)
      : terminal.paint("red", `revoked by ${entry.revokedBy ?? "-"}`),
    String(entry.issued),
    `${entry.createdAt.slice(0, 10)} ${entry.createdBy}`,
    entry.note || "-",
  ]);
  terminal.out(table(terminal, columns, rows));
}

function parseTtl(text: string): number {
  const ms = spanMs(text);
  if (ms >= minTtlMs && ms <= maxTtlMs) return ms;
  throw new InvalidArgumentError("It must be from 10m to 4h.");
}
