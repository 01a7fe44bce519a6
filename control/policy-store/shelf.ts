import type { CircuitPolicy } from "@tulle/mesh-runtime/resilience/words.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import { headKey, snapshotKey } from "./kv-layout.ts";

/** What joins and reports need to know of a service. */
export interface ServiceView {
  readonly service: ServiceKey;
  readonly spiffeId: string;
  /** Only routes to others and so never reports itself. */
  readonly virtual: boolean;
  readonly circuit: CircuitPolicy;
  /** Where its spans are sent on to. */
  readonly otlpEndpoint?: string;
}

/** One service as it was compiled. */
export interface CompiledService {
  readonly view: ServiceView;
  /** Absent for a virtual service: nobody runs a snapshot there. */
  readonly compiled?: {
    readonly digest: string;
    /** Canonical JSON. */
    readonly snapshot: string;
  };
}

/** Where a service that has a worker stands. */
export interface HeadRow {
  readonly service: ServiceKey;
  readonly spiffeId: string;
  readonly epoch: number;
  readonly digest: string;
  /** Compact JWS; absent until the issuer has signed it. */
  readonly signed: string | undefined;
  /** What KV was given last; 0 and empty before. */
  readonly publishedEpoch: number;
  readonly publishedDigest: string;
}

/** Bytes of a snapshot in one row: below the 2 MB that a row may hold. */
const partBytes = 1_500_000;

/** What the newest revision compiles to, in SQLite, with the state of its publication. */
export class Shelf {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Replaces everything by what a new revision compiles to. To be called within the revision's own transaction. */
  install(revision: number, services: readonly CompiledService[], now: number): void {
    this.#sql.exec("DELETE FROM services");
    const kept = new Set<string>();
    for (const { view, compiled } of services) {
      this.#sql.exec(
        "INSERT INTO services (service, view) VALUES (?, ?)",
        view.service,
        JSON.stringify(view),
      );
      if (compiled === undefined) continue;
      kept.add(view.service);
      this.#keep(compiled.digest, compiled.snapshot);
      this.#sql.exec(
        `INSERT INTO heads (service, spiffe_id, epoch, digest) VALUES (?, ?, ?, ?)
         ON CONFLICT (service) DO UPDATE SET spiffe_id = excluded.spiffe_id, epoch = excluded.epoch,
           digest = excluded.digest, signed = NULL`,
        ...[view.service, view.spiffeId, revision, compiled.digest],
      );
      this.forget(headKey(view.service));
      this.forget(snapshotKey(compiled.digest));
    }
    for (const { service } of this.heads()) {
      if (kept.has(service)) continue;
      this.#sql.exec("DELETE FROM heads WHERE service = ?", service);
      this.#leave(headKey(service), now);
    }
    const unused = this.#sql.exec<{ digest: string }>(
      "SELECT DISTINCT digest FROM snapshots WHERE digest NOT IN (SELECT digest FROM heads)",
    );
    for (const { digest } of unused.toArray()) {
      this.#sql.exec("DELETE FROM snapshots WHERE digest = ?", digest);
      this.#leave(snapshotKey(digest), now);
    }
  }

  #keep(digest: string, snapshot: string): void {
    const bytes = new TextEncoder().encode(snapshot);
    for (let part = 0; part * partBytes < bytes.length; part += 1) {
      this.#sql.exec(
        "INSERT OR IGNORE INTO snapshots (digest, part, bytes) VALUES (?, ?, ?)",
        ...[digest, part, bytes.slice(part * partBytes, (part + 1) * partBytes).buffer],
      );
    }
  }

  #leave(key: string, now: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO leftovers (key, since) VALUES (?, ?)", key, now);
  }

  /** Every service of the mesh, in order of keys. */
  services(): ServiceView[] {
    const rows = this.#sql.exec<{ view: string }>("SELECT view FROM services ORDER BY service");
    return [...rows].map(({ view }) => JSON.parse(view) as ServiceView);
  }

  /** The text of a snapshot in force. */
  snapshot(digest: string): string | undefined {
    const rows = this.#sql
      .exec<{ bytes: ArrayBuffer }>("SELECT bytes FROM snapshots WHERE digest = ? ORDER BY part", digest)
      .toArray();
    const decoder = new TextDecoder();
    const text = rows.map(({ bytes }) => decoder.decode(bytes, { stream: true })).join("");
    return rows.length === 0 ? undefined : text + decoder.decode();
  }

  heads(): HeadRow[] {
    const rows = this.#sql.exec<StoredHead>(`SELECT ${headColumns} FROM heads ORDER BY service`);
    return [...rows].map(headRow);
  }

  head(service: ServiceKey): HeadRow | undefined {
    const [row] = this.#sql.exec<StoredHead>(`SELECT ${headColumns} FROM heads WHERE service = ?`, service);
    return row && headRow(row);
  }

  /** Keeps a signed head, unless the service has moved on since. */
  sign(service: ServiceKey, epoch: number, signed: string): void {
    this.#sql.exec("UPDATE heads SET signed = ? WHERE service = ? AND epoch = ?", signed, service, epoch);
  }

  /** Remembers that KV was given this head and the snapshot that it names. */
  published(service: ServiceKey, epoch: number, digest: string): void {
    this.#sql.exec(
      "UPDATE heads SET published_epoch = ?, published_digest = ? WHERE service = ?",
      ...[epoch, digest, service],
    );
  }

  /** Keys of heads and snapshots that have been without use since before `until`, and that KV does not point to. */
  leftovers(until: number): string[] {
    const rows = this.#sql.exec<{ key: string }>(
      `SELECT key FROM leftovers WHERE since <= ?
         AND key NOT IN (SELECT 'snapshots/' || published_digest FROM heads)`,
      until,
    );
    return [...rows].map(({ key }) => key);
  }

  /** The key is in use again, or gone from KV. */
  forget(key: string): void {
    this.#sql.exec("DELETE FROM leftovers WHERE key = ?", key);
  }
}

type StoredHead = {
  service: string;
  spiffe_id: string;
  epoch: number;
  digest: string;
  signed: string | null;
  published_epoch: number;
  published_digest: string;
};

const headColumns = "service, spiffe_id, epoch, digest, signed, published_epoch, published_digest";

const headRow = (row: StoredHead): HeadRow => ({
  service: row.service,
  spiffeId: row.spiffe_id,
  epoch: row.epoch,
  digest: row.digest,
  signed: row.signed ?? undefined,
  publishedEpoch: row.published_epoch,
  publishedDigest: row.published_digest,
});
