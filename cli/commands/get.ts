import type { StoredDocument } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { exit } from "../exit-codes.ts";
import { parseKind, parseNamespace, parsePlace } from "../kinds.ts";
import { table } from "../report.ts";
import type { Cli, Session } from "../session.ts";

/** `tulle get`: the documents in force. `-o yaml` gives them as they were written. */
export function addGet({ program, perform }: Cli): void {
  program
    .command("get")
    .description("list the documents in force; with -o yaml, as they were written")
    .argument("[kind]", "such as httproute, svc, authorizationpolicies (default: all)")
    .argument("[name]", "name, or namespace/name")
    .option(
      "-n, --namespace <namespace>",
      "only this namespace (default: all; for a single document: default)",
    )
    .action(
      (
        kind: string | undefined,
        name: string | undefined,
        options: { namespace?: string },
        command: Command,
      ) =>
        perform(command, async (session) => {
          if (kind !== undefined && name !== undefined) {
            const ref = { kind: parseKind(kind), ...parsePlace(name, options.namespace) };
            const document = await session.control.document(ref);
            show(session, [document], document);
          } else {
            const documents = await session.control.documents({
              ...(kind !== undefined && { kind: parseKind(kind) }),
              ...(options.namespace !== undefined && { namespace: parseNamespace(options.namespace) }),
            });
            show(session, documents, documents);
          }
          return exit.ok;
        }),
    );
}

function show(
  { format, terminal, show }: Session,
  documents: readonly StoredDocument[],
  answer: unknown,
): void {
  if (format === "yaml") {
    if (documents.length > 0) terminal.exact(joined(documents.map(({ text }) => text)));
    return;
  }
  show(answer, () => {
    if (documents.length === 0) return terminal.note("There is no such document in force.");
    const columns = [
      { head: "KIND" },
      { head: "NAMESPACE" },
      { head: "NAME" },
      { head: "REVISION", align: "right" },
    ] as const;
    const rows = documents.map((one) => [one.kind, one.namespace, one.name, String(one.revision)]);
    terminal.out(table(terminal, columns, rows));
  });
}

/** Texts as they were written, in one stream that YAML takes apart again. */
function joined([first = "", ...more]: readonly string[]): string {
  return more.reduce((stream, text) => {
    const ended = stream.endsWith("\n") ? stream : `${stream}\n`;
    return text.startsWith("---") ? ended + text : `${ended}---\n${text}`;
  }, first);
}
