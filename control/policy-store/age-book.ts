import { type Age, type Ages, bornAt, writtenTime } from "@tulle/mesh-runtime/policy/age.ts";
import { parseDocuments } from "@tulle/mesh-runtime/policy/parse.ts";
import { readDocument } from "@tulle/mesh-runtime/policy/schema.ts";
import { documentName, type Edit } from "./revision.ts";

/** How old every document is: since when it has been here, and what created it. */
export class AgeBook {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#readHistory();
  }

  /** The ages of the documents in force, by name. */
  all(): Ages {
    const rows = this.#sql.exec<AgeRow>(
      // With MAX, the other columns are those of the newest row (SQLite, "bare columns").
      `SELECT ages.name, ages.revision, ages.at, MAX(ages.since) FROM ages
         JOIN documents ON documents.name = ages.name GROUP BY ages.name`,
    );
    return new Map([...rows].map(({ name, revision, at }) => [name, { revision, at: at ?? 0 }]));
  }

  /** The age of one document in force. */
  of(name: string): Age | undefined {
    const [row] = this.#sql.exec<AgeRow>(
      "SELECT name, revision, at FROM ages WHERE name = ? ORDER BY since DESC LIMIT 1",
      name,
    );
    return row && { revision: row.revision, at: row.at ?? 0 };
  }

  /**
   * The ages once some edits are in force. What is new is younger than all that was ever here, however the clock
   * went, unless it says that it is older: documents are brought from clusters and from backups. What an undo brings
   * back is as old as it was before its deletion.
   */
  after(edits: readonly Edit[], revision: number, now: number): Ages {
    const ages = new Map(this.all());
    const [last] = this.#sql.exec<{ at: number | null }>("SELECT MAX(at) AS at FROM ages");
    const born = Math.max(now, (last?.at ?? 0) + 1);
    for (const edit of edits) {
      const name = documentName(edit.ref);
      if (edit.text === undefined) ages.delete(name);
      else if (!ages.has(name))
        ages.set(name, this.#before(edit) ?? { revision, at: bornAt(born, writtenIn(edit)) });
    }
    return ages;
  }

  /** How old a document was that an undo brings back. */
  #before({ ref, undoes }: Edit): Age | undefined {
    if (undoes === undefined) return undefined;
    const [row] = this.#sql.exec<AgeRow>(
      "SELECT name, revision, at FROM ages WHERE name = ? AND since < ? ORDER BY since DESC LIMIT 1",
      ...[documentName(ref), undoes],
    );
    return row && { revision: row.revision, at: row.at ?? 0 };
  }

  /** Remembers a document that appears with a revision. To be called within the revision's own transaction. */
  appeared(name: string, since: number, { revision, at }: Age): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO ages (name, since, revision, at) VALUES (?, ?, ?, ?)",
      ...[name, since, revision, at],
    );
  }

  /**
   * What was stored by a version that did not keep ages is as old as the revision that created it; or as it says
   * itself, if that is older, because that version went by nothing else.
   */
  #readHistory(): void {
    const unread = this.#sql
      .exec<{ name: string; since: number; made: string }>(
        `SELECT ages.name, since, revisions.at AS made FROM ages JOIN revisions ON revisions.revision = since
           WHERE ages.at IS NULL`,
      )
      .toArray();
    for (const { name, since, made } of unread) {
      const [last] = this.#sql.exec<{ text: string }>(
        `SELECT text FROM changes WHERE name = ? AND text IS NOT NULL AND revision >= ? AND revision <
           COALESCE((SELECT MIN(later.since) FROM ages AS later WHERE later.name = ? AND later.since > ?), 1e15)
         ORDER BY revision DESC LIMIT 1`,
        ...[name, since, name, since],
      );
      const at = bornAt(Date.parse(made), last === undefined ? undefined : timeIn(last.text));
      this.#sql.exec("UPDATE ages SET at = ? WHERE name = ? AND since = ?", at, name, since);
    }
  }
}

type AgeRow = { name: string; revision: number; at: number | null };

/** What the text of an edit says of when the document was created. */
const writtenIn = (edit: Edit): number | undefined =>
  edit.written === undefined
    ? edit.text === undefined
      ? undefined
      : timeIn(edit.text)
    : writtenTime(edit.written.document);

/** The same, of a text alone. Most say nothing, and are not parsed for it. */
function timeIn(text: string): number | undefined {
  if (!text.includes("creationTimestamp")) return undefined;
  const [parsed] = parseDocuments([{ source: "", text }], "in force").parsed;
  const [read] = parsed === undefined ? [] : readDocument(parsed).written;
  return read && writtenTime(read.document);
}
