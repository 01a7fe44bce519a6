import { canonicalJson, digestOf, remember } from "@tulle/mesh-runtime/policy/canonical.ts";
import { compile } from "@tulle/mesh-runtime/policy/compile.ts";
import { crossCheck } from "@tulle/mesh-runtime/policy/cross-check.ts";
import { defaultCircuit } from "@tulle/mesh-runtime/policy/defaults.ts";
import { nameOf, type Written } from "@tulle/mesh-runtime/policy/documents.ts";
import { parseDocuments } from "@tulle/mesh-runtime/policy/parse.ts";
import { readDocument } from "@tulle/mesh-runtime/policy/schema.ts";
import type { Snapshot } from "@tulle/mesh-runtime/policy/snapshot.ts";
import { issueAt, type Source } from "@tulle/mesh-runtime/policy/source.ts";
import type { Issue } from "../api/contract.ts";
import { documentTexts } from "./document-texts.ts";
import { documentName, documentRef, type Edit, type Texts } from "./revision.ts";
import type { CompiledService, ServiceView } from "./shelf.ts";

/** A document that somebody wants in force. */
export interface Given extends Edit {
  readonly text: string;
  /** As the schema read it, with the place in the source that it came in. */
  readonly written: Written;
}

/** What some sources say, as far as each document can be judged by itself. */
export interface Read {
  readonly edits: readonly Given[];
  readonly issues: readonly Issue[];
}

/** What a whole set of documents amounts to. Without errors among the issues it may come into force. */
export interface Judged {
  readonly issues: readonly Issue[];
  /** SHA-256 of all names and texts. */
  readonly digest: string;
  /** Empty when there are errors. */
  readonly services: readonly CompiledService[];
}

/** Reads, cross-checks and compiles. Keeps the documents of the set that it judged last, so that one change reads one text. */
export class Judgement {
  readonly #trustDomain: string;
  #known: ReadonlyMap<string, Written> = new Map();

  /** @param trustDomain the one that the issuer issues for */
  constructor(trustDomain: string) {
    this.#trustDomain = trustDomain;
  }

  /** Reads sources: every document of them, and everything that is wrong with each. */
  read(sources: readonly Source[]): Read {
    const edits: Given[] = [];
    const issues: Issue[] = [];
    const names = new Set<string>();
    for (const source of sources) {
      const { parsed, issues: formIssues } = parseDocuments([source]);
      issues.push(...formIssues);
      const texts = documentTexts(source.text, parsed);
      for (const [index, each] of parsed.entries()) {
        const read = readDocument(each);
        issues.push(...read.issues);
        const text = texts[index] ?? source.text;
        for (const written of read.written) {
          const name = nameOf(written.document);
          if (names.has(name)) issues.push(twice(written, name));
          names.add(name);
          edits.push({ ref: documentRef(name), text, written });
        }
      }
    }
    return { edits, issues };
  }

  /**
   * Judges a whole set.
   * @param given documents of the set whose places are to be told as they were given; the others are told by name
   */
  async judge(texts: Texts, given: readonly Edit[] = []): Promise<Judged> {
    const places = new Map(
      given.flatMap((edit) => ("written" in edit ? [[documentName(edit.ref), edit as Given]] : [])),
    );
    const known = new Map<string, Written>();
    const written: Written[] = [];
    for (const [name, text] of texts) {
      const place = places.get(name);
      const one =
        this.#known.get(text) ??
        (place?.text === text ? settled(place.written, name, text) : reread(name, text));
      if (one === undefined) continue;
      known.set(text, one);
      written.push(place?.text === text ? place.written : one);
    }
    this.#known = known;
    const options = { meshTrustDomain: this.#trustDomain };
    const issues = crossCheck(written, options);
    const digest = await digestOfText(canonicalJson(Object.fromEntries(texts)));
    if (issues.some(({ severity }) => severity === "error")) return { issues, digest, services: [] };
    return { issues, digest, services: await servicesOf(written, options) };
  }
}

/** Lower-case hex SHA-256 of a text. */
export const digestOfText = (text: string): Promise<string> => digestOf(text);

/** Reads a text that is in force again. It was valid when it was written; what a newer version refuses is left out, closed. */
function reread(name: string, text: string): Written | undefined {
  const [parsed] = parseDocuments([{ source: name, text }]).parsed;
  const [written] = parsed === undefined ? [] : readDocument(parsed).written;
  return written && settled(written, name, text);
}

/** The document without its syntax tree, which is many times its size: a place in it is looked for when one is asked for. */
const settled = ({ document }: Written, name: string, text: string): Written => ({
  document,
  origin: {
    source: name,
    within: [],
    locate: (path, at) => {
      const [parsed] = parseDocuments([{ source: name, text }]).parsed;
      return parsed?.origin.locate(path, at) ?? { line: 1, column: 1 };
    },
  },
});

async function servicesOf(
  written: readonly Written[],
  options: { readonly meshTrustDomain: string },
): Promise<readonly CompiledService[]> {
  const documents = written.map(({ document }) => document);
  const snapshots = compile(documents, options);
  const memo = new WeakMap<object, string>();
  const real: CompiledService[] = [];
  for (const [service, snapshot] of snapshots) {
    remember(memo, snapshot.destinations);
    const text = canonicalJson(snapshot, memo);
    real.push({
      view: viewOf(service, snapshot),
      compiled: { digest: await digestOf(text), snapshot: text },
    });
  }
  const [anyone] = snapshots.values();
  const virtual = Object.values(anyone?.destinations ?? {})
    .filter(({ key }) => !snapshots.has(key))
    .map(({ key, spiffeId, traffic }) => ({
      view: { service: key, spiffeId, virtual: true, circuit: traffic.circuit },
    }));
  return [...real, ...virtual];
}

function viewOf(
  service: string,
  { spiffeId, destinations, telemetry: { otlpEndpoint } }: Snapshot,
): ServiceView {
  const circuit = destinations[service]?.traffic.circuit ?? defaultCircuit;
  return {
    service,
    spiffeId,
    circuit,
    virtual: false,
    ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }),
  };
}

function twice({ origin }: Written, name: string): Issue {
  return issueAt(origin, name, {
    path: [],
    expected: "each document once",
    found: `${name} again`,
    message: `${name} is given twice; keep one of the two.`,
  });
}
