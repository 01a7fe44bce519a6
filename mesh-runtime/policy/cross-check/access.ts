import { stringMatches } from "../../authorization/rule.ts";
import type { AuthorizationRule, PathMatch, StringMatch } from "../../authorization/words.ts";
import { type Catalog, targetKeys } from "../catalog.ts";
import { policyRules } from "../compile-access.ts";
import { inboundOf } from "../compile-settings.ts";
import { type DocumentOf, nameOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { workerOf } from "../references.ts";
import { dryRunAnnotations } from "../schema/metadata.ts";
import type { Path } from "../source.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

type AuthorizationPolicy = DocumentOf<"AuthorizationPolicy">;

/** The Services whose workers let requests in from outside. */
const gatewayServices = (catalog: Catalog): ReadonlySet<string> =>
  new Set([...catalog.gateways.values()].map((gateway) => workerOf(catalog, gateway).key));

/**
 * Blocks of addresses stand where an address is known: between workers there is none, and a rule about
 * it would deny everybody or let in nobody.
 */
export function* addressesAtGateways({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const gateways = gatewayServices(catalog);
  for (const policy of catalog.authorizationPolicies) {
    const [path] = blockPaths(policy);
    if (path === undefined) continue;
    const targets = targetKeys(policy);
    const other = targets.find((key) => !gateways.has(key));
    if (targets.length > 0 && other === undefined) continue;
    yield issue(policy, {
      path,
      expected: "targetRefs that name Services of Gateways alone",
      found: other ?? `all Services of the namespace ${policy.metadata.namespace}`,
      message: `The address of a caller from outside is known at a gateway alone, and ${other ?? "most Services"} ${other === undefined ? "are" : "is"} none; name the gateway's Service in targetRefs, and callers inside the mesh by principals.`,
    });
  }
}

/** Where a policy names blocks of addresses. */
function* blockPaths({ spec }: AuthorizationPolicy): Generator<Path> {
  for (const [rule, { from = [] }] of (spec.rules ?? []).entries()) {
    for (const [index, { source }] of from.entries()) {
      for (const member of ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] as const)
        if (source[member] !== undefined) yield ["spec", "rules", rule, "from", index, "source", member];
    }
  }
}

/** A dry run is for rules about access; on another document the annotation would do nothing. */
export function* dryRuns({ written, issue }: CheckedMesh): Generator<Issue> {
  const [own] = dryRunAnnotations;
  for (const { document } of written) {
    if (document.kind === "AuthorizationPolicy" || document.metadata.annotations?.[own] === undefined)
      continue;
    yield issue(document, {
      path: ["metadata", "annotations", own],
      expected: "an AuthorizationPolicy",
      found: document.kind,
      message: `${own} is read on an AuthorizationPolicy alone, and this ${document.kind} is in force; remove the annotation.`,
    });
  }
}

/** Rules that no request can match: one that shall keep somebody out does not, one that shall let somebody in does not. */
export function* deadRules({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const gateways = gatewayServices(catalog);
  for (const policy of catalog.authorizationPolicies) {
    const targets = targetKeys(policy);
    const entry = targets.length > 0 && targets.every((key) => gateways.has(key));
    const signed = targets.length > 0 && targets.every((key) => demandsSignature(catalog, key));
    if ((policy.spec.rules ?? []).length === 0) continue;
    for (const [index, rule] of policyRules(policy).entries()) {
      const why = contradiction(rule) ?? (entry ? outsiders(rule) : signed ? weakEvidence(rule) : undefined);
      if (why === undefined) continue;
      yield issue(policy, {
        severity: "warning",
        path: ["spec", "rules", index],
        expected: "a rule that some request matches",
        found: why,
        message: `${nameOf(policy)}/${index} never matches: ${why}; correct it, or remove it.`,
      });
    }
  }
}

function demandsSignature(catalog: Catalog, key: string): boolean {
  const service = catalog.services.get(key);
  return service !== undefined && inboundOf(catalog, service).evidence === "signature";
}

/** Why the lists of a rule exclude each other, if each of its alternatives is excluded. */
function contradiction({ from, to, when = [] }: AuthorizationRule): string | undefined {
  const sources = from?.map(
    (source) =>
      excluded(source.principals, source.notPrincipals, "principals") ??
      excluded(source.namespaces, source.notNamespaces, "namespaces") ??
      excluded(source.requestPrincipals, source.notRequestPrincipals, "requestPrincipals") ??
      elsewhere(source.principals, source.namespaces) ??
      (source.ipBlocks?.every((block) => source.notIpBlocks?.includes(block))
        ? "every one of its ipBlocks is among notIpBlocks"
        : undefined),
  );
  const operations = to?.map(
    (operation) =>
      excluded(operation.methods, operation.notMethods, "methods") ??
      excluded(operation.hosts, operation.notHosts, "hosts") ??
      excluded(operation.paths, operation.notPaths, "paths"),
  );
  const conditions = when.map(({ values, notValues }) => excluded(values, notValues, "values"));
  return all(sources) ?? all(operations) ?? conditions.find((why) => why !== undefined);
}

/** The first reason, if every alternative has one. */
const all = (reasons: readonly (string | undefined)[] | undefined): string | undefined =>
  reasons?.every((reason) => reason !== undefined) ? reasons[0] : undefined;

function excluded(
  these: readonly PathMatch[] | undefined,
  notThese: readonly PathMatch[] | undefined,
  name: string,
): string | undefined {
  if (these === undefined || notThese === undefined || these.length === 0) return undefined;
  const other = `not${name[0]?.toUpperCase() ?? ""}${name.slice(1)}`;
  return these.every((one) => notThese.some((not) => covers(not, one)))
    ? `every one of its ${name} is among ${other}`
    : undefined;
}

/** Whether everything that one match fits is what the other one fits; false where that is not plain. */
function covers(wide: PathMatch, narrow: PathMatch): boolean {
  if (wide.type === "present") return true;
  if (narrow.type === "present" || wide.type === "template" || narrow.type === "template")
    return wide.type === narrow.type && "value" in narrow && wide.value === narrow.value;
  if (narrow.type === "exact") return stringMatches(wide, narrow.value);
  return wide.type === narrow.type && stringMatches(wide, narrow.value);
}

/** Callers whose namespaces are other ones than those named beside them. */
function elsewhere(
  principals: readonly StringMatch[] | undefined,
  namespaces: readonly StringMatch[] | undefined,
): string | undefined {
  if (principals === undefined || namespaces === undefined || principals.length === 0) return undefined;
  const strange = principals.every((principal) => {
    const namespace =
      principal.type === "exact" ? /\/ns\/([^/]+)\/sa\//.exec(principal.value)?.[1] : undefined;
    return namespace !== undefined && !namespaces.some((match) => stringMatches(match, namespace));
  });
  return strange ? "none of its principals is in one of its namespaces" : undefined;
}

/** Who comes from outside has no identity of the mesh. */
function outsiders({ from, when = [] }: AuthorizationRule): string | undefined {
  const why = "it is for a gateway, and callers from outside have no identity of the mesh";
  const named = from?.every((source) => source.principals !== undefined || source.namespaces !== undefined);
  const asked = when.some(({ type, values }) => aboutCaller.has(type) && values !== undefined);
  return (named === true && from?.length !== 0) || asked ? why : undefined;
}

const aboutCaller: ReadonlySet<string> = new Set(["principal", "namespace", "evidence"]);

function weakEvidence({ when = [] }: AuthorizationRule): string | undefined {
  const weak = when.some(
    ({ type, values }) =>
      type === "evidence" &&
      values?.every((value) => value.type === "exact" && value.value === "binding") === true,
  );
  return weak ? "the Service demands evidence signature, and it asks for binding" : undefined;
}
