import type { Principal } from "../identity/words.ts";
import type { AuthorizationRule, OperationMatch, SourceMatch, StringMatch } from "./words.ts";

/** What rules are held against: an access request with method and path in the one form that is compared. */
export interface Subject {
  readonly principal: Principal | undefined;
  /** Upper case. */
  readonly method: string;
  /** As `normalPath` writes it. */
  readonly path: string;
}

/**
 * Reads a value as Istio writes it: `*` is presence, `abc*` a prefix, `*abc` a suffix, anything else
 * exact. Asterisks elsewhere mean nothing to Istio; the schema refuses them before they come here.
 */
export function stringMatch(text: string): StringMatch {
  if (text === "*") return { type: "present" };
  if (text.startsWith("*")) return { type: "suffix", value: text.slice(1) };
  if (text.endsWith("*")) return { type: "prefix", value: text.slice(0, -1) };
  return { type: "exact", value: text };
}

/** Whether a value fits. What is not there fits nothing, and an empty value is not there. */
export function stringMatches(match: StringMatch, value: string): boolean {
  if (value === "") return false;
  switch (match.type) {
    case "exact":
      return value === match.value;
    case "prefix":
      return value.startsWith(match.value);
    case "suffix":
      return value.endsWith(match.value);
    case "present":
      return true;
  }
}

/**
 * Whether a rule speaks of this subject (Istio `Rule`): one of its sources and one of its operations
 * fit. An absent list fits everything, an empty one nothing.
 */
export function ruleMatches(rule: AuthorizationRule, subject: Subject): boolean {
  return (
    speaksOf(rule, subject.principal) &&
    (rule.to?.some((operation) => operationMatches(operation, subject)) ?? true)
  );
}

/** Whether a principal is among the sources of a rule, whatever it does. */
export const speaksOf = (rule: AuthorizationRule, principal: Principal | undefined): boolean =>
  rule.from?.some((source) => sourceMatches(source, principal)) ?? true;

/** Whether a rule looks at the path, so that a path which can be read in two ways makes it uncertain. */
export const looksAtPath = (rule: AuthorizationRule): boolean =>
  rule.to?.some(({ paths, notPaths }) => paths !== undefined || notPaths !== undefined) ?? false;

/** A namespace is compared without its trust domain, as Istio does; whoever trusts another domain names principals. */
function sourceMatches(source: SourceMatch, principal: Principal | undefined): boolean {
  const id = principal?.id.uri ?? "";
  const namespace = principal?.namespace ?? "";
  return (
    oneOf(source.principals, id) &&
    noneOf(source.notPrincipals, id) &&
    oneOf(source.namespaces, namespace) &&
    noneOf(source.notNamespaces, namespace)
  );
}

function operationMatches(operation: OperationMatch, { method, path }: Subject): boolean {
  return (
    oneOf(operation.methods, method) &&
    noneOf(operation.notMethods, method) &&
    oneOf(operation.paths, path) &&
    noneOf(operation.notPaths, path)
  );
}

const oneOf = (matches: readonly StringMatch[] | undefined, value: string): boolean =>
  matches?.some((match) => stringMatches(match, value)) ?? true;

const noneOf = (matches: readonly StringMatch[] | undefined, value: string): boolean =>
  !(matches?.some((match) => stringMatches(match, value)) ?? false);
