import type * as v from "valibot";
import { largestBody } from "../../identity/body-room.ts";
import { parseSpiffeId, workloadOf } from "../../identity/spiffe-id.ts";
import { bindingName, endpoint, endpoints } from "./endpoints.ts";
import { farService } from "./far-service.ts";
import {
  about,
  checked,
  choice,
  duration,
  type Fault,
  flag,
  integer,
  list,
  optional,
  repeated,
  type Schema,
  strict,
  unsupported,
  value,
} from "./fields.ts";
import { trustDomain } from "./mesh-config.ts";
import { documentOf, label, meshVersions, port } from "./metadata.ts";

const identity = (): Schema<string> =>
  value<string>(
    'a SPIFFE ID of a workload, such as "spiffe://mesh.local/ns/default/sa/payments"',
    (input) => {
      const id = typeof input === "string" ? parseSpiffeId(input) : undefined;
      return id?.ok === true && workloadOf(id.value) !== undefined;
    },
  );

const spec = checked(
  strict({
    mode: about(
      optional(
        choice(["STRICT", "PERMISSIVE"], {
          DISABLE: "not supported: a service without mesh needs no document",
        }),
      ),
      "`STRICT`: no verified identity, no entry. `PERMISSIVE`: verify when present, let in and count when not.",
    ),
    evidence: about(
      optional(choice(["binding", "signature"])),
      "The weakest evidence of identity that is accepted: the platform's word, or the caller's own signature.",
    ),
    replay: about(
      optional(choice(["window", "strict"])),
      "How a signed request is kept from coming again within its half minute. `window`: each isolate remembers what it let in. `strict`: it is let in once in the whole mesh, which costs a call to control; in doubt it is refused, and `sessionProofs` are refused always. A route may ask for it alone, by the annotation `mesh.tulle.dev/replay: strict`.",
    ),
    sessionProofs: about(
      optional(choice(["allowed", "refused"])),
      "Whether one signature may prove several requests. `allowed`: a caller that comes often agrees a key for ten minutes, and proves its requests by that. `refused`: each request is signed by the caller's own key, which is evidence against it that this Service could not have made.",
    ),
    responses: about(
      optional(choice(["unsigned", "signed"])),
      "Whether its answers are signed. `signed`: callers ask for it with each signed request, and refuse an answer that this Service has not signed for that very request. Bodies are digested as those of requests are.",
    ),
    identity: about(
      optional(identity()),
      "Its SPIFFE ID; otherwise `spiffe://<trust domain>/ns/<namespace>/sa/<name>`.",
    ),
    trustDomain: about(
      optional(trustDomain()),
      "The trust domain of the other mesh that it belongs to, if it is not of this one: it is reached by URLs alone, and nothing of it runs here.",
    ),
    endpoint: about(optional(endpoint), "Where it is; otherwise the binding of its name."),
    endpoints: about(
      optional(endpoints),
      "Where it is, if that is several places; a TrafficPolicy says how requests are balanced among them.",
    ),
    virtual: about(
      optional(flag()),
      "It has no worker and only routes to others; without an HTTPRoute that is attached to it, it answers 503.",
    ),
    binding: about(
      optional(bindingName()),
      "The binding in callers' `env` that means this service; otherwise the endpoint's, or the name in CONSTANT_CASE unless it has a URL.",
    ),
    ports: about(
      optional(
        list(
          strict({
            name: about(optional(label()), "Name of the port."),
            port: about(port(), "Its number."),
            appProtocol: unsupported(
              "not supported: workers are called over bindings and HTTPS, whatever a port is said to speak; leave it out",
            ),
          }),
          1,
          64,
        ),
      ),
      "Ports that routes may name; a worker has one way in, so they all lead there.",
    ),
    timeout: about(
      optional(duration()),
      "How long a request that arrives may take; `0s`: as long as its caller waits.",
    ),
    maxInFlight: about(
      optional(integer(1, 1_000_000)),
      "Requests under way in one isolate; above it they are refused.",
    ),
    maxDigestBytes: about(
      optional(integer(0, largestBody)),
      "Bodies up to this are digested, signed and verified. They are held in memory meanwhile.",
    ),
    largeBody: about(
      optional(choice(["reject", "unsigned"])),
      "What happens to a larger body that carries no digest.",
    ),
    selector: unsupported("not supported: a worker is not selected; write an endpoint"),
    clusterIP: unsupported("not supported; write an endpoint"),
    type: unsupported("not supported; write an endpoint"),
  }),
  function* (given): Generator<Fault> {
    const { virtual, endpoint: at, endpoints: several, ports } = given;
    yield* farService(given);
    yield* repeated(ports, ({ name }) => name, "port name", ["ports"]);
    yield* repeated(ports, (one) => String(one.port), "port", ["ports"]);
    if (virtual === true && at !== undefined) yield notVirtual("endpoint");
    if (virtual === true && several !== undefined) yield notVirtual("endpoints");
    if (at === undefined || several === undefined) return;
    yield {
      path: ["endpoint"],
      expected: "one of endpoint and endpoints",
      found: "both",
      message:
        "endpoint is the only place of a Service, and endpoints are all its places; move it into the list",
    };
  },
);

const notVirtual = (member: string): Fault => ({
  path: [member],
  expected: `no ${member} beside virtual: true`,
  found: member,
  message: "a virtual Service has no worker; remove this member, or virtual",
});

export const service = documentOf(meshVersions, "Service", spec, label());
export type Service = v.InferOutput<typeof service>;

/**
 * Whether a Service runs somewhere in this mesh itself: a virtual one does not, nor does one whose endpoints are all
 * other Services, nor one of another mesh.
 */
export const hasWorker = ({ spec }: Service): boolean =>
  spec.virtual !== true &&
  spec.trustDomain === undefined &&
  (spec.endpoints === undefined || spec.endpoints.some(({ service }) => service === undefined));

/** Whether a Service can be an endpoint of another: its worker is in one place. Looking further would make chains. */
export const hasOnePlace = ({ spec }: Service): boolean =>
  spec.virtual !== true && spec.trustDomain === undefined && spec.endpoints === undefined;

/** Names of Services are labels, so the binding is at most 63 characters; one that begins with a digit gets "_" in front. */
export function constantCase(name: string): string {
  const constant = name.toUpperCase().replaceAll("-", "_");
  return /^[0-9]/.test(constant) ? `_${constant}` : constant;
}
