import type { StoredDocument } from "@tulle/control/api/contract.ts";
import type { Command } from "commander";
import { programmedCell, statusCells, withCreation, withStatus } from "../document-status.ts";
import { exit } from "../exit-codes.ts";
import { parseNamespace, parseRef, parseStoredKind } from "../kinds.ts";
import { type Column, table } from "../report.ts";
import type { Cli, Session } from "../session.ts";

/** `tulle get`: the documents in force. `-o yaml` gives them as they were written, since when, and what they have come to. */
export function addGet({ program, perform }: Cli): void {
  program
    .command("get")
    .description("list the documents in force; with -o yaml, as they were written, with their status")
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
            const document = await session.control.document(parseRef(kind, name, options.namespace));
            show(session, [document], document);
          } else {
            const documents = await session.control.documents({
              ...(kind !== undefined && { kind: parseStoredKind(kind) }),
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
  for (const { kind, namespace, name, refused } of documents) {
    if (refused === undefined) continue;
    const [first] = refused.issues;
    terminal.note(
      `${kind}/${namespace}/${name} is in force, and this version of Tulle refuses it: ${first?.message ?? ""} ${refused.meanwhile}`,
    );
  }
  if (format === "yaml") {
    const texts = documents.map(({ text, status, creationTimestamp }) => {
      const aged = creationTimestamp === undefined ? text : withCreation(text, creationTimestamp);
      return status === undefined ? aged : withStatus(aged, status);
    });
    if (texts.length > 0) terminal.exact(joined(texts));
    return;
  }
  show(answer, () => {
    if (documents.length === 0) return terminal.note("There is no such document in force.");
    const shown = columns.filter(({ when }) => when === undefined || documents.some(when));
    const rows = documents.map((one) => shown.map(({ cell }) => cell(one)));
    terminal.out(table(terminal, shown, rows));
  });
}

interface DocumentColumn extends Column {
  readonly cell: (document: StoredDocument) => string;
  /** Only where some document has something to show there. */
  readonly when?: (document: StoredDocument) => boolean;
}

const hasStatus = ({ status }: StoredDocument): boolean => status !== undefined;

const columns: readonly DocumentColumn[] = [
  { head: "KIND", cell: ({ kind }) => kind },
  { head: "NAMESPACE", cell: ({ namespace }) => namespace },
  { head: "NAME", cell: ({ name }) => name },
  { head: "REVISION", align: "right", cell: ({ revision }) => String(revision) },
  { head: "ACCEPTED", cell: ({ status }) => statusCells(status).accepted, when: hasStatus },
  { head: "RESOLVED", cell: ({ status }) => statusCells(status).resolved, when: hasStatus },
  {
    head: "PROGRAMMED",
    cell: ({ status }) => programmedCell(status),
    when: ({ status }) => programmedCell(status) !== "",
  },
];

/** Texts as they were written, in one stream that YAML takes apart again. */
function joined([first = "", ...more]: readonly string[]): string {
  return more.reduce((stream, text) => {
    const ended = stream.endsWith("\n") ? stream : `${stream}\n`;
    return text.startsWith("---") ? ended + text : `${ended}---\n${text}`;
  }, first);
}
