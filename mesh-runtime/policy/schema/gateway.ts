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
  value,
} from "./fields.ts";
import { hostname } from "./http-route.ts";
import { infrastructure } from "./infrastructure.ts";
import { labelSelector } from "./label-selector.ts";
import {
  documentOf,
  gatewayGroup,
  gatewayVersions,
  group,
  kindName,
  label,
  port,
  subdomain,
  writtenStatus,
} from "./metadata.ts";

const routeKind = strict({
  group: about(defaulted(group(), gatewayGroup), "Group of the kind."),
  kind: about(
    kindName(),
    "Kind of route. HTTPRoute is served; a listener that names others alone takes no routes.",
  ),
});

const words = ["Same", "All", "Selector", "None"] as const;

/** `FromNamespaces`. `None` is a word of the type that the CRD refuses here; see `narrowed.ts`. */
const from = value<(typeof words)[number]>("one of Same, All, Selector", (input) =>
  words.some((word) => word === input),
);

const namespaces = checked(
  strict({
    from: about(
      defaulted(from, "Same"),
      "`Same`: routes of the Gateway's namespace; `All`: of every; `Selector`: of those whose labels the selector fits.",
    ),
    selector: about(
      optional(labelSelector),
      "The labels of the namespaces; looked at with `from: Selector` alone.",
    ),
  }),
  function* ({ from: of, selector }): Generator<Fault> {
    if (of !== "Selector" || selector !== undefined) return;
    yield {
      path: ["from"],
      expected: "a selector beside from: Selector",
      found: "none",
      message: "without a selector no namespace is meant, or all; write one, or use All or Same",
    };
  },
);

const allowedRoutes = strict({
  namespaces: about(defaulted(namespaces, {}), "Whose routes may attach."),
  kinds: about(optional(list(routeKind, 0, 8)), "Kinds of routes that may attach; otherwise HTTPRoute."),
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

/** One listener of a Gateway. */
export const listener = checked(
  strict({
    name: about(subdomain(), "Name, unique in the Gateway."),
    hostname: about(optional(hostname()), "Hosts that it takes; otherwise all."),
    port: about(port(), "Port that clients see; redirects that keep the port use it."),
    protocol: about(
      choice(["HTTP", "HTTPS"], {
        TLS: "not supported: a worker sees no connections",
        TCP: "not supported: a worker sees no connections",
        UDP: "not supported: a worker sees no packets",
        h2c: "not supported: the platform speaks HTTP/2 over TLS alone; use HTTP or HTTPS",
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
    infrastructure: about(
      optional(infrastructure),
      "Read for its form. Its labels and annotations have no effect here.",
    ),
    allowedListeners: unsupported("not supported yet; write the listeners into the Gateway"),
    backendTLS: unsupported("not supported: calls inside the mesh are signed; remove it"),
    tls: unsupported("not supported: the platform ends TLS; remove it"),
    defaultScope: unsupported("not supported; name the Gateway in each route's parentRefs"),
  }),
  function* ({ listeners }): Generator<Fault> {
    yield* repeated(listeners, ({ name }) => name, "listener name", ["listeners"]);
    const socket = ({ port: on, protocol, hostname: host = "*" }: (typeof listeners)[number]) =>
      `${protocol} ${host}:${on}`;
    yield* repeated(listeners, socket, "port, protocol and hostname", ["listeners"]);
  },
);

export const gateway = documentOf(gatewayVersions, "Gateway", spec, subdomain(), writtenStatus);
export type Gateway = v.InferOutput<typeof gateway>;
