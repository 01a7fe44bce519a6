import type { KvBook } from "../policy-store/kv-book.ts";
import { bundleKey, headKey, policyKey, snapshotKey, type WrittenBy } from "../policy-store/kv-layout.ts";
import type { Ledger } from "../policy-store/ledger.ts";
import { documentRef } from "../policy-store/revision.ts";
import type { HeadRow } from "../policy-store/shelf.ts";

/** The signed trust bundle as it shall stand in KV. */
export interface PublishedBundle {
  readonly sequence: number;
  readonly signed: string;
}

export interface PublishAnswer {
  /** Keys written or deleted in this run. */
  readonly written: number;
  /** Keys that KV did not take; they stay due. */
  readonly failed: number;
  /** Keys that are still due, these included. */
  readonly due: number;
}

/** KV operations in one run: an object may make about 1,000 sub-requests for one request. The rest stays due. */
const runLimit = 800;
/** KV operations under way at once. */
const atOnce = 24;
/** How long KV keeps what no service needs any longer: isolates may still hold a pointer to it, milliseconds. */
export const leftoverMs = 24 * 3_600_000;

/**
 * Brings KV to what the ledger says: snapshots first, then the heads that point to them, then the bundle, then
 * the documents as they were written. What was written is remembered key by key, so a run that was interrupted,
 * or that KV refused in part, is simply continued by the next one; a second run writes nothing.
 */
export async function publish(
  kv: KVNamespace,
  ledger: Ledger,
  book: KvBook,
  bundle: PublishedBundle | undefined,
  now: number,
): Promise<PublishAnswer> {
  let left = runLimit;
  const total = { written: 0, failed: 0, due: 0 };
  for (const stage of [snapshots, heads, bundles, documents, leftovers]) {
    const steps = stage(kv, ledger, book, bundle, now);
    const run = steps.slice(0, Math.max(0, left));
    left -= run.length;
    const failed = await inTurns(run);
    total.written += run.length - failed;
    total.failed += failed;
    total.due += steps.length - run.length + failed;
    // A head must not point to a snapshot that KV does not have.
    if (failed > 0 && stage === snapshots) return total;
  }
  return total;
}

type Step = () => Promise<void>;
type Stage = (
  kv: KVNamespace,
  ledger: Ledger,
  book: KvBook,
  bundle: PublishedBundle | undefined,
  now: number,
) => Step[];

const snapshots: Stage = (kv, ledger) => {
  const rows = ledger.shelf.heads();
  const there = new Set(rows.map(({ publishedDigest }) => publishedDigest));
  const due = new Set(rows.map(({ digest }) => digest).filter((digest) => !there.has(digest)));
  return [...due].map((digest) => async () => {
    const text = ledger.shelf.snapshot(digest);
    if (text !== undefined) await kv.put(snapshotKey(digest), text);
  });
};

const heads: Stage = (kv, ledger) =>
  ledger.shelf
    .heads()
    .filter(({ signed, isPublished }) => signed !== undefined && !isPublished)
    .sort((a, b) => Number(moved(b)) - Number(moved(a)))
    .map((row) => async () => {
      await kv.put(headKey(row.service), row.signed ?? "");
      ledger.shelf.published(row);
    });

/** Services whose snapshot changed come before those that only need the new epoch. */
const moved = ({ digest, publishedDigest }: HeadRow): boolean => digest !== publishedDigest;

const bundles: Stage = (kv, _ledger, book, bundle) => {
  if (bundle === undefined || book.entry(bundleKey)?.written === String(bundle.sequence)) return [];
  return [
    async () => {
      await kv.put(bundleKey, bundle.signed);
      book.wrote(bundleKey, String(bundle.sequence));
    },
  ];
};

const documents: Stage = (kv, ledger, book) => {
  const digests = ledger.digests();
  const inForce = new Map(
    [...digests].map(([name, row]) => [policyKey(documentRef(name)), { name, ...row }]),
  );
  const entries = book.entries();
  const writes = [...inForce].flatMap(([key, { name, digest, revision }]): Step[] => {
    const entry = entries.get(key);
    // A refused text stays where it is until somebody replaces it, so that its author can read and mend it.
    if (entry?.written === digest || entry?.issues !== undefined) return [];
    return [
      async () => {
        const text = ledger.document(documentRef(name))?.text;
        if (text === undefined) return;
        const metadata: WrittenBy = { revision, digest };
        await kv.put(key, text, { metadata });
        book.wrote(key, digest);
      },
    ];
  });
  const deletions = [...entries].flatMap(([key, { written }]): Step[] => {
    if (key === bundleKey || written === "" || inForce.has(key)) return [];
    return [
      async () => {
        await kv.delete(key);
        book.wrote(key, "");
      },
    ];
  });
  return [...writes, ...deletions];
};

const leftovers: Stage = (kv, ledger, _book, _bundle, now) =>
  ledger.shelf.leftovers(now - leftoverMs).map((key) => async () => {
    await kv.delete(key);
    ledger.shelf.forget(key);
  });

/** Runs the steps a few at a time; answers how many failed. A failure is not lost: its key stays due. */
async function inTurns(steps: readonly Step[]): Promise<number> {
  let failed = 0;
  for (let from = 0; from < steps.length; from += atOnce) {
    const settled = await Promise.allSettled(steps.slice(from, from + atOnce).map((step) => step()));
    failed += settled.filter(({ status }) => status === "rejected").length;
  }
  return failed;
}
