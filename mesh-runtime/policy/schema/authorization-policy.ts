import type * as v from "valibot";
import type { Result } from "../../foundation/result.ts";
import {
  blockMatch,
  conditionKeys,
  conditionOf,
  hostMatch,
  methodMatch,
  namespaceMatch,
  pathMatch,
  principalMatch,
  requestPrincipalMatch,
} from "../access-match.ts";
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
import { documentOf, dryRunAnnotations, isDryRun, meshVersions } from "./metadata.ts";
import { targetRefs } from "./target-refs.ts";

/** Istio's bound on what a proxy takes, for every list. */
const maxItems = 512;

const later = (instead: string): string => `not supported yet; ${instead}`;

/** A list of values that one reader of `access-match.ts` understands. */
const matches = (
  read: (written: string) => Result<unknown, string>,
  expects = "a value, with an asterisk first or last at most",
): Schema<readonly string[]> =>
  list(
    value<string>(
      expects,
      (input) => typeof input === "string" && input.length <= 2048 && read(input).ok,
      (input) => {
        const result = typeof input === "string" ? read(input) : undefined;
        return result?.ok === false ? `it must be ${result.reason}` : "";
      },
    ),
    1,
    maxItems,
  );

const blocks = () => matches(blockMatch, "an address, or a block of addresses");

/** There is one address that a gateway knows of a caller; two names for it in one source would be a puzzle. */
function* onceOnly(given: object, name: string, other: string): Generator<Fault> {
  if (!Object.hasOwn(given, name) || !Object.hasOwn(given, other)) return;
  yield {
    path: [other],
    expected: `${name} or ${other}`,
    found: "both",
    message: `${name} and ${other} are about the same address here; write all blocks in one of them`,
  };
}

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
    requestPrincipals: about(
      optional(matches(requestPrincipalMatch)),
      "End users, `issuer/subject`, whose token a RequestAuthentication has verified; `*`: any.",
    ),
    notRequestPrincipals: about(
      optional(matches(requestPrincipalMatch)),
      "All but these; requests without a token are among the others.",
    ),
    ipBlocks: about(
      optional(blocks()),
      "Addresses of callers from outside, `192.0.2.0/24`; in policies for the Service of a Gateway alone.",
    ),
    notIpBlocks: about(optional(blocks()), "All but these."),
    remoteIpBlocks: about(optional(blocks()), "The same as `ipBlocks`, as Istio names it behind a proxy."),
    notRemoteIpBlocks: about(optional(blocks()), "The same as `notIpBlocks`."),
  }),
  function* (given) {
    yield* notEmpty(given, "source");
    yield* onceOnly(given, "ipBlocks", "remoteIpBlocks");
    yield* onceOnly(given, "notIpBlocks", "notRemoteIpBlocks");
  },
);

const operation = checked(
  strict({
    methods: about(optional(matches(methodMatch)), "Methods, in upper case."),
    notMethods: about(optional(matches(methodMatch)), "All but these."),
    paths: about(
      optional(matches(pathMatch, "a path, with an asterisk first or last at most, or a template")),
      "Paths without query. `/admin*` is the path and everything that begins so; in `/users/{*}/keys` `{*}` is one segment, and `{**}` any number.",
    ),
    notPaths: about(
      optional(matches(pathMatch, "a path, with an asterisk first or last at most, or a template")),
      "All but these.",
    ),
    hosts: about(
      optional(matches(hostMatch)),
      "Host names, without port; letter case makes no difference. A caller inside the mesh chooses them.",
    ),
    notHosts: about(optional(matches(hostMatch)), "All but these."),
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

const conditionValue = () =>
  value<string>("a text", (input) => typeof input === "string" && input.length > 0 && input.length <= 2048);

const condition = checked(
  strict({
    key: about(
      value<string>("the name of an attribute", (input) => typeof input === "string" && input.length <= 300),
      `One of ${conditionKeys.map((key) => `\`${key}\``).join(", ")}.`,
    ),
    values: about(optional(list(conditionValue(), 1, maxItems)), "What it may be; one must fit."),
    notValues: about(optional(list(conditionValue(), 1, maxItems)), "What it may not be."),
  }),
  function* (given) {
    const read = conditionOf(given);
    if (read.ok) return;
    const { at, expected, message } = read.reason;
    const [member, index] = at;
    const found =
      member === "key"
        ? given.key
        : member === "values" || member === "notValues"
          ? (given[member]?.[Number(index)] ?? "")
          : "neither";
    yield { path: at, expected, found: JSON.stringify(found), message };
  },
);

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
  when: about(optional(list(condition, 1, maxItems)), "Conditions beside; all must hold."),
});

const spec = strict({
  targetRefs: about(optional(targetRefs), "The Services that it protects; otherwise all of its namespace."),
  action: about(
    defaulted(
      choice(["ALLOW", "DENY", "AUDIT"], {
        CUSTOM: "not supported: there are no external authorizers; use ALLOW or DENY",
      }),
      "ALLOW",
    ),
    "`DENY` comes before `ALLOW`; what nothing allows is denied. `AUDIT` decides nothing: requests are marked in the access log and counted.",
  ),
  rules: about(
    optional(list(rule, 0, maxItems)),
    "Alternatives. None at all never match, so that `ALLOW` without rules allows nobody; one empty rule matches everything.",
  ),
  selector: unsupported("not supported: a worker has no labels; use targetRefs"),
  targetRef: unsupported("not supported; write targetRefs, a list"),
  provider: unsupported("not supported: there are no external authorizers; remove it"),
});

export const authorizationPolicy = checked(
  documentOf(meshVersions, "AuthorizationPolicy", spec),
  function* ({ metadata, spec: { action } }) {
    for (const name of dryRunAnnotations) {
      const written = metadata.annotations?.[name];
      if (written === undefined || written === "true" || written === "false") continue;
      yield {
        path: ["metadata", "annotations", name],
        expected: '"true" or "false"',
        found: JSON.stringify(written),
        message: `${name} must be "true" or "false"`,
      };
    }
    if (action === "AUDIT" && isDryRun(metadata)) {
      yield {
        path: ["spec", "action"],
        expected: "ALLOW or DENY on a dry run",
        found: "AUDIT",
        message: "AUDIT decides nothing in any case; remove the dry run",
      };
    }
  },
);
export type AuthorizationPolicy = v.InferOutput<typeof authorizationPolicy>;
