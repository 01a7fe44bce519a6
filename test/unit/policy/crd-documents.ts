import { readApplied } from "../../../mesh-runtime/policy/schema.ts";
import crds from "../../vectors/gateway-api-crds.json" with { type: "json" };

/** What a CRD says of one member. */
export interface Member {
  readonly type: "object" | "array" | "string" | "integer" | "boolean";
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly list?: "set" | "map";
  readonly keys?: readonly string[];
}

/** Kinds of Gateway API, as their CRDs describe them. */
export const kinds = crds.kinds as unknown as Readonly<
  Record<
    Kind,
    {
      readonly members: Readonly<Record<string, Member>>;
      readonly refusedHere: readonly string[];
      readonly rules: Readonly<Record<string, readonly string[]>>;
    }
  >
>;
export type Kind = keyof typeof documents;

const change = (prefix: string) => ({
  set: [{ name: `${prefix}-set`, value: "a" }],
  add: [{ name: `${prefix}-add`, value: "a" }],
  remove: [`${prefix}-remove`],
});
const cors = {
  allowOrigins: ["https://a.example"],
  allowCredentials: true,
  allowMethods: ["GET"],
  allowHeaders: ["x-a"],
  exposeHeaders: ["x-a"],
  maxAge: 10,
};
const backendRef = { group: "", kind: "Service", name: "b", namespace: "n", port: 80 };
export const mirror = (more: object = {}) => ({
  type: "RequestMirror",
  requestMirror: { backendRef, ...more },
});
const filters = (path: object) => [
  { type: "RequestHeaderModifier", requestHeaderModifier: change("x") },
  { type: "ResponseHeaderModifier", responseHeaderModifier: change("y") },
  mirror({ fraction: { numerator: 1, denominator: 2 } }),
  mirror({ percent: 50 }),
  { type: "URLRewrite", urlRewrite: { hostname: "a.example", path } },
  { type: "CORS", cors },
];
const whole = { type: "ReplaceFullPath", replaceFullPath: "/a" };
const prefix = { type: "ReplacePrefixMatch", replacePrefixMatch: "/a" };
const redirect = (path: object) => ({
  type: "RequestRedirect",
  requestRedirect: { scheme: "https", hostname: "a.example", path, port: 443, statusCode: 301 },
});
const cookies = {
  type: "Cookie",
  absoluteTimeout: "1h",
  cookie: { name: "c", lifetimeType: "Permanent", path: "/" },
};
const headers = { type: "Header", header: { name: "x-session" } };
const onPrefix = [{ path: { type: "PathPrefix", value: "/a" } }];

/** For each kind a document that says every member that its CRD has and the mesh reads. */
export const documents = {
  HTTPRoute: {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "r" },
    spec: {
      parentRefs: [
        {
          group: "gateway.networking.k8s.io",
          kind: "Gateway",
          namespace: "n",
          name: "g",
          sectionName: "s",
          port: 80,
        },
      ],
      hostnames: ["a.example"],
      rules: [
        {
          name: "a",
          matches: [
            {
              path: { type: "PathPrefix", value: "/a" },
              headers: [{ type: "Exact", name: "x-a", value: "a" }],
              queryParams: [{ type: "Exact", name: "a", value: "a" }],
              method: "GET",
            },
          ],
          filters: filters(whole),
          backendRefs: [{ ...backendRef, weight: 1, filters: filters(whole) }],
          timeouts: { request: "1h", backendRequest: "1ms" },
          retry: { codes: [503], attempts: 2, backoff: "1s" },
          sessionPersistence: cookies,
        },
        { name: "b", filters: [redirect(whole)], sessionPersistence: headers },
        { name: "c", matches: onPrefix, filters: [redirect(prefix)] },
        { name: "d", backendRefs: [{ ...backendRef, filters: [redirect(whole)] }] },
        { name: "e", matches: onPrefix, backendRefs: [{ ...backendRef, filters: [redirect(prefix)] }] },
        {
          name: "f",
          matches: onPrefix,
          filters: [{ type: "URLRewrite", urlRewrite: { path: prefix } }],
          backendRefs: [{ ...backendRef, filters: [{ type: "URLRewrite", urlRewrite: { path: prefix } }] }],
        },
      ],
    },
  },
  Gateway: {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "g" },
    spec: {
      gatewayClassName: "tulle",
      infrastructure: { labels: { a: "b" }, annotations: { a: "b" } },
      listeners: [
        {
          name: "a",
          hostname: "a.example",
          port: 80,
          protocol: "HTTP",
          allowedRoutes: {
            namespaces: {
              from: "Selector",
              selector: {
                matchLabels: { a: "b" },
                matchExpressions: [{ key: "a", operator: "In", values: ["b"] }],
              },
            },
            kinds: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }],
          },
        },
        {
          name: "b",
          port: 443,
          protocol: "HTTPS",
          tls: {
            mode: "Terminate",
            certificateRefs: [{ group: "", kind: "Secret", name: "c", namespace: "n" }],
          },
        },
      ],
    },
  },
  ReferenceGrant: {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "ReferenceGrant",
    metadata: { name: "g" },
    spec: {
      from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "n" }],
      to: [{ group: "", kind: "Service", name: "s" }],
    },
  },
  XBackendTrafficPolicy: {
    apiVersion: "gateway.networking.x-k8s.io/v1alpha1",
    kind: "XBackendTrafficPolicy",
    metadata: { name: "p" },
    spec: {
      targetRefs: [{ group: "", kind: "Service", name: "s" }],
      retryConstraint: {
        budget: { percent: 20, interval: "10s" },
        minRetryRate: { count: 10, interval: "1s" },
      },
      sessionPersistence: cookies,
    },
  },
} as const;

/** The same with a session by header, which a policy has one of. */
export const byHeader = {
  ...documents.XBackendTrafficPolicy,
  spec: { ...documents.XBackendTrafficPolicy.spec, sessionPersistence: headers },
};

/** Where in a document's value something stands. */
export type Place = readonly (string | number)[];

/** The first place of a value that a path of the CRD means, such as `spec.rules[].name`; none if it is nowhere. */
export function placeOf(value: unknown, path: string): Place | undefined {
  const parts = path.match(/[^.[\]{}]+|\[\]|\{\}/g) ?? [];
  const seek = (at: unknown, index: number): Place | undefined => {
    const part = parts[index];
    if (part === undefined) return [];
    if (typeof at !== "object" || at === null) return undefined;
    const names = part === "[]" || part === "{}" ? Object.keys(at) : [part];
    for (const name of names) {
      if (!Object.hasOwn(at, name)) continue;
      const rest = seek(Reflect.get(at, name), index + 1);
      if (rest !== undefined) return [Array.isArray(at) ? Number(name) : name, ...rest];
    }
    return undefined;
  };
  return seek(value, 0);
}

/** What stands at a place. */
export const at = (value: unknown, place: Place): unknown =>
  place.reduce<unknown>((one, part) => Reflect.get(one as object, part), value);

/** Takes a member away. */
export const nothing = Symbol("nothing");

/** A document with another value at a place. */
export function changed(value: unknown, place: Place, to: unknown): unknown {
  const copy: unknown = structuredClone(value);
  const parent = at(copy, place.slice(0, -1)) as object;
  const last = place.at(-1) ?? "";
  if (to === nothing) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, to);
  return copy;
}

/** What a rule or backend needs beside the member that is looked at. */
const kept: Readonly<Record<string, readonly string[]>> = {
  rules: ["matches"],
  backendRefs: ["group", "kind", "name", "namespace", "port", "weight"],
};

/** A document with what stands at a place and what that needs, and where it then stands: reading it takes less time. */
export function pruned(value: unknown, place: Place): readonly [unknown, Place] {
  const narrow = (one: unknown, [part, ...rest]: Place, list: string): readonly [unknown, Place] => {
    if (part === undefined) return [one, []];
    const [inner, within] = narrow(
      Reflect.get(one as object, part),
      rest,
      Array.isArray(one) ? list : String(part),
    );
    if (Array.isArray(one)) return [[inner], [0, ...within]];
    const others = kept[list];
    const members = Object.entries(one as object).filter(([name]) => others?.includes(name) ?? true);
    return [{ ...Object.fromEntries(members), [part]: inner }, [part, ...within]];
  };
  return narrow(value, place, "");
}

/** What is said against a document where it is applied. */
export const issuesOf = (value: unknown): readonly string[] =>
  readApplied({
    value,
    origin: { source: "", within: [], locate: () => ({ line: 1, column: 1 }) },
  }).issues.map(({ message }) => message);
