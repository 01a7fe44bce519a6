import type * as v from "valibot";
import {
  about,
  checked,
  choice,
  defaulted,
  type Fault,
  list,
  optional,
  repeated,
  strict,
  unsupported,
} from "./fields.ts";
import { hostname } from "./http-route.ts";
import {
  documentOf,
  gatewayGroup,
  gatewayVersions,
  group,
  kindName,
  label,
  port,
  subdomain,
} from "./metadata.ts";

const routeKind = strict({
  group: about(defaulted(choice([gatewayGroup]), gatewayGroup), "Group of the kind."),
  kind: about(
    choice(["HTTPRoute"], {
      GRPCRoute: "not supported yet; use HTTPRoute",
      TLSRoute: "not supported: a worker sees no connections",
      TCPRoute: "not supported: a worker sees no connections",
      UDPRoute: "not supported: a worker sees no packets",
    }),
    "Kind of route.",
  ),
});

const allowedRoutes = strict({
  namespaces: about(
    defaulted(
      strict({
        from: about(
          defaulted(
            choice(["Same", "All", "None"], {
              Selector: "not supported yet: namespaces have no labels here; use All or Same",
            }),
            "Same",
          ),
          "`Same`: routes of the Gateway's namespace; `All`: of every; `None`: no routes.",
        ),
        selector: unsupported("not supported yet: namespaces have no labels here; use from: All or Same"),
      }),
      {},
    ),
    "Whose routes may attach.",
  ),
  kinds: about(optional(list(routeKind, 1, 8)), "Kinds of routes that may attach."),
});

const certificateRef = strict({
  group: optional(group()),
  kind: optional(kindName()),
  name: subdomain(),
  namespace: optional(label()),
});

const tls = strict({
  mode: about(
    optional(choice(["Terminate"], { Passthrough: "not supported: a worker sees no connections" })),
    "The platform ends TLS.",
  ),
  certificateRefs: about(
    optional(list(certificateRef, 0, 64)),
    "Taken from manifests as they are; the certificates are the platform's, and a warning says so.",
  ),
  options: unsupported("not supported: the platform ends TLS; remove it"),
  frontendValidation: unsupported("not supported: the platform ends TLS; remove it"),
});

const listener = checked(
  strict({
    name: about(subdomain(), "Name, unique in the Gateway."),
    hostname: about(optional(hostname()), "Hosts that it takes; otherwise all."),
    port: about(port(), "Port that clients see; redirects that keep the port use it."),
    protocol: about(
      choice(["HTTP", "HTTPS"], {
        TLS: "not supported: a worker sees no connections",
        TCP: "not supported: a worker sees no connections",
        UDP: "not supported: a worker sees no packets",
      }),
      "What clients speak.",
    ),
    tls: about(optional(tls), "For HTTPS; the platform ends TLS and has the certificates."),
    allowedRoutes: about(defaulted(allowedRoutes, {}), "Routes that may attach."),
  }),
  function* ({ protocol, tls: given }): Generator<Fault> {
    if (protocol === "HTTPS" || given === undefined) return;
    yield {
      path: ["tls"],
      expected: "no tls for the protocol HTTP",
      found: "tls",
      message: "tls belongs to HTTPS; remove it or change the protocol",
    };
  },
);

const spec = checked(
  strict({
    gatewayClassName: about(choice(["tulle"]), "The class that this mesh implements."),
    listeners: about(list(listener, 1, 64), "What is listened to."),
    addresses: unsupported(
      "not supported: addresses are the platform's; give the worker a route or domain there",
    ),
    infrastructure: unsupported("not supported; name the worker in the annotation mesh.tulle.dev/worker"),
    allowedListeners: unsupported("not supported yet; write the listeners into the Gateway"),
    backendTLS: unsupported("not supported: calls inside the mesh are signed; remove it"),
    tls: unsupported("not supported: the platform ends TLS; remove it"),
    defaultScope: unsupported("not supported; name the Gateway in each route's parentRefs"),
  }),
  function* ({ listeners }): Generator<Fault> {
    yield* repeated(listeners, ({ name }) => name, "listener name", ["listeners"]);
    const socket = ({ port: on, hostname: host = "*" }: (typeof listeners)[number]) => `${host}:${on}`;
    yield* repeated(listeners, socket, "port and hostname", ["listeners"]);
    const protocols = new Map<number, string>();
    for (const [index, { port: on, protocol }] of listeners.entries()) {
      const first = protocols.get(on);
      if (first === undefined) protocols.set(on, protocol);
      else if (first !== protocol) yield conflict(index, on, first, protocol);
    }
  },
);

const conflict = (index: number, on: number, first: string, protocol: string): Fault => ({
  path: ["listeners", index, "protocol"],
  expected: `${first}, as the other listener on port ${on}`,
  found: protocol,
  message: `port ${on} speaks one protocol; use another port or the same protocol`,
});

export const gateway = documentOf(gatewayVersions, "Gateway", spec);
export type Gateway = v.InferOutput<typeof gateway>;
