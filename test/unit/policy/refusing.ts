import { readAgain, standIn } from "../../../control/policy-store/in-force.ts";
import { keyOf, type PolicyDocument } from "../../../mesh-runtime/policy/documents.ts";
import type { Refused, RefusedDocuments } from "../../../mesh-runtime/policy/refused/words.ts";

/** Documents that are in force, some of which would be refused today. */
export interface Mixed {
  readonly documents: readonly PolicyDocument[];
  readonly refused: RefusedDocuments;
  readonly shown: readonly PolicyDocument[];
}

/** Adds texts that are in force and refused; each must be. */
export function withRefused(valid: readonly PolicyDocument[], texts: readonly string[]): Mixed {
  const documents = [...valid];
  const refused = new Map<string, Refused>();
  const shown: PolicyDocument[] = [];
  const services = valid.filter(({ kind }) => kind === "Service").map((one) => [`Service/${keyOf(one)}`, ""]);
  const known = new Map(services as [string, string][]);
  for (const text of texts) {
    const name = nameIn(text);
    const read = readAgain(name, text);
    if (read.ok) throw new Error(`${name} is not refused`);
    const instead = standIn(name, read, known);
    refused.set(name, instead.refused);
    if (instead.written !== undefined) documents.push(instead.written.document);
    if (instead.shown !== undefined) shown.push(instead.shown);
  }
  return { documents, refused, shown };
}

/** What a text is called, which need not be YAML: its first line may say so, as `# Kind/namespace/name`. */
function nameIn(text: string): string {
  const [, said] = /^# (\S+)/.exec(text) ?? [];
  if (said !== undefined) return said;
  const [, kind = "", name = ""] = /kind: (\w+), metadata: \{name: ([\w-]+)/.exec(text) ?? [];
  const [, namespace = "default"] = /metadata: \{[^}]*namespace: ([\w-]+)/.exec(text) ?? [];
  return `${kind}/${namespace}/${name}`;
}
