import type { AuthorizationRule } from "@tulle/mesh-runtime/authorization/words.ts";
import type { Mode } from "@tulle/mesh-runtime/identity/words.ts";
import type { Destination, Snapshot } from "@tulle/mesh-runtime/policy/snapshot.ts";
import type { CircuitPolicy } from "@tulle/mesh-runtime/resilience/words.ts";
import type { Listener, ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import { headKey, snapshotKey } from "./kv-layout.ts";

/** The identity of a Service in force whose own cannot be read any more: none, so that nobody is given the one that it would have by default. */
export const nameless = "";

/** What joins and reports need to know of a service. */
export interface ServiceView {
  readonly service: ServiceKey;
  /** {@link nameless} where nobody can tell. */
  readonly spiffeId: string;
  /** Only routes to others and so never reports itself. */
  readonly virtual: boolean;
  readonly circuit: CircuitPolicy;
  /** Who may call it, and so may speak of its circuit. */
  readonly access: {
    readonly mode: Mode;
    readonly rules: readonly AuthorizationRule[];
    readonly replay?: "strict";
  };
  /** Where its spans are sent on to. */
  readonly otlpEndpoint?: string;
}

/** One service as it was compiled. */
export interface CompiledService {
  readonly view: ServiceView;
  /** Absent for a virtual service: nobody runs a snapshot there. */
  readonly compiled?: CompiledSnapshot;
}

/**
 * A snapshot's canonical JSON in two parts. What a workload knows of others is the larger one by far, and all of a
 * namespace know the same: it is kept once, or a mesh of 500 services would keep a quarter of a gigabyte.
 */
export interface CompiledSnapshot {
  /** Of the whole text. */
  readonly digest: string;
  /** Its beginning, shared with others, and the digest of that. */
  readonly shared: { readonly digest: string; readonly text: string };
  /** The rest of it. */
  readonly own: string;
}

/** What the callers of one namespace know of a service. */
export interface DestinationView {
  readonly namespace: string;
  readonly destination: Destination;
}

/** A listener, and the service whose worker implements its Gateway. */
export interface ListenerView {
  readonly worker: ServiceKey;
  readonly listener: Listener;
}

/** Where a service that has a worker stands. */
export interface HeadRow {
  readonly service: ServiceKey;
  readonly spiffeId: string;
  readonly epoch: number;
  readonly digest: string;
  /** Compact JWS; absent until the issuer has signed it. */
  readonly signed: string | undefined;
  /** When what is signed expires, milliseconds since the Unix epoch, and the `kid` of the root key; 0 and empty before. */
  readonly signedUntil: number;
  readonly signedBy: string;
  /** Whether KV was given what is signed. */
  readonly isPublished: boolean;
  /** What KV was given last; 0 and empty before. */
  readonly publishedEpoch: number;
  readonly publishedDigest: string;
}

/** Bytes of a text in one row: below the 2 MB that a row may hold. */
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
      this.#keep(compiled);
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
    this.#sql.exec("DELETE FROM shared_parts WHERE digest NOT IN (SELECT shared FROM snapshots)");
  }

  #keep({ digest, shared, own }: CompiledSnapshot): void {
    this.#sql.exec(
      "INSERT OR IGNORE INTO snapshots (digest, shared, own) VALUES (?, ?, ?)",
      ...[digest, shared.digest, own],
    );
    const [held] = this.#sql.exec("SELECT 1 FROM shared_parts WHERE digest = ? LIMIT 1", shared.digest);
    if (held !== undefined) return;
    const bytes = new TextEncoder().encode(shared.text);
    for (let part = 0; part * partBytes < bytes.length; part += 1) {
      this.#sql.exec(
        "INSERT INTO shared_parts (digest, part, bytes) VALUES (?, ?, ?)",
        ...[shared.digest, part, bytes.slice(part * partBytes, (part + 1) * partBytes).buffer],
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
    const [row] = this.#sql.exec<{ shared: string; own: string }>(
      "SELECT shared, own FROM snapshots WHERE digest = ?",
      digest,
    );
    return row === undefined ? undefined : this.#sharedText(row.shared) + row.own;
  }

  #sharedText(digest: string): string {
    const parts = this.#sql.exec<{ bytes: ArrayBuffer }>(
      "SELECT bytes FROM shared_parts WHERE digest = ? ORDER BY part",
      digest,
    );
    const decoder = new TextDecoder();
    let text = "";
    for (const { bytes } of parts) text += decoder.decode(bytes, { stream: true });
    return text + decoder.decode();
  }

  /** What callers of each namespace know of a service: one of its snapshots tells for all. */
  destinations(service: ServiceKey): DestinationView[] {
    const rows = this.#sql.exec<{ shared: string; caller: string }>(
      `SELECT shared, MIN(service) AS caller FROM heads JOIN snapshots USING (digest)
         GROUP BY shared, SUBSTR(service, 1, INSTR(service, '/')) ORDER BY caller`,
    );
    return rows.toArray().flatMap(({ shared, caller }) => {
      const { destinations } = JSON.parse(`${this.#sharedText(shared)}}`) as Pick<Snapshot, "destinations">;
      const destination = Object.hasOwn(destinations, service) ? destinations[service] : undefined;
      return destination === undefined ? [] : [{ namespace: namespaceOf(caller), destination }];
    });
  }

  /** Every listener of every Gateway that a worker implements. */
  listeners(): ListenerView[] {
    const rows = this.#sql.exec<{ service: string; own: string }>(
      `SELECT service, own FROM heads JOIN snapshots USING (digest)
         WHERE INSTR(own, '"listeners":[]') = 0 ORDER BY service`,
    );
    return rows.toArray().flatMap(({ service, own }) => {
      const { listeners } = JSON.parse(`{${own.slice(1)}`) as Pick<Snapshot, "listeners">;
      return listeners.map((listener) => ({ worker: service, listener }));
    });
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
  sign(service: ServiceKey, epoch: number, signed: string, until: number, by: string): void {
    this.#sql.exec(
      "UPDATE heads SET signed = ?, signed_until = ?, signed_by = ? WHERE service = ? AND epoch = ?",
      ...[signed, until, by, service, epoch],
    );
  }

  /** Remembers that KV was given this head and the snapshot that it names. */
  published({ service, epoch, digest, signedUntil, signedBy }: HeadRow): void {
    this.#sql.exec(
      `UPDATE heads SET published_epoch = ?, published_digest = ?, published_until = ?, published_by = ?
         WHERE service = ?`,
      ...[epoch, digest, signedUntil, signedBy, service],
    );
  }

  /** KV does not show the head: it is to be written again, and its snapshot with it. */
  lost(service: ServiceKey): void {
    this.#sql.exec("UPDATE heads SET published_epoch = 0, published_digest = '' WHERE service = ?", service);
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

const namespaceOf = (service: ServiceKey): string => service.slice(0, service.indexOf("/"));

type StoredHead = {
  service: string;
  spiffe_id: string;
  epoch: number;
  digest: string;
  signed: string | null;
  signed_until: number;
  signed_by: string;
  published_until: number;
  published_by: string;
  published_epoch: number;
  published_digest: string;
};

const headColumns = `service, spiffe_id, epoch, digest, signed, signed_until, signed_by,
  published_epoch, published_digest, published_until, published_by`;

const headRow = (row: StoredHead): HeadRow => ({
  service: row.service,
  spiffeId: row.spiffe_id,
  epoch: row.epoch,
  digest: row.digest,
  signed: row.signed ?? undefined,
  signedUntil: row.signed_until,
  signedBy: row.signed_by,
  isPublished:
    row.published_epoch === row.epoch &&
    row.published_until === row.signed_until &&
    row.published_by === row.signed_by,
  publishedEpoch: row.published_epoch,
  publishedDigest: row.published_digest,
});
