import type {
  AuthorizationRule,
  Condition,
  OperationMatch,
  PathMatch,
  SourceMatch,
  StringMatch,
} from "../authorization/words.ts";
import type { Result } from "../foundation/result.ts";
import {
  blockMatch,
  conditionOf,
  hostMatch,
  methodMatch,
  namespaceMatch,
  pathMatch,
  principalMatch,
  requestPrincipalMatch,
} from "./access-match.ts";
import type { Catalog } from "./catalog.ts";
import { entryUserRules } from "./compile-users.ts";
import { type DocumentOf, nameOf } from "./documents.ts";
import { isClosed } from "./references.ts";
import { isDryRun } from "./schema/metadata.ts";
import type { Snapshot } from "./snapshot.ts";

type AuthorizationPolicy = DocumentOf<"AuthorizationPolicy">;
type WrittenRule = NonNullable<AuthorizationPolicy["spec"]["rules"]>[number];
type Source = NonNullable<WrittenRule["from"]>[number]["source"];
type Operation = NonNullable<WrittenRule["to"]>[number]["operation"];
type WrittenCondition = NonNullable<WrittenRule["when"]>[number];

/** The rules of every policy that speaks of a Service, in order of their names. */
export function accessRules(catalog: Catalog, service: DocumentOf<"Service">): readonly AuthorizationRule[] {
  if (isClosed(catalog, service)) return [closedRule(service)];
  return catalog.about(service).authorization.flatMap(policyRules);
}

/** Of a Service that cannot be read nobody knows whom it lets in. */
const closedRule = (service: DocumentOf<"Service">): AuthorizationRule => ({
  name: `${nameOf(service)} (refused)`,
  action: "DENY",
});

/**
 * The rules for what comes in from outside at a gateway's Service: those of policies that name it. What is
 * said of a whole namespace is about workloads, whose callers have identities; nobody from outside has one.
 */
export function entryRules(catalog: Catalog, service: DocumentOf<"Service">): Pick<Snapshot, "entry"> {
  if (isClosed(catalog, service)) return { entry: { authorization: [closedRule(service)] } };
  const naming = catalog.about(service).authorization.filter(({ spec }) => spec.targetRefs !== undefined);
  const users = entryUserRules(catalog, service);
  return naming.length === 0 && users.users === undefined
    ? {}
    : { entry: { authorization: naming.flatMap(policyRules), ...users } };
}

/**
 * The rules of one policy. One without rules never matches (Istio), and must not vanish: an ALLOW policy
 * without rules is how an operator says that nobody may call. It becomes a rule without any source.
 */
export function policyRules(policy: AuthorizationPolicy): readonly AuthorizationRule[] {
  const { action, rules = [] } = policy.spec;
  const common = { action, ...(isDryRun(policy.metadata) ? { dryRun: true as const } : {}) };
  if (rules.length === 0) return [{ name: nameOf(policy), ...common, from: [] }];
  return rules.map(({ from, to, when }, index) => ({
    name: `${nameOf(policy)}/${index}`,
    ...common,
    ...(from === undefined ? {} : { from: from.map(({ source }) => sourceOf(source)) }),
    ...(to === undefined ? {} : { to: to.map(({ operation }) => operationOf(operation)) }),
    ...(when === undefined ? {} : { when: when.map(compiledCondition) }),
  }));
}

/** At a gateway both kinds of blocks are about the same address, and a source gives one of them. */
const sourceOf = (source: Source): SourceMatch => ({
  ...read("principals", source.principals, principalMatch),
  ...read("notPrincipals", source.notPrincipals, principalMatch),
  ...read("namespaces", source.namespaces, namespaceMatch),
  ...read("notNamespaces", source.notNamespaces, namespaceMatch),
  ...read("requestPrincipals", source.requestPrincipals, requestPrincipalMatch),
  ...read("notRequestPrincipals", source.notRequestPrincipals, requestPrincipalMatch),
  ...read("ipBlocks", source.ipBlocks ?? source.remoteIpBlocks, blockMatch),
  ...read("notIpBlocks", source.notIpBlocks ?? source.notRemoteIpBlocks, blockMatch),
});

const operationOf = (operation: Operation): OperationMatch => ({
  ...read("hosts", operation.hosts, hostMatch),
  ...read("notHosts", operation.notHosts, hostMatch),
  ...read("methods", operation.methods, methodMatch),
  ...read("notMethods", operation.notMethods, methodMatch),
  ...read("paths", operation.paths, pathMatch),
  ...read("notPaths", operation.notPaths, pathMatch),
});

function compiledCondition(written: WrittenCondition): Condition {
  const condition = conditionOf(written);
  if (!condition.ok) throw new TypeError(`Cannot compile when: ${condition.reason.message}`);
  return condition.value;
}

function read<Name extends string, Match extends StringMatch | PathMatch | string>(
  name: Name,
  written: readonly string[] | undefined,
  reader: (written: string) => Result<Match, string>,
): { readonly [K in Name]?: readonly Match[] } {
  if (written === undefined) return {};
  const matches = written.map((one) => {
    const match = reader(one);
    if (!match.ok) throw new TypeError(`Cannot compile ${name}: each must be ${match.reason}`);
    return match.value;
  });
  return { [name]: matches } as unknown as { readonly [K in Name]?: readonly Match[] };
}
