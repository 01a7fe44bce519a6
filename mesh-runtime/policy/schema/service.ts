import type * as v from "valibot";
import { parseSpiffeId, workloadOf } from "../../identity/spiffe-id.ts";
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
import { documentOf, label, meshVersions, port } from "./metadata.ts";

/** The binding to the control plane that every worker has; no Service may be called so. */
export const controlBinding = "MESH";

/** A name in `env`. */
export const bindingName = (): Schema<string> =>
  value<string>(
    "the name of a binding, such as PAYMENTS",
    (input) =>
      typeof input === "string" && /^[A-Za-z_$][A-Za-z0-9_$]{0,63}$/.test(input) && input !== controlBinding,
    (input) =>
      input === controlBinding
        ? `${controlBinding} is the binding to the control plane; choose another name`
        : "",
  );

const identity = (): Schema<string> =>
  value<string>(
    'a SPIFFE ID of a workload, such as "spiffe://mesh.local/ns/default/sa/payments"',
    (input) => {
      const id = typeof input === "string" ? parseSpiffeId(input) : undefined;
      return id?.ok === true && workloadOf(id.value) !== undefined;
    },
  );

/** An origin that requests can be signed for: `https`, or `http` to this machine, and nothing after the host. */
const origin = (): Schema<string> =>
  value<string>(
    "an origin such as https://payments.example.com, without path, user and query",
    (input) => typeof input === "string" && isOrigin(input),
  );

function isOrigin(written: string): boolean {
  if (!URL.canParse(written)) return false;
  const { protocol, hostname, origin: canonical } = new URL(written);
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  const bare = written.endsWith("/") ? written.slice(0, -1) : written;
  return (protocol === "https:" || (protocol === "http:" && local)) && bare.toLowerCase() === canonical;
}

const endpoint = checked(
  strict({
    binding: about(optional(bindingName()), "A service binding in the callers' `env`."),
    url: about(
      optional(origin()),
      "An origin to fetch from; beside a binding, for callers that have no bindings.",
    ),
    dispatch: unsupported("not supported yet; bind the worker, or give its URL"),
  }),
  function* ({ binding, url }): Generator<Fault> {
    if (binding !== undefined || url !== undefined) return;
    yield {
      path: [],
      expected: "binding, url or both",
      found: "neither",
      message: "an endpoint without binding and url leads nowhere; write one of the two",
    };
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
    identity: about(
      optional(identity()),
      "Its SPIFFE ID; otherwise `spiffe://<trust domain>/ns/<namespace>/sa/<name>`.",
    ),
    endpoint: about(optional(endpoint), "Where it is; otherwise the binding of its name."),
    virtual: about(
      optional(flag()),
      "It has no worker and only routes to others; at least one HTTPRoute must be attached.",
    ),
    binding: about(
      optional(bindingName()),
      "The binding in callers' `env` that means this service; otherwise the endpoint's, or the name in CONSTANT_CASE unless it has a URL.",
    ),
    ports: about(
      optional(
        list(
          strict({ name: about(optional(label()), "Name of the port."), port: about(port(), "Its number.") }),
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
      optional(integer(0, 100 * 1024 * 1024)),
      "Bodies up to this are digested, signed and verified.",
    ),
    largeBody: about(
      optional(choice(["reject", "unsigned"])),
      "What happens to a larger body that carries no digest.",
    ),
    selector: unsupported("not supported: a worker is not selected; write an endpoint"),
    clusterIP: unsupported("not supported; write an endpoint"),
    type: unsupported("not supported; write an endpoint"),
  }),
  function* ({ virtual, endpoint: at, ports }): Generator<Fault> {
    yield* repeated(ports, ({ name }) => name, "port name", ["ports"]);
    yield* repeated(ports, (one) => String(one.port), "port", ["ports"]);
    if (virtual === true && at !== undefined) yield notVirtual("endpoint");
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

/** Names of Services are labels, so the binding is at most 63 characters; one that begins with a digit gets "_" in front. */
export function constantCase(name: string): string {
  const constant = name.toUpperCase().replaceAll("-", "_");
  return /^[0-9]/.test(constant) ? `_${constant}` : constant;
}
