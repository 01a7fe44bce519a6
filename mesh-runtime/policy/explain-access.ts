import { fromOutside } from "../authorization/authorized.ts";
import type {
  AccessDecision,
  AuthorizationRule,
  Condition,
  OperationMatch,
  PathMatch,
  SourceMatch,
} from "../authorization/words.ts";
import type { Message } from "../foundation/exchange.ts";
import type { Loaded } from "./loaded.ts";

/** Longest text of one rule. */
const maxText = 600;

/**
 * What the rule that decided asks for, in words; undefined where no rule did, or it asks for nothing:
 * `from mesh.local/ns/default/sa/web; POST; /charge; x-team is a`.
 */
export function becauseOf(
  rules: readonly AuthorizationRule[],
  { rule: name }: Pick<AccessDecision, "rule">,
): string | undefined {
  const rule = rules.find((one) => one.name === name);
  if (rule === undefined) return undefined;
  const words = [
    ...(rule.from === undefined ? [] : [`from ${either(rule.from.map(sourceWords))}`]),
    ...(rule.to === undefined ? [] : [either(rule.to.map(operationWords))]),
    ...(rule.when ?? []).map(conditionWords),
  ].join("; ");
  if (words === "") return "whoever calls, whatever for";
  return words.length > maxText ? `${words.slice(0, maxText)}…` : words;
}

/** What a gateway's rules say of a request from outside, and what is worth knowing about it. */
export function entryOf(
  loaded: Loaded,
  question: Pick<Message, "url" | "method" | "headers">,
): { readonly access: AccessDecision; readonly notes: readonly string[] } | undefined {
  const rules = loaded.snapshot.entry?.authorization;
  if (loaded.entry === undefined || rules === undefined) return undefined;
  const request = fromOutside(question);
  const access = loaded.entry(request);
  const because = becauseOf(rules, access);
  const asksAddress = rules.some(({ from = [] }) =>
    from.some(({ ipBlocks, notIpBlocks }) => ipBlocks !== undefined || notIpBlocks !== undefined),
  );
  return {
    access,
    notes: [
      `The gateway ${access.allowed ? "lets it in" : "keeps it out"}: ${access.rule}${because === undefined ? "" : ` (${because})`}.`,
      ...besideWords(access),
      ...userWords(rules),
      ...(asksAddress && request.address === undefined
        ? [
            "Rules of the gateway ask for the caller's address, which nobody told: say it with the header cf-connecting-ip.",
          ]
        : []),
    ],
  };
}

/** What AUDIT rules and dry runs have to say beside a decision. */
export function besideWords({ audited, dryRun }: AccessDecision): readonly string[] {
  return [
    ...(audited === undefined ? [] : [`It is marked in the access log, by ${audited}.`]),
    ...(dryRun === undefined
      ? []
      : [
          `With the rules on a dry run it would be ${dryRun.allowed ? "allowed" : "denied"}: ${dryRun.rule}.`,
        ]),
  ];
}

const either = (alternatives: readonly string[]): string =>
  alternatives.length === 0 ? "nobody" : alternatives.join(" or ");

function sourceWords(source: SourceMatch): string {
  const { principals, notPrincipals, namespaces, notNamespaces, ipBlocks, notIpBlocks } = source;
  const { requestPrincipals, notRequestPrincipals } = source;
  return [
    ...listWords("", principals?.map(matchText)),
    ...listWords("not ", notPrincipals?.map(matchText)),
    ...listWords("namespace ", namespaces?.map(matchText)),
    ...listWords("not namespace ", notNamespaces?.map(matchText)),
    ...listWords("end user ", requestPrincipals?.map(matchText)),
    ...listWords("not end user ", notRequestPrincipals?.map(matchText)),
    ...listWords("address ", ipBlocks),
    ...listWords("not address ", notIpBlocks),
  ].join(" and ");
}

function operationWords(operation: OperationMatch): string {
  const { hosts, notHosts, methods, notMethods, paths, notPaths } = operation;
  return [
    ...listWords("", methods?.map(matchText)),
    ...listWords("not ", notMethods?.map(matchText)),
    ...listWords("host ", hosts?.map(matchText)),
    ...listWords("not host ", notHosts?.map(matchText)),
    ...listWords("", paths?.map(matchText)),
    ...listWords("not ", notPaths?.map(matchText)),
  ].join(" and ");
}

function conditionWords(condition: Condition): string {
  const name = conditionName(condition);
  return [
    ...listWords(`${name} is `, condition.values?.map(matchText)),
    ...listWords(`${name} is not `, condition.notValues?.map(matchText)),
  ].join(" and ");
}

function conditionName(condition: Condition): string {
  switch (condition.type) {
    case "header":
      return `header ${condition.name}`;
    case "claim":
      return `claim ${condition.path.join(".")}`;
    case "requestPrincipal":
      return "end user";
    case "audiences":
    case "presenter":
      return `${condition.type} of the token`;
    case "principal":
    case "namespace":
    case "evidence":
      return condition.type;
  }
}

/** Whether rules ask for the end user. */
const asksUser = (rules: readonly AuthorizationRule[]): boolean =>
  rules.some(
    ({ from = [], when = [] }) =>
      from.some(
        ({ requestPrincipals, notRequestPrincipals }) =>
          requestPrincipals !== undefined || notRequestPrincipals !== undefined,
      ) || when.some(({ type }) => aboutUser.has(type)),
  );

const aboutUser: ReadonlySet<Condition["type"]> = new Set([
  "requestPrincipal",
  "audiences",
  "presenter",
  "claim",
]);

/** What is to be known of rules about end users: no token is verified here. */
export const userWords = (rules: readonly AuthorizationRule[]): readonly string[] =>
  asksUser(rules)
    ? ["Its rules ask for the end user: what is told here is what becomes of a request without a token."]
    : [];

const listWords = (before: string, items: readonly string[] | undefined): readonly string[] =>
  items === undefined ? [] : [`${before}${items.join(", ")}`];

/** As a document has it. */
function matchText(match: PathMatch): string {
  switch (match.type) {
    case "present":
      return "*";
    case "prefix":
      return `${match.value}*`;
    case "suffix":
      return `*${match.value}`;
    case "exact":
    case "template":
      return match.value;
  }
}
