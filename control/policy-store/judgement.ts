import type { Ages } from "@tulle/mesh-runtime/policy/age.ts";
import { canonicalJson, digestOf } from "@tulle/mesh-runtime/policy/canonical.ts";
import type { MeshOptions } from "@tulle/mesh-runtime/policy/catalog.ts";
import { compile } from "@tulle/mesh-runtime/policy/compile.ts";
import { crossCheck } from "@tulle/mesh-runtime/policy/cross-check.ts";
import { defaultCircuit } from "@tulle/mesh-runtime/policy/defaults.ts";
import { nameOf, type PolicyDocument, type Written } from "@tulle/mesh-runtime/policy/documents.ts";
import { maxSnapshotBytes } from "@tulle/mesh-runtime/policy/load.ts";
import { parseDocuments } from "@tulle/mesh-runtime/policy/parse.ts";
import { warningOf } from "@tulle/mesh-runtime/policy/refused/salvage.ts";
import type { Refused, RefusedDocuments } from "@tulle/mesh-runtime/policy/refused/words.ts";
import { readApplied } from "@tulle/mesh-runtime/policy/schema.ts";
import type { Snapshot } from "@tulle/mesh-runtime/policy/snapshot.ts";
import { issueAt, type Source } from "@tulle/mesh-runtime/policy/source.ts";
import { roomOfChange } from "@tulle/mesh-runtime/policy/yaml-limits.ts";
import type { Issue } from "../api/contract.ts";
import { documentTexts } from "./document-texts.ts";
import { readAgain, settled, standIn } from "./in-force.ts";
import { lookingAtPlaces } from "./places.ts";
import { documentName, documentRef, type Edit, type Texts } from "./revision.ts";
import { type CompiledService, type CompiledSnapshot, nameless, type ServiceView } from "./shelf.ts";
import { stoodBefore } from "./stood-before.ts";

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

/** The documents of a set, and what is wrong with it. */
interface Looked {
  readonly written: readonly Written[];
  readonly issues: readonly Issue[];
  /** Documents in force that this version refuses. */
  readonly refused: RefusedDocuments;
}

/** What is known of a set beside its texts. */
export interface Known {
  /** Of all documents of the set, as they will be. */
  readonly ages?: Ages;
  /** The set in force: what was wrong with that before is not the fault of who changes something else. */
  readonly before?: () => { readonly texts: Texts; readonly ages: Ages };
}

/** The documents in force, as they hold. */
export interface InForce {
  readonly documents: readonly PolicyDocument[];
  readonly refused: RefusedDocuments;
  /** Documents that hold for nobody, and have a status that says so. */
  readonly shown: readonly PolicyDocument[];
}

/** Reads, cross-checks and compiles. Keeps the documents of the set that it judged last, so that one change reads one text. */
export class Judgement {
  #options: { readonly meshTrustDomain: string; readonly federated?: readonly string[] };
  #known: ReadonlyMap<string, Written> = new Map();

  /** @param trustDomain the one that the issuer issues for */
  constructor(trustDomain: string) {
    this.#options = { meshTrustDomain: trustDomain };
  }

  /** Which other trust domains callers may be of, from now on. */
  federated(names: readonly string[]): void {
    this.#options = { ...this.#options, federated: names };
  }

  /** Reads sources: every document of them, and everything that is wrong with each. */
  read(sources: readonly Source[]): Read {
    const edits: Given[] = [];
    const issues: Issue[] = [];
    const names = new Set<string>();
    const room = roomOfChange();
    for (const source of sources) {
      const { parsed, issues: formIssues } = parseDocuments([source], "applied", room);
      issues.push(...formIssues);
      const texts = documentTexts(source.text, parsed);
      for (const [index, each] of parsed.entries()) {
        const read = readApplied(each);
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
  async judge(texts: Texts, given: readonly Edit[] = [], { ages, before }: Known = {}): Promise<Judged> {
    const looked = this.look(texts, given, ages);
    const { written, refused } = looked;
    const earlier = hasErrors(looked.issues) ? before?.() : undefined;
    const issues =
      earlier === undefined
        ? looked.issues
        : stoodBefore(looked.issues, this.look(earlier.texts, [], earlier.ages).issues, given);
    const digest = await digestOfText(canonicalJson(Object.fromEntries(texts)));
    if (hasErrors(issues)) return { issues, digest, services: [] };
    const services = await servicesOf(written, this.#optionsWith(ages, refused));
    return { issues: [...issues, ...services.flatMap(tooLarge)], digest, services };
  }

  /** Reads and cross-checks a whole set, and compiles nothing. */
  look(texts: Texts, given: readonly Edit[] = [], ages?: Ages): Looked {
    return lookingAtPlaces(() => this.#look(texts, given, ages));
  }

  #look(texts: Texts, given: readonly Edit[], ages: Ages | undefined): Looked {
    const { written, issues, refused, standIns } = this.#readAll(texts, given);
    // Half a set is not looked at together: what is missing would be blamed on what refers to it.
    const together = hasErrors(issues) ? [] : crossCheck(written, this.#optionsWith(ages, refused));
    // What stands for a document that is refused was written by nobody who could mend it.
    const own = together.filter(({ document }) => !standIns.has(document));
    return { written, issues: [...issues, ...own], refused };
  }

  /** The documents in force, and those that hold in part or not at all because this version refuses them. */
  inForce(texts: Texts): InForce {
    const { written, refused, shown } = this.#readAll(texts, []);
    return { documents: written.map(({ document }) => document), refused, shown };
  }

  #optionsWith(ages: Ages | undefined, refused: RefusedDocuments): MeshOptions {
    return { ...this.#options, ...(ages === undefined ? {} : { ages }), refused };
  }

  #readAll(
    texts: Texts,
    given: readonly Edit[],
  ): Looked & Pick<InForce, "shown"> & { readonly standIns: ReadonlySet<string> } {
    const edits = new Set(given.map(({ ref }) => documentName(ref)));
    const places = new Map(
      given.flatMap((edit) => ("written" in edit ? [[documentName(edit.ref), edit as Given]] : [])),
    );
    const known = new Map<string, Written>();
    const written: Written[] = [];
    const issues: Issue[] = [];
    const refused = new Map<string, Refused>();
    const shown: PolicyDocument[] = [];
    const standIns = new Set<string>();
    for (const [name, text] of texts) {
      const place = places.get(name);
      const fresh = place?.text === text ? place.written : undefined;
      const held = this.#known.get(text) ?? (fresh && settled(fresh, name, text));
      const read = held === undefined ? readAgain(name, text) : { ok: true as const, written: held };
      if (read.ok) {
        known.set(text, read.written);
        written.push(fresh ?? read.written);
      } else if (edits.has(name)) issues.push(...read.issues);
      else {
        const instead = standIn(name, read, texts);
        refused.set(name, instead.refused);
        issues.push(warningOf(instead.refused));
        if (instead.written !== undefined) {
          written.push(instead.written);
          standIns.add(nameOf(instead.written.document));
        }
        if (instead.shown !== undefined) shown.push(instead.shown);
      }
    }
    this.#known = known;
    return { written, issues, refused, shown, standIns };
  }
}

/** Lower-case hex SHA-256 of a text. */
export const digestOfText = (text: string): Promise<string> => digestOf(text);

const hasErrors = (issues: readonly Issue[]): boolean => issues.some(({ severity }) => severity === "error");

async function servicesOf(
  written: readonly Written[],
  options: MeshOptions,
): Promise<readonly CompiledService[]> {
  const documents = written.map(({ document }) => document);
  const snapshots = compile(documents, options);
  const shared = new Map<object, CompiledSnapshot["shared"]>();
  const real: CompiledService[] = [];
  for (const [service, snapshot] of snapshots) {
    const { destinations } = snapshot;
    const known = shared.get(destinations) ?? (await sharedPart(destinations));
    shared.set(destinations, known);
    const isNameless = options.refused?.get(`Service/${service}`)?.service?.isNameless === true;
    const view = viewOf(service, snapshot);
    real.push({
      view: isNameless ? { ...view, spiffeId: nameless } : view,
      compiled: await inParts(snapshot, known),
    });
  }
  const [anyone] = snapshots.values();
  const virtual = Object.values(anyone?.destinations ?? {})
    .filter(({ key }) => !snapshots.has(key))
    .map(({ key, spiffeId, trustDomain, traffic }) => ({
      view: {
        service: key,
        spiffeId,
        virtual: true,
        circuit: traffic.circuit,
        access: trustDomain === undefined ? nobody : anybody,
      },
    }));
  return [...real, ...virtual];
}

/** How every snapshot's canonical JSON begins: its members stand in the order of their names. */
const beginning = '{"destinations":';

async function sharedPart(destinations: Snapshot["destinations"]): Promise<CompiledSnapshot["shared"]> {
  const text = beginning + canonicalJson(destinations);
  return { text, digest: await digestOf(text) };
}

async function inParts(snapshot: Snapshot, shared: CompiledSnapshot["shared"]): Promise<CompiledSnapshot> {
  const outside = canonicalJson({ ...snapshot, destinations: 0 });
  if (!outside.startsWith(`${beginning}0,`))
    throw new TypeError("Cannot cut a snapshot: destinations must come first");
  const own = outside.slice(beginning.length + 1);
  // The whole text lives only while it is digested.
  return { shared, own, digest: await digestOf(shared.text + own) };
}

/** What only routes to others has no worker that anybody could call. */
const nobody = { mode: "STRICT", rules: [] } as const;

/** Who may call a Service of another mesh, that mesh knows: any workload of ours may try, and tell how it went. */
const anybody = { mode: "PERMISSIVE", rules: [] } as const;

function viewOf(
  service: string,
  { spiffeId, inbound, destinations, telemetry: { otlpEndpoint } }: Snapshot,
): ServiceView {
  const circuit = destinations[service]?.traffic.circuit ?? defaultCircuit;
  return {
    service,
    spiffeId,
    circuit,
    access: {
      mode: inbound.mode,
      rules: inbound.authorization,
      ...(inbound.replay === undefined ? {} : { replay: inbound.replay }),
    },
    virtual: false,
    ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }),
  };
}

/** Isolates refuse a larger snapshot, so it must not come into force. */
function tooLarge({ view: { service }, compiled }: CompiledService): Issue[] {
  if (compiled === undefined) return [];
  const texts = [compiled.shared.text, compiled.own];
  // A UTF-16 unit takes at most three bytes; only what could be too large is measured.
  if (texts.reduce((sum, text) => sum + text.length * 3, 0) <= maxSnapshotBytes) return [];
  const bytes = texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
  if (bytes <= maxSnapshotBytes) return [];
  const document = `Service/${service}`;
  return [
    {
      ...{ severity: "error", source: document, line: 1, column: 1, document, path: "" },
      expected: `a snapshot of at most ${maxSnapshotBytes} bytes`,
      found: `${bytes} bytes`,
      message: `What ${service} would have to know takes ${bytes} bytes, at most ${maxSnapshotBytes} are allowed; use fewer services or routes in one mesh.`,
    },
  ];
}

function twice({ origin }: Written, name: string): Issue {
  return issueAt(origin, name, {
    path: [],
    expected: "each document once",
    found: `${name} again`,
    message: `${name} is given twice; keep one of the two.`,
  });
}
