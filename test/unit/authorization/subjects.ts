import fc from "fast-check";
import { parseAddress } from "../../../mesh-runtime/authorization/address.ts";
import { normalPath } from "../../../mesh-runtime/authorization/path-form.ts";
import { ReadPath } from "../../../mesh-runtime/authorization/path-readings.ts";
import { readRule } from "../../../mesh-runtime/authorization/rule.ts";
import type {
  AccessRequest,
  AuthorizationRule,
  OperationMatch,
  SourceMatch,
  StringMatch,
} from "../../../mesh-runtime/authorization/words.ts";
import type { Principal } from "../../../mesh-runtime/identity/words.ts";

/** A verified caller. */
export function principal(namespace: string, service: string): Principal {
  const path = `/ns/${namespace}/sa/${service}`;
  return {
    id: { trustDomain: "mesh.local", path, uri: `spiffe://mesh.local${path}` },
    namespace,
    service,
    evidence: "signature",
  };
}

export const web = principal("default", "web");

/** A request by `web`, unless said otherwise. */
export const get = (path: string, caller: Principal | "nobody" = web): AccessRequest => ({
  principal: caller === "nobody" ? undefined : caller,
  method: "GET",
  path,
});

/** Whether a rule speaks of a request, every reading of its path looked at. */
export function speaks(rule: AuthorizationRule, request: AccessRequest): boolean {
  const form = normalPath(request.path);
  return readRule(rule).speaksOf({
    principal: request.principal,
    user: request.user,
    method: request.method.toUpperCase(),
    path: form.ok ? new ReadPath(form.value, 7) : undefined,
    host: request.host ?? "",
    address: request.address === undefined ? undefined : parseAddress(request.address),
    header: (name) => request.header?.(name) ?? "",
  });
}

const stringMatch = (values: readonly string[]): fc.Arbitrary<StringMatch> =>
  fc.oneof(
    fc.constant<StringMatch>({ type: "present" }),
    fc.record({
      type: fc.constantFrom("exact", "prefix", "suffix"),
      value: fc.constantFrom(...values),
    }) as fc.Arbitrary<StringMatch>,
  );

const lists = (values: readonly string[]) => fc.array(stringMatch(values), { maxLength: 2 });
const ids = [
  "spiffe://mesh.local/ns/default/sa/web",
  "spiffe://mesh.local/ns/default",
  "/sa/web",
  "spiffe://",
];
const paths = ["/", "/a", "/a/b", "b", "/admin"];

const source: fc.Arbitrary<SourceMatch> = fc.record(
  {
    principals: lists(ids),
    notPrincipals: lists(ids),
    namespaces: lists(["default", "x"]),
    notNamespaces: lists(["x"]),
  },
  { requiredKeys: [] },
);
const operation: fc.Arbitrary<OperationMatch> = fc.record(
  {
    methods: lists(["GET", "POST"]),
    notMethods: lists(["POST"]),
    paths: lists(paths),
    notPaths: lists(paths),
  },
  { requiredKeys: [] },
);

/** Any rule, over few enough values that rules meet requests. */
export const anyRule: fc.Arbitrary<AuthorizationRule> = fc.record(
  {
    name: fc.constantFrom("one", "two", "three"),
    action: fc.constantFrom("ALLOW", "DENY"),
    from: fc.array(source, { maxLength: 2 }),
    to: fc.array(operation, { maxLength: 2 }),
  },
  { requiredKeys: ["name", "action"] },
);

/** Any request, ambiguous paths among them. */
export const anyRequest: fc.Arbitrary<AccessRequest> = fc.record({
  principal: fc.constantFrom(undefined, web, principal("x", "web"), principal("default", "cart")),
  method: fc.constantFrom("GET", "POST", "post"),
  path: fc.constantFrom("/", "/a", "/a/b", "/admin", "/%61dmin", "/a%2fb", "/admin/", "//admin"),
});
