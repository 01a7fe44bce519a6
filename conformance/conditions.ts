import { notAttached } from "./attachment.ts";
import { Failure } from "./failure.ts";
import type { Manifest, Step } from "./format.ts";
import { keyOf } from "./manifests.ts";
import type { Running } from "./running.ts";
import type { Condition, ParentStatus, Status } from "./status.ts";

/** What a condition must be; an absent member may be anything. */
export interface Wanted {
  readonly type: string;
  readonly status?: string;
  readonly reason?: string;
}

/** Reasons by the condition that has them, as `apis/v1` lists them. */
const reasons: Readonly<Record<string, readonly string[]>> = {
  Accepted: [
    "NotAllowedByListeners",
    "NoMatchingListenerHostname",
    "NoMatchingParent",
    "UnsupportedValue",
    "IncompatibleFilters",
    "PortUnavailable",
    "UnsupportedProtocol",
    "ListenersNotValid",
    "UnsupportedAddress",
    "InvalidParameters",
  ],
  ResolvedRefs: [
    "RefNotPermitted",
    "InvalidKind",
    "BackendNotFound",
    "InvalidRouteKinds",
    "InvalidCertificateRef",
  ],
  Conflicted: ["HostnameConflict", "ProtocolConflict"],
  Programmed: ["AddressNotAssigned", "AddressNotUsable", "NoResources"],
};

/**
 * The condition that an assertion wants: as it says, or as its heading names it, where a suite keeps only the words.
 * @returns undefined when neither does
 */
export function wantedBy(step: Step): Wanted | undefined {
  const said = step.condition ?? (step.args as { condition?: unknown } | undefined)?.condition;
  if (said !== undefined) return said as Wanted;
  const heading = [...(step.path ?? []), step.name ?? ""].join(" ");
  if (/\bunresolved\b/i.test(heading)) return { type: "ResolvedRefs", status: "False" };
  if (/PartiallyInvalid/.test(heading)) return { type: "PartiallyInvalid", status: "True" };
  const named = Object.entries(reasons)
    .flatMap(([type, all]) => all.map((reason) => ({ type, reason })))
    .sort((a, b) => b.reason.length - a.reason.length)
    .find(({ reason }) => heading.includes(reason));
  if (named !== undefined) {
    const status = named.type === "Conflicted" ? "True" : "False";
    // A route may have a reason under another condition than a listener: what the heading says counts.
    const type = /ResolvedRefs/.test(heading) ? "ResolvedRefs" : named.type;
    return { ...named, type, status };
  }
  const type = /\b(Accepted|ResolvedRefs|Programmed|Conflicted)\b/.exec(heading)?.[1];
  const status = /\bfalse\b|\bnot\b/i.test(heading) ? "False" : "True";
  return type === undefined ? undefined : { type, status };
}

/** What it must be of a route at a Gateway, where nobody says: what its attachment is. */
export function impliedBy(run: Running, route: Manifest, gateway: Manifest): Wanted {
  const reason = notAttached(route, gateway, run.all("Namespace"));
  return reason === undefined
    ? { type: "Accepted", status: "True" }
    : { type: "Accepted", status: "False", reason };
}

/** Reads the status of a document. @throws Failure when there is none */
export async function statusOf(run: Running, kind: string, key: string): Promise<Status> {
  const document = await run.mesh.control.document(kind, key);
  if (document === undefined) throw new Failure(`${kind} ${key}: expected a document, found none`);
  if (document.status === undefined) throw new Failure(`${kind} ${key}: expected a status, found none`);
  return document.status;
}

/** What the parents of a route that lead to one Gateway or Service say of it. */
export function parentsTo(
  status: Status,
  route: Manifest,
  key: string,
  kind = "Gateway",
): readonly ParentStatus[] {
  const [own] = keyOf(route).split("/");
  return (status.parents ?? []).filter(
    ({ parentRef }) =>
      (parentRef.kind ?? "Gateway") === kind && `${parentRef.namespace ?? own}/${parentRef.name}` === key,
  );
}

/** Passes if a condition is as it must be. @throws Failure with what was found */
export function mustHave(where: string, conditions: readonly Condition[], wanted: Wanted): void {
  const found = conditions.find(({ type }) => type === wanted.type);
  const fits =
    found !== undefined &&
    (wanted.status === undefined || found.status === wanted.status) &&
    (wanted.reason === undefined || found.reason === wanted.reason);
  if (!fits)
    throw new Failure(
      `${where}: expected ${shown(wanted)}, found ${found === undefined ? "none" : shown(found)}`,
    );
}

const shown = ({ type, status, reason }: Wanted): string =>
  [type, status ?? "", reason === undefined ? "" : `(${reason})`].filter((part) => part !== "").join(" ");

/** Passes if a route has a condition at each of these Gateways, all of which it names as parents. */
export async function routeMustHave(
  run: Running,
  route: Manifest,
  gateways: readonly Manifest[],
  wantedAt: (gateway: Manifest) => Wanted,
): Promise<void> {
  if (gateways.length === 0)
    throw new Failure(`HTTPRoute ${keyOf(route)}: expected a Gateway as parent, found none`);
  const status = await statusOf(run, "HTTPRoute", keyOf(route));
  for (const gateway of gateways) {
    const wanted = wantedAt(gateway);
    const parents = parentsTo(status, route, keyOf(gateway));
    const where = `HTTPRoute ${keyOf(route)} at ${keyOf(gateway)}`;
    if (parents.length === 0) throw new Failure(`${where}: expected ${shown(wanted)}, found no parent`);
    // Upstream is content with one parentRef of several; a route that names one listener twice means each.
    if (parents.some(({ conditions }) => has(conditions, wanted))) continue;
    mustHave(where, parents[0]?.conditions ?? [], wanted);
  }
}

const has = (conditions: readonly Condition[], { type, status, reason }: Wanted): boolean =>
  conditions.some(
    (one) =>
      one.type === type &&
      (status === undefined || one.status === status) &&
      (reason === undefined || one.reason === reason),
  );
