import type { Manifest } from "./format.ts";
import { keyOf } from "./manifests.ts";

/** What an HTTPRoute says of a parent. */
export interface ParentRef {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

/** Kubernetes' `LabelSelector`. */
interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** What a Gateway says of a listener. */
export interface Listener {
  readonly name: string;
  readonly port: number;
  readonly protocol?: string;
  readonly hostname?: string;
  readonly allowedRoutes?: {
    readonly kinds?: readonly { readonly group?: string; readonly kind: string }[];
    readonly namespaces?: {
      readonly from?: string;
      readonly selector?: Selector;
    };
  };
}

/** Why a route is not attached (`RouteConditionReason`). */
export type Reason = "NoMatchingParent" | "NotAllowedByListeners" | "NoMatchingListenerHostname";

/*
 * Which routes a listener takes, judged a second time and in the plainest way, so that what control says of it in
 * a status is compared with something that is not control.
 */

/** The listeners of a Gateway. */
export const listenersOf = ({ spec = {} }: Manifest): readonly Listener[] =>
  (spec.listeners ?? []) as readonly Listener[];

/** What a route says of its parents. */
export const parentRefsOf = ({ spec = {} }: Manifest): readonly ParentRef[] =>
  (spec.parentRefs ?? []) as readonly ParentRef[];

/** `namespace/name` of the Gateway that a parentRef of a route names; undefined for a Service. */
export function gatewayOf(
  route: Manifest,
  { kind = "Gateway", namespace, name }: ParentRef,
): string | undefined {
  return kind === "Gateway" ? `${namespace ?? keyOf(route).split("/")[0]}/${name}` : undefined;
}

/** Why a listener does not take a route over a parentRef; undefined if it does. */
export function notTaken(
  route: Manifest,
  ref: ParentRef,
  gateway: Manifest,
  listener: Listener,
  namespaces: readonly Manifest[],
): Reason | undefined {
  if (ref.sectionName !== undefined && ref.sectionName !== listener.name) return "NoMatchingParent";
  if (ref.port !== undefined && ref.port !== listener.port) return "NoMatchingParent";
  if (!allows(route, gateway, listener, namespaces)) return "NotAllowedByListeners";
  const hostnames = (route.spec?.hostnames ?? []) as readonly string[];
  const { hostname = "" } = listener;
  const meets =
    hostname === "" || hostnames.length === 0 || hostnames.some((one) => intersect(one, hostname));
  return meets ? undefined : "NoMatchingListenerHostname";
}

function allows(
  route: Manifest,
  gateway: Manifest,
  { protocol = "HTTP", allowedRoutes = {} }: Listener,
  namespaces: readonly Manifest[],
): boolean {
  const { kinds, namespaces: { from = "Same", selector = {} } = {} } = allowedRoutes;
  const kindsTaken = kinds?.map(({ kind }) => kind) ?? (/^HTTPS?$/.test(protocol) ? ["HTTPRoute"] : []);
  if (!kindsTaken.includes(route.kind)) return false;
  const namespace = keyOf(route).split("/")[0];
  switch (from) {
    case "All":
      return true;
    case "Same":
      return namespace === keyOf(gateway).split("/")[0];
    case "Selector":
      return selects(selector, labelsOf(namespace, namespaces));
    default:
      return false;
  }
}

/** Kubernetes gives every namespace a label with its name. */
const labelsOf = (name = "", namespaces: readonly Manifest[]): Readonly<Record<string, string>> => ({
  "kubernetes.io/metadata.name": name,
  ...namespaces.find(({ metadata }) => metadata.name === name)?.metadata.labels,
});

function selects(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Readonly<Record<string, string>>,
): boolean {
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      const among = value !== undefined && values.includes(value);
      if (operator === "In") return among;
      if (operator === "NotIn") return !among;
      return operator === "Exists" ? value !== undefined : value === undefined;
    })
  );
}

/** Whether two hostnames, either of which may begin with `*.`, have a host in common. */
function intersect(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [one, other].map((name) => (name.startsWith("*.") ? name.slice(1) : undefined));
  if (a !== undefined && b !== undefined) return a.endsWith(b) || b.endsWith(a);
  if (a !== undefined) return other.endsWith(a);
  return b !== undefined && one.endsWith(b);
}

/** The routes of several that a listener takes. */
export function attached(
  routes: readonly Manifest[],
  gateway: Manifest,
  listener: Listener,
  namespaces: readonly Manifest[],
): readonly Manifest[] {
  return routes.filter((route) =>
    parentRefsOf(route).some(
      (ref) =>
        gatewayOf(route, ref) === keyOf(gateway) &&
        notTaken(route, ref, gateway, listener, namespaces) === undefined,
    ),
  );
}

/** Why no listener of a Gateway takes a route: the reason of the one that comes closest; undefined if one does. */
export function notAttached(
  route: Manifest,
  gateway: Manifest,
  namespaces: readonly Manifest[],
): Reason | undefined {
  const refs = parentRefsOf(route).filter((ref) => gatewayOf(route, ref) === keyOf(gateway));
  const reasons = refs.flatMap((ref) =>
    listenersOf(gateway).map((listener) => notTaken(route, ref, gateway, listener, namespaces)),
  );
  if (reasons.includes(undefined)) return undefined;
  const closest = (["NoMatchingListenerHostname", "NotAllowedByListeners"] as const).find((reason) =>
    reasons.includes(reason),
  );
  return closest ?? "NoMatchingParent";
}
