import fc from "fast-check";
import { allowAll, entry, gateway, policy, route, service } from "./writing.ts";

const names = ["web", "cart", "payments"] as const;
const namespaces = ["default", "other"] as const;
const name = fc.constantFrom(...names);
const namespace = fc.constantFrom(...namespaces);

/** Routes with a bit of everything that can be compiled. */
const rules = fc
  .record({
    path: fc.constantFrom("/", "/a", "/a/b"),
    type: fc.constantFrom("Exact", "PathPrefix"),
    method: fc.constantFrom("", ", method: GET"),
    to: name,
    weight: fc.integer({ min: 0, max: 100 }),
    more: fc.constantFrom(
      "",
      ", timeouts: {request: 2s}",
      ", retry: {codes: [503], attempts: 2}",
      ", filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: a}]}}]",
      ", filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /x}}}]",
    ),
  })
  .map(
    ({ path, type, method, to, weight, more }) =>
      `{matches: [{path: {type: ${type}, value: ${path}}${method}}], backendRefs: [{name: ${to}, port: 80, weight: ${weight}}]${more}}`,
  );

const anyRoute = fc
  .record({
    name: fc.constantFrom("r1", "r2", "r3"),
    parent: name,
    to: namespace,
    from: namespace,
    rules: fc.array(rules, { minLength: 1, maxLength: 2 }),
  })
  .map((one) =>
    route(one.name, `name: ${one.parent}, namespace: ${one.to}`, `[${one.rules.join(", ")}]`, one.from),
  );

const anyEntry = fc
  .record({
    name: fc.constantFrom("e1", "e2"),
    host: fc.constantFrom("a.example", '"*.a.example"', "b.example"),
    from: namespace,
    rule: rules,
  })
  .map((one) =>
    entry(
      one.name,
      `hostnames: [${one.host}], parentRefs: [{name: public, namespace: default}], rules: [${one.rule}]`,
      one.from,
    ),
  );

const anyPolicy = fc
  .record({
    name,
    action: fc.constantFrom("ALLOW", "DENY"),
    caller: name,
    target: name,
    path: fc.constantFrom("/a*", "*", "/a"),
  })
  .map((one) =>
    policy(
      "AuthorizationPolicy",
      one.name,
      `{action: ${one.action}, targetRefs: [{kind: Service, name: ${one.target}}], rules: [{from: [{source: {principals: [mesh.local/ns/default/sa/${one.caller}]}}], to: [{operation: {paths: ["${one.path}"]}}]}]}`,
    ),
  );

const anyTraffic = fc
  .record({ name, target: name, timeout: fc.constantFrom("1s", "250ms") })
  .map((one) =>
    policy(
      "TrafficPolicy",
      one.name,
      `{targetRefs: [{kind: Service, name: ${one.target}}], timeout: ${one.timeout}}`,
    ),
  );

const base = namespaces.flatMap((one) => [
  ...names.map((each) => service(each, `{mode: PERMISSIVE}`, one)),
  allowAll(one),
]);
const front = [
  service("gateway"),
  gateway(
    "public",
    'listeners: [{name: all, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}, {name: a, port: 80, protocol: HTTP, hostname: "*.a.example"}]',
  ),
];

/** Texts of a mesh with two namespaces, a gateway, and routes and policies that may contradict each other. */
export const anyMesh: fc.Arbitrary<readonly string[]> = fc
  .array(fc.oneof(anyRoute, anyEntry, anyPolicy, anyTraffic), { maxLength: 6 })
  .map((more) => [...base, ...front, ...more]);
