import type { Endpoint } from "../foundation/ports.ts";
import { parseSpiffeId, workloadId } from "../identity/spiffe-id.ts";
import type { HashOn } from "../routing/words.ts";
import type { Catalog } from "./catalog.ts";
import { inboundOf, responsesOf } from "./compile-settings.ts";
import { defaultBalancing } from "./defaults.ts";
import type { DocumentOf } from "./documents.ts";
import { millisecondsOf } from "./milliseconds.ts";
import { isClosed } from "./references.ts";
import { endpointName } from "./schema/endpoints.ts";
import { constantCase, hasOnePlace } from "./schema/service.ts";
import type { Destination, EndpointSettings } from "./snapshot.ts";

type Service = DocumentOf<"Service">;
type Written = NonNullable<Service["spec"]["endpoints"]>[number];

/** The SPIFFE ID of a Service: as written, or by its name. */
export function spiffeIdOf({ trustDomain }: Catalog, { metadata, spec }: Service): string {
  return spec.identity ?? workloadId(spec.trustDomain ?? trustDomain, metadata.namespace, metadata.name).uri;
}

/** Whether a written identity is one that this mesh can give. */
export function inTrustDomain(identity: string, trustDomain: string): boolean {
  const id = parseSpiffeId(identity);
  return id.ok && id.value.trustDomain === trustDomain;
}

/**
 * The name in callers' `env` that means a Service. One that has an address alone is in no `env`, unless it says so;
 * of several endpoints the first with a binding gives it.
 */
export function bindingOf({ metadata, spec }: Service): string | undefined {
  const { binding, endpoint, endpoints } = spec;
  if (binding !== undefined) return binding;
  if (endpoints !== undefined) return endpoints.find((one) => one.binding !== undefined)?.binding;
  return endpoint === undefined ? constantCase(metadata.name) : endpoint.binding;
}

/** Where a Service answers. An endpoint that cannot be followed is left out; the cross-check refuses it. */
export function endpointsOf(catalog: Catalog, service: Service): readonly EndpointSettings[] {
  const { endpoints } = service.spec;
  if (isClosed(catalog, service)) return [];
  if (endpoints !== undefined) return endpoints.flatMap((one) => placed(catalog, service, one));
  const address = ownAddress(service);
  if (address === undefined) return [];
  return [{ name: endpointName(service.spec.endpoint ?? addressByName(service)), address, ...first }];
}

const first = { weight: 1, priority: 0 };

function placed(catalog: Catalog, service: Service, written: Written): readonly EndpointSettings[] {
  const { weight = first.weight, priority = first.priority, locality } = written;
  const placement = {
    name: endpointName(written),
    weight,
    priority,
    ...(locality === undefined ? {} : { locality }),
  };
  if (written.service === undefined) {
    const address = addressOf(written);
    return address === undefined ? [] : [{ ...placement, address }];
  }
  const other = catalog.services.get(`${service.metadata.namespace}/${written.service}`);
  if (other === undefined || !hasOnePlace(other) || isClosed(catalog, other)) return [];
  const address = ownAddress(other);
  if (address === undefined) return [];
  const { evidence, largeBody, maxDigestBytes, sessionProofs } = inboundOf(catalog, other);
  const signing = sessionProofs === undefined ? {} : { sessionProofs };
  const demands = { evidence, largeBody, maxDigestBytes, ...responsesOf(other), ...signing };
  const recipient = { spiffeId: spiffeIdOf(catalog, other), ...demands };
  return [{ ...placement, address, recipient }];
}

/** The one place of a Service that has one. */
const ownAddress = (service: Service): Endpoint | undefined =>
  service.spec.virtual === true ? undefined : addressOf(service.spec.endpoint ?? addressByName(service));

const addressByName = ({ metadata, spec }: Service): { readonly binding: string } => ({
  binding: spec.binding ?? constantCase(metadata.name),
});

function addressOf({
  binding,
  url,
  dispatch,
}: Pick<Written, "binding" | "url" | "dispatch">): Endpoint | undefined {
  if (dispatch !== undefined) return { kind: "dispatch", ...dispatch };
  const origin = url === undefined ? undefined : new URL(url).origin;
  if (binding !== undefined)
    return { kind: "binding", binding, ...(origin === undefined ? {} : { url: origin }) };
  return origin === undefined ? undefined : { kind: "url", url: origin };
}

/** How requests are balanced among endpoints, where there are several and a document says it. */
export function balancingOf(
  catalog: Catalog,
  service: Service,
  endpoints: readonly unknown[],
): Pick<Destination, "balancing"> {
  const written = catalog.about(service).traffic[0]?.spec.loadBalancing;
  if (written === undefined || endpoints.length < 2) return {};
  const { algorithm, hashOn, slowStart, locality } = written;
  return {
    balancing: {
      algorithm,
      ...(hashOn === undefined ? {} : { hashOn: hashOnOf(hashOn) }),
      slowStartMs: slowStart === undefined ? defaultBalancing.slowStartMs : millisecondsOf(slowStart),
      preferLocal: locality?.prefer ?? defaultBalancing.preferLocal,
    },
  };
}

type WrittenTraffic = DocumentOf<"TrafficPolicy">["spec"];
type WrittenHashOn = NonNullable<NonNullable<WrittenTraffic["loadBalancing"]>["hashOn"]>;

/** Header names are lower case inside the mesh; the schema has seen to it that one member is there. */
function hashOnOf({ header, cookie, query }: WrittenHashOn): HashOn {
  if (header !== undefined) return { type: "header", name: header.toLowerCase() };
  if (cookie !== undefined) return { type: "cookie", name: cookie };
  return query === undefined ? { type: "sourceAddress" } : { type: "query", name: query };
}
