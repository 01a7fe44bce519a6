import type { DocumentRef } from "@tulle/control/api/contract.ts";
import { exit } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

/**
 * The kinds of documents with the short names operators type, in the order in which documents can be
 * deleted: what refers to others comes before what it refers to.
 */
const shortNames = {
  AuthorizationPolicy: ["authz", "ap"],
  RequestAuthentication: ["ra"],
  TrafficPolicy: ["tp"],
  XBackendTrafficPolicy: ["xbtrafficpolicy", "backendtrafficpolicy"],
  HTTPRoute: ["route", "routes"],
  ReferenceGrant: ["refgrant", "refgrants"],
  Gateway: ["gw"],
  Service: ["svc"],
  Telemetry: [],
  MeshConfig: [],
  Namespace: ["ns"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export const kinds: readonly string[] = Object.keys(shortNames);

const byName: ReadonlyMap<string, string> = new Map(
  Object.entries(shortNames).flatMap(([kind, short]) =>
    [kind, plural(kind), ...short].map((name): [string, string] => [name.toLowerCase(), kind]),
  ),
);

/**
 * The kind that is meant by a name in any case, singular or plural, or by its short name.
 * @throws Failure (usage) with the list of kinds
 */
export function parseKind(text: string): string {
  const kind = byName.get(text.toLowerCase());
  if (kind !== undefined) return kind;
  throw new Failure(
    exit.usage,
    `There is no kind "${text}".`,
    `The kinds are ${[...kinds].sort().join(", ")}.`,
  );
}

/**
 * Names a document that may be in force: one that a newer version of Tulle wrote can be of a kind, or have a name, that
 * this one does not know, and has to be looked at and deleted all the same. Such a kind is written as it stands.
 * @throws Failure (usage)
 */
export function parseRef(kind: string, text: string, namespace: string | undefined): DocumentRef {
  return { kind: parseStoredKind(kind), ...placeIn(text, namespace, storedName) };
}

/** A known kind by any of its names, or an unknown one as it stands. */
export const parseStoredKind = (text: string): string =>
  byName.has(text.toLowerCase()) || !/^[A-Z][A-Za-z0-9]{0,62}$/.test(text) ? parseKind(text) : text;

/** A document's place, as the API wants it. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** The form of names and namespaces (RFC 1123 subdomain); also keeps `..` out of request paths. */
const nameForm = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
/** What another version could take for one. */
const storedName = /^[A-Za-z0-9][-A-Za-z0-9._]{0,1023}$/;

/**
 * Reads `name` or `namespace/name`; without a namespace it is `--namespace`, else `default`.
 * @throws Failure (usage) when it is not such a name, or two namespaces are given that differ
 */
export const parsePlace = (text: string, namespace: string | undefined): Place =>
  placeIn(text, namespace, nameForm);

function placeIn(text: string, namespace: string | undefined, form: RegExp): Place {
  const [first = "", second, ...rest] = text.split("/");
  const place =
    second === undefined
      ? { namespace: namespace ?? "default", name: first }
      : { namespace: first, name: second };
  if (rest.length > 0 || !form.test(place.name))
    throw new Failure(
      exit.usage,
      `"${text}" is not a name: it must be like "payments" or "default/payments".`,
    );
  if (namespace !== undefined && namespace !== place.namespace)
    throw new Failure(exit.usage, `"${text}" and --namespace ${namespace} name different namespaces.`);
  if (!form.test(place.namespace)) parseNamespace(place.namespace);
  return place;
}

/** @throws Failure (usage) */
export function parseNamespace(text: string): string {
  if (nameForm.test(text)) return text;
  throw new Failure(exit.usage, `"${text}" is not a namespace: it must be like "default".`);
}

function plural(kind: string): string {
  return kind.endsWith("y") ? `${kind.slice(0, -1)}ies` : `${kind}s`;
}
