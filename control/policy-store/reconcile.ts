import type { DocumentRef, Issue } from "../api/contract.ts";
import type { KvBook, KvEntry } from "./kv-book.ts";
import { parsePolicyKey, parseWrittenBy, policyKey, policyPrefix, type WrittenBy } from "./kv-layout.ts";
import type { Ledger } from "./ledger.ts";
import { documentRef, type Edit } from "./revision.ts";

/*
 * KV is read back, because operators may put documents there (`wrangler kv key put`). What counts as news:
 *
 * - A text that this worker did not write, and has not judged yet, is judged. Valid: it becomes a revision by
 *   author `kv`. Invalid: it stays where it is so that its author can mend it, the last good one stays in force.
 * - KV is stale for a minute or more, so an older text of this worker's own, or one that was adopted before and
 *   overruled since, is not news: it is overwritten. Values of this worker carry metadata to tell them by.
 * - A key that is gone is no deletion but a loss, and is written again: a listing may lack a key for a while,
 *   and policy that vanishes could open what it closed. Documents are deleted with `tulle delete`.
 */

/** A text by somebody else that has to be judged. */
export interface Found extends Edit {
  readonly key: string;
  readonly text: string;
  readonly digest: string;
}

/** What one reading of KV found. */
export interface Reading {
  readonly found: readonly Found[];
  /** Keys that hold something that cannot even be judged. */
  readonly unreadable: readonly { readonly key: string; readonly issues: readonly Issue[] }[];
}

/** What a text under a document's key is. */
export type Kind = "in-force" | "outdated" | "refused" | "news";

/** Texts read in one run: an object may make about 1,000 sub-requests for one request. What looks changed comes first. */
const readLimit = 600;
/** UTF-16 units of one document; above it nobody writes by hand. */
export const maxDocumentLength = 1_000_000;

/**
 * Says what a text is, from its digest and what is known about its key.
 * @param digest SHA-256 of the text, lower-case hex
 * @param metadata what its writer put beside it
 * @param inForce digest of the text in force under this name
 * @param revision the newest revision: a refused text is judged again when the rest has changed
 */
export function kindOf(
  digest: string,
  metadata: WrittenBy | undefined,
  inForce: string | undefined,
  entry: KvEntry | undefined,
  revision: number,
): Kind {
  if (digest === inForce) return "in-force";
  if (metadata?.digest === digest) return "outdated";
  if (entry === undefined || entry.foreign !== digest) return "news";
  if (entry.issues === undefined) return "outdated";
  return entry.judgedAt === revision ? "refused" : "news";
}

/**
 * Reads what KV holds under `policies/` and keeps in the book what needs no judgement.
 * @param deep read every text, also where the metadata says that nothing has changed
 */
export async function readBack(
  kv: KVNamespace,
  ledger: Ledger,
  book: KvBook,
  digestOf: (text: string) => Promise<string>,
  deep: boolean,
): Promise<Reading> {
  const digests = ledger.digests();
  const inForce = new Map([...digests].map(([name, { digest }]) => [policyKey(documentRef(name)), digest]));
  const before = book.entries();
  const listed = await listAll(kv);
  const found: Found[] = [];
  const unreadable: Reading["unreadable"][number][] = [];
  const suspects: { key: string; ref: DocumentRef; written: WrittenBy | undefined }[] = [];
  const trusted: typeof suspects = [];

  for (const [key, metadata] of listed) {
    const ref = parsePolicyKey(key);
    const written = parseWrittenBy(metadata);
    if (ref === undefined) unreadable.push({ key, issues: [badKey(key)] });
    else if (written === undefined || written.digest !== inForce.get(key))
      suspects.push({ key, ref, written });
    else if (deep) trusted.push({ key, ref, written });
    else settle(book, before.get(key), key, written.digest);
  }
  for (const { key, ref, written } of [...suspects, ...trusted].slice(0, readLimit)) {
    const text = await kv.get(key);
    if (text === null) continue;
    const digest = await digestOf(text);
    switch (kindOf(digest, written, inForce.get(key), before.get(key), ledger.revision())) {
      case "in-force":
        settle(book, before.get(key), key, digest);
        break;
      case "outdated":
        book.lost(key);
        break;
      case "news":
        found.push({ key, ref, text, digest });
        break;
      case "refused":
        break;
    }
  }
  for (const [key, entry] of before) {
    if (listed.has(key) || !key.startsWith(policyPrefix)) continue;
    if (inForce.has(key)) book.lost(key);
    else if (entry.written === "") book.forget(key);
    // The refused text is gone, so there is nothing left to complain about.
    if (entry.issues !== undefined) book.overrule(key);
  }
  return { found, unreadable };
}

/** Remembers that KV shows the text in force, if that is news. */
function settle(book: KvBook, entry: KvEntry | undefined, key: string, digest: string): void {
  if (entry?.written === digest && entry.foreign === "" && entry.issues === undefined) return;
  book.confirmed(key, digest);
}

async function listAll(kv: KVNamespace): Promise<ReadonlyMap<string, unknown>> {
  const keys = new Map<string, unknown>();
  let cursor: string | undefined;
  do {
    const page = await kv.list<unknown>({
      prefix: policyPrefix,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const { name, metadata } of page.keys) keys.set(name, metadata);
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor !== undefined);
  return keys;
}

/** An issue about a whole text from KV. */
export const issueAbout = (key: string, document: string, expected: string, found: string): Issue => ({
  severity: "error",
  source: key,
  line: 1,
  column: 1,
  document,
  path: "",
  expected,
  found,
  message: `Cannot adopt ${key}: expected ${expected}, found ${found}.`,
});

const badKey = (key: string): Issue =>
  issueAbout(key, key.slice(policyPrefix.length), "a key policies/<kind>/<namespace>/<name>", "another form");
