import { decider } from "../authorization/decide.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { tokenRules } from "../identity/end-user.ts";
import { parseSpiffeId } from "../identity/spiffe-id.ts";
import type { SpiffeId } from "../identity/words.ts";
import { listenerIndex } from "../routing/listeners.ts";
import { digestOf } from "./canonical.ts";
import { defaultBalancing } from "./defaults.ts";
import { governedRules } from "./governing.ts";
import type { Loaded, LoadedDestination, LoadedEndpoint } from "./loaded.ts";
import { destinationTable } from "./port-table.ts";
import type { Destination, EndpointSettings, Snapshot } from "./snapshot.ts";
import { readSnapshot } from "./snapshot-shape.ts";

/** Larger snapshots are refused before they are digested, bytes. A destination takes about 1 KB. */
export const maxSnapshotBytes = 8 * 1024 * 1024;

/**
 * Makes a snapshot ready for use: all or nothing. The text must have the digest that the verified head
 * names, be of a form that this runtime knows, and be meant for this workload; then every table is
 * built before anything is handed out, so that a snapshot that is in force has no part that could fail.
 *
 * @param text the snapshot's bytes as published
 * @param head epoch and digest, from a head whose signature has been verified
 * @param expectedWorkload `namespace/name` of this workload
 * @returns the tables, or one sentence about what could not be loaded and why
 */
export async function load(
  text: string,
  head: { readonly epoch: number; readonly digest: string },
  expectedWorkload: string,
): Promise<Result<Loaded, string>> {
  const refused = (why: string) => no(`Cannot load snapshot ${head.epoch}: ${why}`);
  // A character takes at least one byte; the rest is found when it is encoded.
  if (text.length > maxSnapshotBytes) return refused(`it is larger than ${maxSnapshotBytes} bytes`);
  const digest = await digestOf(text);
  if (digest !== head.digest) {
    return refused(`its digest must be ${head.digest}, the one its head names, found ${digest}`);
  }
  const value = parsed(text);
  if (value === undefined) return refused("it is not JSON");
  const snapshot = readSnapshot(value);
  if (!snapshot.ok) return refused(snapshot.reason);
  if (snapshot.value.workload !== expectedWorkload) {
    return refused(`it must be for ${expectedWorkload}, found ${snapshot.value.workload}`);
  }
  const tables = tabled(snapshot.value);
  return tables.ok ? ok({ epoch: head.epoch, digest, ...tables.value }) : refused(tables.reason);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller says so; the parser's own message would quote the text.
    return undefined;
  }
}

function tabled(snapshot: Snapshot): Result<Omit<Loaded, "epoch" | "digest">, string> {
  const self = ownId(snapshot.spiffeId, snapshot.trustDomain);
  if (!self.ok) return self;
  const byKey = new Map<string, LoadedDestination>();
  const byHost = new Map<string, LoadedDestination>();
  const byBinding = new Map<string, LoadedDestination>();
  for (const [key, settings] of Object.entries(snapshot.destinations)) {
    if (settings.key !== key) return no(`destination ${key} calls itself ${settings.key}`);
    const loaded = loadedDestination(settings, snapshot.trustDomain);
    if (!loaded.ok) return loaded;
    const destination = loaded.value;
    byKey.set(key, destination);
    for (const host of settings.hosts) if (!byHost.has(host)) byHost.set(host, destination);
    if (settings.binding !== undefined && ownsBinding(settings, byBinding, snapshot)) {
      byBinding.set(settings.binding, destination);
    }
  }
  return ok({
    snapshot,
    self: self.value,
    inbound: { ...snapshot.inbound, decide: decider(snapshot.inbound.authorization, snapshot.inbound.mode) },
    entry: snapshot.entry && decider(snapshot.entry.authorization, "PERMISSIVE", "default: no ALLOW rule"),
    users: snapshot.inbound.users && tokenRules(snapshot.inbound.users),
    entryUsers: snapshot.entry?.users && tokenRules(snapshot.entry.users),
    destination: (key) => byKey.get(key),
    destinationByHost: (host) => byHost.get(host),
    destinationByBinding: (binding) => byBinding.get(binding),
    listenerFor: listenerIndex(snapshot.listeners),
    governing: governedRules(snapshot),
  });
}

function loadedDestination(settings: Destination, trustDomain: string): Result<LoadedDestination, string> {
  const id = ownId(settings.spiffeId, settings.trustDomain ?? trustDomain);
  if (!id.ok) return id;
  const table = destinationTable(settings);
  const whole: LoadedDestination = {
    destination: settings.key,
    settings,
    id: id.value,
    endpoint: undefined,
    choice: [],
    balancing: settings.balancing ?? defaultBalancing,
    ...(table === undefined ? {} : { table }),
  };
  const places: LoadedEndpoint[] = [];
  for (const endpoint of settings.endpoints) {
    const place = at(whole, endpoint, trustDomain);
    if (!place.ok) return place;
    places.push(place.value);
  }
  const [first] = places;
  if (first === undefined) return ok(whole);
  return ok(places.length === 1 ? first : { ...first, choice: places });
}

/** A destination as if it had this endpoint alone. */
function at(
  whole: LoadedDestination,
  endpoint: EndpointSettings,
  trustDomain: string,
): Result<LoadedEndpoint, string> {
  const { recipient } = endpoint;
  if (recipient === undefined) return ok({ ...whole, endpoint });
  const { spiffeId, evidence, largeBody, maxDigestBytes, responses, sessionProofs } = recipient;
  const id = ownId(spiffeId, trustDomain);
  if (!id.ok) return id;
  const { responses: _, sessionProofs: __, ...common } = whole.settings;
  const answers = responses === undefined ? {} : { responses };
  const signing = sessionProofs === undefined ? {} : { sessionProofs };
  const settings = { ...common, spiffeId, evidence, largeBody, maxDigestBytes, ...answers, ...signing };
  return ok({ ...whole, settings, id: id.value, endpoint });
}

/** A binding name that two services claim means the one in the workload's own namespace, as a bare host does. */
function ownsBinding(
  { key, binding }: Destination,
  byBinding: ReadonlyMap<string, LoadedDestination>,
  { workload }: Snapshot,
): boolean {
  return binding !== undefined && (!byBinding.has(binding) || namespaceOf(key) === namespaceOf(workload));
}

const namespaceOf = (key: string): string => key.slice(0, key.indexOf("/"));

function ownId(text: string, trustDomain: string): Result<SpiffeId, string> {
  const id = parseSpiffeId(text);
  if (!id.ok) return no(`an identity must be ${id.reason}`);
  if (id.value.trustDomain !== trustDomain) {
    return no(`an identity must be in the trust domain ${trustDomain}, found ${id.value.trustDomain}`);
  }
  return id;
}
