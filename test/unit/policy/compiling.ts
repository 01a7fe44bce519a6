import type { Endpoint } from "../../../mesh-runtime/foundation/ports.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import type { Destination, EndpointSettings, Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
import { documents, service } from "./writing.ts";

/** The snapshot of one workload. */
export function snapshotOf(key: string, ...texts: readonly string[]): Snapshot {
  const snapshot = compile(documents(...texts)).get(key);
  if (snapshot === undefined) throw new Error(`no snapshot of ${key}`);
  return snapshot;
}

/** How one workload reaches one service. */
export function destination(key: string, workload: string, ...texts: readonly string[]): Destination {
  const found = snapshotOf(workload, ...texts).destinations[key];
  if (found === undefined) throw new Error(`no destination ${key}`);
  return found;
}

/** The endpoint of a Service that has one. */
export const onePlace = (name: string, address: Endpoint): EndpointSettings => ({
  name,
  address,
  weight: 1,
  priority: 0,
});
export const names = (found: Destination): readonly string[] | undefined =>
  found.rules?.map(({ name }) => name);
export const shop = [service("web"), service("payments")] as const;
