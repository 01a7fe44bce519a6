import type { Age, Ages } from "@tulle/mesh-runtime/policy/age.ts";
import type { Change, DocumentRef, Revision, StoredDocument } from "../api/contract.ts";
import { migrate } from "../storage.ts";
import { AgeBook } from "./age-book.ts";
import { policyTables } from "./migrations.ts";
import { documentName, documentRef, type Edit, type Texts } from "./revision.ts";
import { type CompiledService, Shelf } from "./shelf.ts";

/** One revision about to be written. */
export interface Entry {
  readonly author: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
  /** Of the whole set of documents after it. */
  readonly digest: string;
  readonly edits: readonly (Edit & { readonly digest: string })[];
  readonly changes: readonly Change[];
  readonly services: readonly CompiledService[];
  /** Of every document after it. */
  readonly ages: Ages;
}

/** Where one document stood around a revision that touched it. */
export interface Touched {
  readonly ref: DocumentRef;
  readonly before: string | undefined;
  /** The newest revision that touched it, if that is a later one. */
  readonly laterRevision: number | undefined;
}

const historyLimit = 500;

/** The documents and their revisions in SQLite. Every method is synchronous, so that nothing comes between its steps. */
export class Ledger {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  /** What the newest revision compiles to. */
  readonly shelf: Shelf;
  /** How old the documents are. */
  readonly ages: AgeBook;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    migrate(storage, policyTables);
    this.shelf = new Shelf(storage.sql);
    this.ages = new AgeBook(storage.sql);
  }

  /** The newest revision; 0 before the first. It is also the mesh's epoch. */
  revision(): number {
    return this.#sql
      .exec<{ revision: number }>("SELECT COALESCE(MAX(revision), 0) AS revision FROM revisions")
      .one().revision;
  }

  texts(): Texts {
    const rows = this.#sql.exec<{ name: string; text: string }>(
      "SELECT name, text FROM documents ORDER BY name",
    );
    return new Map([...rows].map(({ name, text }) => [name, text]));
  }

  documents(filter: { readonly kind?: string; readonly namespace?: string } = {}): StoredDocument[] {
    const rows = this.#sql.exec<{ name: string; revision: number; text: string }>(
      "SELECT name, revision, text FROM documents ORDER BY name",
    );
    const ages = this.ages.all();
    return [...rows]
      .map(({ name, revision, text }) => ({
        ...documentRef(name),
        revision,
        text,
        ...created(ages.get(name)),
      }))
      .filter(({ kind }) => filter.kind === undefined || kind === filter.kind)
      .filter(({ namespace }) => filter.namespace === undefined || namespace === filter.namespace);
  }

  document(ref: DocumentRef): StoredDocument | undefined {
    const name = documentName(ref);
    const [row] = this.#sql.exec<{ revision: number; text: string }>(
      "SELECT revision, text FROM documents WHERE name = ?",
      name,
    );
    return row && { ...ref, ...row, ...created(this.ages.of(name)) };
  }

  /** When each revision was written, ISO 8601. */
  times(): ReadonlyMap<number, string> {
    const rows = this.#sql.exec<{ revision: number; at: string }>("SELECT revision, at FROM revisions");
    return new Map([...rows].map(({ revision, at }) => [revision, at]));
  }

  /** The digest and revision of each text in force, by name. */
  digests(): ReadonlyMap<string, { readonly digest: string; readonly revision: number }> {
    const rows = this.#sql.exec<{ name: string; digest: string; revision: number }>(
      "SELECT name, digest, revision FROM documents",
    );
    return new Map([...rows].map(({ name, ...row }) => [name, row]));
  }

  /** Newest first; all, or those that touched what the filter names. */
  history(filter: Partial<DocumentRef> = {}, limit = historyLimit): Revision[] {
    const rows = this.#sql
      .exec<Omit<Revision, "changes"> & Record<string, SqlStorageValue>>(
        "SELECT revision, parent, author, reason, at, digest FROM revisions ORDER BY revision DESC",
      )
      .toArray();
    const wanted = (ref: DocumentRef): boolean =>
      (filter.kind === undefined || ref.kind === filter.kind) &&
      (filter.namespace === undefined || ref.namespace === filter.namespace) &&
      (filter.name === undefined || ref.name === filter.name);
    const found: Revision[] = [];
    for (const row of rows) {
      if (found.length >= limit) break;
      const changes = this.#changes(row.revision);
      if (changes.some(wanted)) found.push({ ...row, changes });
    }
    return found;
  }

  #changes(revision: number): (DocumentRef & { readonly action: Change["action"] })[] {
    const rows = this.#sql.exec<{ name: string; action: Change["action"] }>(
      "SELECT name, action FROM changes WHERE revision = ? ORDER BY name",
      revision,
    );
    return [...rows].map(({ name, action }) => ({ ...documentRef(name), action }));
  }

  /** What a revision touched and what stood there before; empty if there is no such revision. */
  touched(revision: number): Touched[] {
    const rows = this.#sql.exec<{ name: string; before: string | null; later: number }>(
      `SELECT name,
         (SELECT text FROM changes AS earlier
           WHERE earlier.name = changes.name AND earlier.revision < changes.revision
           ORDER BY earlier.revision DESC LIMIT 1) AS before,
         (SELECT MAX(revision) FROM changes AS later WHERE later.name = changes.name) AS later
       FROM changes WHERE revision = ? ORDER BY name`,
      revision,
    );
    return [...rows].map(({ name, before, later }) => ({
      ref: documentRef(name),
      before: before ?? undefined,
      laterRevision: later > revision ? later : undefined,
    }));
  }

  /** Writes a revision, its documents and its compiled policy, all or nothing. Answers its number. */
  commit(entry: Entry, now: number): number {
    return this.#storage.transactionSync(() => {
      const parent = this.revision();
      const revision = parent + 1;
      this.#sql.exec(
        "INSERT INTO revisions (revision, parent, author, reason, at, digest) VALUES (?, ?, ?, ?, ?, ?)",
        ...[revision, parent, entry.author, entry.reason, entry.at, entry.digest],
      );
      this.#write(revision, entry);
      this.shelf.install(revision, entry.services, now);
      return revision;
    });
  }

  #write(revision: number, { edits, changes, ages }: Entry): void {
    const actions = new Map(changes.map((change) => [documentName(change), change.action]));
    for (const { ref, text, digest } of edits) {
      const name = documentName(ref);
      const action = actions.get(name);
      if (action === undefined || action === "unchanged") continue;
      this.#sql.exec(
        "INSERT OR REPLACE INTO changes (revision, name, action, text) VALUES (?, ?, ?, ?)",
        ...[revision, name, action, text ?? null],
      );
      const age = ages.get(name);
      if (action === "created" && age !== undefined) this.ages.appeared(name, revision, age);
      if (text === undefined) this.#sql.exec("DELETE FROM documents WHERE name = ?", name);
      else {
        this.#sql.exec(
          "INSERT OR REPLACE INTO documents (name, revision, digest, text) VALUES (?, ?, ?, ?)",
          ...[name, revision, digest, text],
        );
      }
    }
  }
}

const created = (age: Age | undefined): Pick<StoredDocument, "creationTimestamp"> =>
  age === undefined ? {} : { creationTimestamp: new Date(age.at).toISOString() };
