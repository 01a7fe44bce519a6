import type { DocumentRef } from "../api/contract.ts";
import { isServiceKey } from "../service-key.ts";

/** What every written document's key begins with. */
export const policyPrefix = "policies/";
/** What every compiled snapshot's key begins with. */
export const snapshotPrefix = "snapshots/";
/** The signed trust bundle. */
export const bundleKey = "bundle";

const part = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const digest = /^[0-9a-f]{64}$/;

/** The KV key of a document as it was written: `policies/<kind>/<namespace>/<name>`. */
export const policyKey = (ref: DocumentRef): string =>
  `${policyPrefix}${ref.kind}/${ref.namespace}/${ref.name}`;

/**
 * Reads the key of a document; `undefined` for anything but exactly three well-formed parts, so that no
 * key can be taken for another (empty parts, `..`, slashes, control characters).
 */
export function parsePolicyKey(key: string): DocumentRef | undefined {
  if (!key.startsWith(policyPrefix) || key.length > 512) return undefined;
  const [kind, namespace, name, ...rest] = key.slice(policyPrefix.length).split("/");
  if (kind === undefined || namespace === undefined || name === undefined || rest.length > 0)
    return undefined;
  return part.test(kind) && part.test(namespace) && part.test(name) ? { kind, namespace, name } : undefined;
}

/** The KV key of a compiled snapshot, named by the lower-case hex SHA-256 of its bytes. */
export function snapshotKey(of: string): string {
  if (!digest.test(of)) throw new TypeError("Cannot name a snapshot: a digest is 64 lower-case hex digits");
  return snapshotPrefix + of;
}

/** Reads the digest out of a snapshot's key; `undefined` if it is none. */
export function parseSnapshotKey(key: string): string | undefined {
  const of = key.startsWith(snapshotPrefix) ? key.slice(snapshotPrefix.length) : "";
  return digest.test(of) ? of : undefined;
}

/** The KV key of the signed pointer to a service's snapshot: `heads/<namespace>/<service>`. */
export function headKey(service: string): string {
  if (!isServiceKey(service)) throw new TypeError("Cannot name a head: a service is namespace/name");
  return `heads/${service}`;
}

/**
 * What this worker writes beside a document. A value without it, or with another digest than its own,
 * was put by somebody else.
 */
export interface WrittenBy {
  /** Revision that wrote this text. */
  readonly revision: number;
  /** Lower-case hex SHA-256 of the text. */
  readonly digest: string;
}

/** Reads KV metadata; `undefined` if it is not this worker's. */
export function parseWrittenBy(metadata: unknown): WrittenBy | undefined {
  if (typeof metadata !== "object" || metadata === null) return undefined;
  const { revision, digest: of } = metadata as { readonly revision?: unknown; readonly digest?: unknown };
  if (typeof revision !== "number" || !Number.isSafeInteger(revision)) return undefined;
  return typeof of === "string" && digest.test(of) ? { revision, digest: of } : undefined;
}
