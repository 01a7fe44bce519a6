import type { Revision } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { exit } from "../exit-codes.ts";
import { parseNamespace, parseRef, parseStoredKind } from "../kinds.ts";
import { table } from "../report.ts";
import type { Cli } from "../session.ts";
import { parseRevision } from "./apply.ts";

interface HistoryOptions {
  readonly namespace?: string;
  readonly limit: number;
}

/** `tulle history`: who changed what, when and why; newest first. */
export function addHistory({ program, perform }: Cli): void {
  program
    .command("history")
    .description("who changed what, when and why; newest first")
    .argument("[kind]", "only revisions that changed this kind")
    .argument("[name]", "only those that changed this document")
    .option("-n, --namespace <namespace>", "only this namespace (for a single document: default)")
    .option("--limit <number>", "show at most so many, 0 for all", parseRevision, 20)
    .action((kind: string | undefined, name: string | undefined, options: HistoryOptions, command: Command) =>
      perform(command, async (session) => {
        const { terminal } = session;
        const asked =
          kind !== undefined && name !== undefined
            ? parseRef(kind, name, options.namespace)
            : {
                ...(kind !== undefined && { kind: parseStoredKind(kind) }),
                ...(options.namespace !== undefined && { namespace: parseNamespace(options.namespace) }),
              };
        const all = await session.control.history(asked);
        const shown = options.limit === 0 ? all : all.slice(0, options.limit);
        session.show(shown, () => {
          if (shown.length > 0) terminal.out(table(terminal, columns, shown.map(row)));
        });
        if (shown.length < all.length)
          terminal.note(`${all.length - shown.length} older ones not shown; see --limit.`);
        if (all.length === 0) terminal.note("No revision fits.");
        return exit.ok;
      }),
    );
}

const columns = [
  { head: "REVISION", align: "right" },
  { head: "AT" },
  { head: "AUTHOR" },
  { head: "CHANGES" },
  { head: "REASON" },
] as const;

/** More documents than this in one revision are counted, not listed. */
const maxListed = 3;

function row({ revision, at, author, reason, changes }: Revision): readonly string[] {
  const listed = changes
    .slice(0, maxListed)
    .map((change) => `${change.action} ${change.kind}/${change.namespace}/${change.name}`);
  const more = changes.length > maxListed ? [`and ${changes.length - maxListed} more`] : [];
  return [
    String(revision),
    at.replace("T", " ").replace(/\.\d+Z$/, "Z"),
    author,
    [...listed, ...more].join("\n"),
    reason,
  ];
}
