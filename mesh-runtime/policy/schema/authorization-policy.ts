import type * as v from "valibot";
import type { Result } from "../../foundation/result.ts";
import { methodMatch, namespaceMatch, pathMatch, principalMatch } from "../access-match.ts";
import {
  about,
  checked,
  choice,
  defaulted,
  type Fault,
  list,
  optional,
  type Schema,
  strict,
  unsupported,
  value,
} from "./fields.ts";
import { documentOf, meshVersions } from "./metadata.ts";
import { targetRefs } from "./target-refs.ts";

/** Istio's bound on what a proxy takes, for every list. */
const maxItems = 512;

const later = (instead: string): string => `not supported yet; ${instead}`;
const noAddress = "not supported: between workers the address of a caller says nothing; use principals";
const endUser = "not supported yet: the mesh does not verify end users; check the token in the application";

/** A list of values that one reader of `access-match.ts` understands. */
const matches = (read: (written: string) => Result<unknown, string>): Schema<readonly string[]> =>
  list(
    value<string>(
      "a value, with an asterisk first or last at most",
      (input) => typeof input === "string" && input.length <= 2048 && read(input).ok,
      (input) => {
        const result = typeof input === "string" ? read(input) : undefined;
        return result?.ok === false ? `it must be ${result.reason}` : "";
      },
    ),
    1,
    maxItems,
  );

const source = checked(
  strict({
    principals: about(
      optional(matches(principalMatch)),
      "Callers: `trust-domain/ns/x/sa/y` or `spiffe://…`; `*`: any that is verified.",
    ),
    notPrincipals: about(
      optional(matches(principalMatch)),
      "All but these; callers that are not verified are among the others.",
    ),
    namespaces: about(optional(matches(namespaceMatch)), "Namespaces of callers."),
    notNamespaces: about(optional(matches(namespaceMatch)), "All but these."),
    serviceAccounts: unsupported(later("use principals")),
    notServiceAccounts: unsupported(later("use notPrincipals")),
    requestPrincipals: unsupported(endUser),
    notRequestPrincipals: unsupported(endUser),
    ipBlocks: unsupported(noAddress),
    notIpBlocks: unsupported(noAddress),
    remoteIpBlocks: unsupported(noAddress),
    notRemoteIpBlocks: unsupported(noAddress),
  }),
  (given) => notEmpty(given, "source"),
);

const operation = checked(
  strict({
    methods: about(optional(matches(methodMatch)), "Methods, in upper case."),
    notMethods: about(optional(matches(methodMatch)), "All but these."),
    paths: about(
      optional(matches(pathMatch)),
      "Paths without query. `/admin*` is the path and everything that begins so; `/admin` does not speak of `/admin/`.",
    ),
    notPaths: about(optional(matches(pathMatch)), "All but these."),
    hosts: unsupported(later("the host names the workload itself; use paths and methods")),
    notHosts: unsupported(later("the host names the workload itself; use paths and methods")),
    ports: unsupported("not supported: a worker has one way in; remove it"),
    notPorts: unsupported("not supported: a worker has one way in; remove it"),
  }),
  (given) => notEmpty(given, "operation"),
);

function* notEmpty(given: object, what: string): Generator<Fault> {
  if (Object.keys(given).length > 0) return;
  yield {
    path: [],
    expected: `at least one condition in this ${what}`,
    found: "an empty object",
    message: `without conditions this ${what} could mean none or any; remove it, or write "*"`,
  };
}

const rule = strict({
  from: about(
    optional(list(strict({ source: about(source, "Who calls; everything in it must hold.") }), 1, maxItems)),
    "Alternatives; otherwise anybody.",
  ),
  to: about(
    optional(
      list(strict({ operation: about(operation, "What for; everything in it must hold.") }), 1, maxItems),
    ),
    "Alternatives; otherwise anything.",
  ),
  when: unsupported(later("use from and to")),
});

const spec = strict({
  targetRefs: about(optional(targetRefs), "The Services that it protects; otherwise all of its namespace."),
  action: about(
    defaulted(
      choice(["ALLOW", "DENY"], {
        AUDIT: later("use ALLOW or DENY"),
        CUSTOM: "not supported: there are no external authorizers; use ALLOW or DENY",
      }),
      "ALLOW",
    ),
    "`DENY` comes before `ALLOW`; what nothing allows is denied.",
  ),
  rules: about(
    optional(list(rule, 0, maxItems)),
    "Alternatives. None at all never match, so that `ALLOW` without rules allows nobody; one empty rule matches everything.",
  ),
  selector: unsupported("not supported: a worker has no labels; use targetRefs"),
  targetRef: unsupported("not supported; write targetRefs, a list"),
  provider: unsupported("not supported: there are no external authorizers; remove it"),
});

export const authorizationPolicy = documentOf(meshVersions, "AuthorizationPolicy", spec);
export type AuthorizationPolicy = v.InferOutput<typeof authorizationPolicy>;
