import type { KvBook } from "./kv-book.ts";
import type { Ledger } from "./ledger.ts";
import type { StoreState } from "./words.ts";

/** How far what is in force has come: what of it is signed, published and written to KV, and what in KV is refused. */
export function stateOf(ledger: Ledger, book: KvBook): StoreState {
  const heads = ledger.shelf.heads();
  const digests = ledger.digests();
  const entries = book.entries();
  const unwritten = [...digests].filter(([name, { digest }]) => {
    const entry = entries.get(`policies/${name}`);
    return entry?.written !== digest && entry?.issues === undefined;
  });
  return {
    revision: ledger.revision(),
    documents: digests.size,
    unsignedHeads: heads.filter(({ signed }) => signed === undefined).length,
    unpublishedHeads: heads.filter(({ isPublished }) => !isPublished).length,
    headsExpireAt: heads.reduce(
      (soonest, { signed, signedUntil }) => (signed === undefined ? soonest : Math.min(soonest, signedUntil)),
      Number.POSITIVE_INFINITY,
    ),
    unwrittenDocuments: unwritten.length,
    invalid: [...entries].flatMap(([key, { issues }]) => (issues === undefined ? [] : [{ key, issues }])),
  };
}
