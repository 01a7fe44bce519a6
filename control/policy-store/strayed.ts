import { importPublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { openDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import { bundleType } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import type { PublicKeys } from "../issuer/issuer-object.ts";
import type { KvBook } from "./kv-book.ts";
import { bundleKey, headKey } from "./kv-layout.ts";
import type { Shelf } from "./shelf.ts";

/** A key of KV that does not show what control signed and wrote there. */
export interface Strayed {
  readonly key: string;
  /**
   * `gone`: nothing stands there. `older`: what this mesh's root key signed for that place before, so that KV is late or
   * somebody put it back. `forged`: something else.
   */
  readonly how: "gone" | "older" | "forged";
}

/** Reads of KV in one look: an object may make about 1,000 sub-requests for one request. */
const lookLimit = 300;
/** Reads under way at once. */
const atOnce = 24;

/** A key, what shall stand there, and what it is a document of. */
interface Place {
  readonly key: string;
  readonly signed: string;
  readonly typ: string;
  /** The workload that a head is for. */
  readonly workload?: string;
}

/**
 * Compares the heads and the trust bundle in KV with what was written there last. Workers believe neither what is forged
 * nor what is older than theirs; an isolate that starts while control is down cannot start on the one, and would on the
 * other. Of more than 300 it looks at 300 in a row, beginning anywhere.
 * @param random from 0, below 1
 */
export async function findStrayed(
  kv: KVNamespace,
  shelf: Shelf,
  { signed, rootJwk, nextRootJwk }: PublicKeys,
  random: number,
): Promise<readonly Strayed[]> {
  const heads = shelf
    .heads()
    .flatMap(({ service, signed, isPublished }): Place[] =>
      signed === undefined || !isPublished
        ? []
        : [{ key: headKey(service), signed, typ: "tulle-head+jwt", workload: service }],
    );
  const start = Math.floor(random * heads.length);
  const places: readonly Place[] = [
    { key: bundleKey, signed, typ: bundleType },
    ...[...heads.slice(start), ...heads.slice(0, start)].slice(0, lookLimit - 1),
  ];
  const roots: CryptoKey[] = [];
  for (const jwk of nextRootJwk === undefined ? [rootJwk] : [rootJwk, nextRootJwk]) {
    const key = await importPublicJwk(jwk);
    if (key.ok) roots.push(key.value);
  }
  const found: Strayed[] = [];
  for (let at = 0; at < places.length; at += atOnce) {
    const looks = places.slice(at, at + atOnce).map(async (place) => {
      const how = await look(await kv.get(place.key), place, roots);
      if (how !== undefined) found.push({ key: place.key, how });
    });
    await Promise.all(looks);
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

async function look(
  text: string | null,
  { signed, typ, workload }: Place,
  roots: readonly CryptoKey[],
): Promise<Strayed["how"] | undefined> {
  if (text === signed) return undefined;
  if (text === null) return "gone";
  const opened = await openDocument<{ readonly workload?: unknown }>(text, typ, roots, text.length);
  return opened.ok && opened.value.workload === workload ? "older" : "forged";
}

/** Has what strayed written again by the next run of publishing, a head with the snapshot that it names. */
export function writeAgain(strayed: readonly Strayed[], shelf: Shelf, book: KvBook): void {
  const keys = new Set(strayed.map(({ key }) => key));
  if (keys.has(bundleKey)) book.lost(bundleKey);
  for (const { service } of shelf.heads()) if (keys.has(headKey(service))) shelf.lost(service);
}
