import type { AuthorizationRule, OperationMatch, SourceMatch, StringMatch } from "../authorization/words.ts";
import type { Result } from "../foundation/result.ts";
import { methodMatch, namespaceMatch, pathMatch, principalMatch } from "./access-match.ts";
import type { Catalog } from "./catalog.ts";
import { type DocumentOf, nameOf } from "./documents.ts";

type AuthorizationPolicy = DocumentOf<"AuthorizationPolicy">;
type WrittenRule = NonNullable<AuthorizationPolicy["spec"]["rules"]>[number];
type Source = NonNullable<WrittenRule["from"]>[number]["source"];
type Operation = NonNullable<WrittenRule["to"]>[number]["operation"];
type Read = (written: string) => Result<StringMatch, string>;

/** The rules of every policy that speaks of a Service, in order of their names. */
export function accessRules(catalog: Catalog, service: DocumentOf<"Service">): readonly AuthorizationRule[] {
  return catalog.about(service).authorization.flatMap(policyRules);
}

/**
 * The rules of one policy. One without rules never matches (Istio), and must not vanish: an ALLOW policy
 * without rules is how an operator says that nobody may call. It becomes a rule without any source.
 */
export function policyRules(policy: AuthorizationPolicy): readonly AuthorizationRule[] {
  const { action, rules = [] } = policy.spec;
  if (rules.length === 0) return [{ name: nameOf(policy), action, from: [] }];
  return rules.map(({ from, to }, index) => ({
    name: `${nameOf(policy)}/${index}`,
    action,
    ...(from === undefined ? {} : { from: from.map(({ source }) => sourceOf(source)) }),
    ...(to === undefined ? {} : { to: to.map(({ operation }) => operationOf(operation)) }),
  }));
}

const sourceOf = (source: Source): SourceMatch => ({
  ...read("principals", source.principals, principalMatch),
  ...read("notPrincipals", source.notPrincipals, principalMatch),
  ...read("namespaces", source.namespaces, namespaceMatch),
  ...read("notNamespaces", source.notNamespaces, namespaceMatch),
});

const operationOf = (operation: Operation): OperationMatch => ({
  ...read("methods", operation.methods, methodMatch),
  ...read("notMethods", operation.notMethods, methodMatch),
  ...read("paths", operation.paths, pathMatch),
  ...read("notPaths", operation.notPaths, pathMatch),
});

function read<Name extends string>(
  name: Name,
  written: readonly string[] | undefined,
  reader: Read,
): { readonly [K in Name]?: readonly StringMatch[] } {
  if (written === undefined) return {};
  const matches = written.map((one) => {
    const match = reader(one);
    if (!match.ok) throw new TypeError(`Cannot compile ${name}: each must be ${match.reason}`);
    return match.value;
  });
  return { [name]: matches } as unknown as { readonly [K in Name]?: readonly StringMatch[] };
}
