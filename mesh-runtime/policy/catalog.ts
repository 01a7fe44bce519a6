import { type Ages, type ByAge, byAgeIn } from "./age.ts";
import { byCodeUnits, canonicalJson } from "./canonical.ts";
import { defaultTrustDomain } from "./defaults.ts";
import { type DocumentOf, type Kind, keyOf, nameOf, type PolicyDocument } from "./documents.ts";
import type { RefusedDocuments } from "./refused/words.ts";

/** What compiling and cross-checking are told beside the documents. */
export interface MeshOptions {
  /** The trust domain that the control plane issues for. @default what MeshConfig says, or `mesh.local` */
  readonly meshTrustDomain?: string;
  /** How old the documents are, as far as the store knows. @default what each document says itself */
  readonly ages?: Ages;
  /** Documents in force that are refused, whatever stands for them among the documents. @default none */
  readonly refused?: RefusedDocuments;
  /** Trust domains that an operator has federated with. @default none */
  readonly federated?: readonly string[];
}

/**
 * The documents of a mesh, found by kind and key. Of two with one name the one that is smaller as text
 * stands here, so that whatever is made of a catalog depends on the set of documents and not on their
 * order; the cross-check refuses such a set.
 */
export interface Catalog {
  readonly trustDomain: string;
  /** Other trust domains whose callers are known. */
  readonly federated: readonly string[];
  readonly ages: Ages;
  /** Which of two documents comes first where only one can: the oldest, then the alphabet. */
  readonly byAge: ByAge;
  readonly refused: RefusedDocuments;
  readonly config: DocumentOf<"MeshConfig"> | undefined;
  /** By `namespace/name`, in order of keys. */
  readonly services: ReadonlyMap<string, DocumentOf<"Service">>;
  readonly gateways: ReadonlyMap<string, DocumentOf<"Gateway">>;
  /** In order of precedence between routes: the oldest first, then by `namespace/name`. */
  readonly routes: readonly DocumentOf<"HTTPRoute">[];
  readonly grants: readonly DocumentOf<"ReferenceGrant">[];
  /** By name; a namespace that nobody describes has no labels but its name. */
  readonly namespaces: ReadonlyMap<string, DocumentOf<"Namespace">>;
  /** The oldest first, as are the next. */
  readonly trafficPolicies: readonly DocumentOf<"TrafficPolicy">[];
  /** Of two for one Service the older holds, whole (GEP-713, no merging). */
  readonly backendTrafficPolicies: readonly DocumentOf<"XBackendTrafficPolicy">[];
  readonly authorizationPolicies: readonly DocumentOf<"AuthorizationPolicy">[];
  readonly requestAuthentications: readonly DocumentOf<"RequestAuthentication">[];
  readonly telemetries: readonly DocumentOf<"Telemetry">[];
  /** The policies that speak of a Service, by name or as one of its namespace, in order of their keys. */
  readonly about: (service: DocumentOf<"Service">) => Policies;
}

/** Policies that speak of one Service. */
export interface Policies {
  readonly authorization: readonly DocumentOf<"AuthorizationPolicy">[];
  readonly requestAuthentication: readonly DocumentOf<"RequestAuthentication">[];
  readonly traffic: readonly DocumentOf<"TrafficPolicy">[];
  /** The one that holds first. */
  readonly backendTraffic: readonly DocumentOf<"XBackendTrafficPolicy">[];
  readonly telemetry: readonly DocumentOf<"Telemetry">[];
}

/** Files documents by kind and key. */
export function catalogOf(
  documents: readonly PolicyDocument[],
  { meshTrustDomain, ages = new Map(), refused = new Map(), federated = [] }: MeshOptions = {},
): Catalog {
  const byAge = byAgeIn(ages);
  const byName = new Map<string, PolicyDocument>();
  for (const document of documents) {
    const name = nameOf(document);
    const other = byName.get(name);
    if (other === undefined || canonicalJson(document) < canonicalJson(other)) byName.set(name, document);
  }
  const names = [...byName.keys()].sort(byCodeUnits);
  const sorted = names.flatMap((name) => byName.get(name) ?? []);
  const all = <K extends Kind>(kind: K): readonly DocumentOf<K>[] =>
    sorted.filter((document): document is DocumentOf<K> => document.kind === kind);
  const keyed = <K extends Kind>(kind: K): ReadonlyMap<string, DocumentOf<K>> =>
    new Map(all(kind).map((document) => [keyOf(document), document]));
  const config = all("MeshConfig")[0];
  const authorizationPolicies = all("AuthorizationPolicy");
  const requestAuthentications = all("RequestAuthentication");
  const trafficPolicies = [...all("TrafficPolicy")].sort(byAge);
  const backendTrafficPolicies = [...all("XBackendTrafficPolicy")].sort(byAge);
  const telemetries = all("Telemetry");
  const requestAuthentication = byTarget(requestAuthentications);
  const [authorization, traffic, backendTraffic, telemetry] = [
    byTarget(authorizationPolicies),
    byTarget(trafficPolicies),
    byTarget(backendTrafficPolicies),
    byTarget(telemetries),
  ];
  return {
    trustDomain: meshTrustDomain ?? config?.spec.trustDomain ?? defaultTrustDomain,
    federated,
    ages,
    byAge,
    refused,
    config,
    services: keyed("Service"),
    gateways: keyed("Gateway"),
    routes: [...all("HTTPRoute")].sort(byAge),
    grants: all("ReferenceGrant"),
    namespaces: new Map(all("Namespace").map((document) => [document.metadata.name, document])),
    trafficPolicies,
    backendTrafficPolicies,
    authorizationPolicies,
    requestAuthentications,
    telemetries,
    about: (service) => ({
      authorization: authorization(service),
      requestAuthentication: requestAuthentication(service),
      traffic: [...traffic(service)].sort(byAge),
      backendTraffic: [...backendTraffic(service)].sort(byAge),
      telemetry: telemetry(service),
    }),
  };
}

type Targeting = DocumentOf<
  "AuthorizationPolicy" | "RequestAuthentication" | "TrafficPolicy" | "XBackendTrafficPolicy" | "Telemetry"
>;

/** `namespace/name` of every Service that a policy names; what it says of a whole namespace is not among them. */
export const targetKeys = ({ metadata, spec }: Targeting): readonly string[] =>
  (spec.targetRefs ?? []).map(({ name }) => `${metadata.namespace}/${name}`);

/** Files policies by what they target, so that each Service finds its own without looking at all. */
function byTarget<Policy extends Targeting>(
  policies: readonly Policy[],
): (service: DocumentOf<"Service">) => readonly Policy[] {
  const filed = new Map<string, Policy[]>();
  for (const policy of policies) {
    const keys =
      policy.spec.targetRefs === undefined ? [`${policy.metadata.namespace}/*`] : targetKeys(policy);
    for (const key of new Set(keys)) {
      const there = filed.get(key);
      if (there === undefined) filed.set(key, [policy]);
      else there.push(policy);
    }
  }
  return (service) =>
    [...(filed.get(keyOf(service)) ?? []), ...(filed.get(`${service.metadata.namespace}/*`) ?? [])].sort(
      (a, b) => byCodeUnits(keyOf(a), keyOf(b)),
    );
}
