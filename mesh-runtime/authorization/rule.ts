import type { EndUser } from "../identity/end-user.ts";
import type { Principal } from "../identity/words.ts";
import { type Address, type Block, inBlock, parseBlock } from "./address.ts";
import { userTest } from "./claim-test.ts";
import { type Doubt, opposite } from "./doubt.ts";
import { type ReadPath, ReadPattern } from "./path-readings.ts";
import { noneOf, oneOf, stringMatches } from "./string-match.ts";
import type {
  AuthorizationRule,
  Condition,
  OperationMatch,
  PathMatch,
  SourceMatch,
  StringMatch,
} from "./words.ts";

export { stringMatch, stringMatches } from "./string-match.ts";

/** What rules are held against: an access request with everything in the forms that are compared. */
export interface Subject {
  readonly principal: Principal | undefined;
  readonly user: EndUser | undefined;
  /** Upper case. */
  readonly method: string;
  /** Undefined: it has no form, and nobody knows which rule it would match. */
  readonly path: ReadPath | undefined;
  /** Lower case, without port and without a dot at its end; empty where nobody knows it. */
  readonly host: string;
  /** Undefined: nobody knows it. */
  readonly address: Address | undefined;
  /** The value of a header, several joined by ", "; empty where there is none. */
  readonly header: (name: string) => string;
}

/** A rule with everything done ahead that depends on the rule alone. */
export interface ReadRule {
  readonly name: string;
  /** Whether it speaks of a subject (Istio `Rule`): one source, one operation and all conditions fit. */
  readonly speaksOf: (subject: Subject) => boolean;
  /** Whether it looks at the path. */
  readonly looksAtPath: boolean;
  /** Which readings its path patterns tell apart, see `differences`. */
  readonly differences: number;
}

type Test = (subject: Subject) => boolean;

/**
 * Reads a rule. An absent list fits everything, an empty one nothing.
 *
 * @throws TypeError for a block of addresses that is none; the shape of a snapshot lets none pass
 */
export function readRule({ name, action, from, to, when = [] }: AuthorizationRule): ReadRule {
  const named: Doubt = action === "ALLOW" ? "differs" : "matches";
  // Whom a rule lets in of another trust domain, it has to name: in each source, or in a condition for all of them.
  const anyDomain = action !== "ALLOW" || when.some(asksPrincipal);
  const patterns: ReadPattern[] = [];
  const sources = from?.map((source) => sourceTest(source, named, anyDomain));
  const operations = to?.map((operation) => operationTest(operation, named, patterns));
  const conditions = when.map((condition) => conditionTest(condition, named));
  return {
    name,
    looksAtPath: patterns.length > 0 || (to?.some(asksPath) ?? false),
    differences: patterns.reduce((all, pattern) => all | pattern.differences, 0),
    speaksOf: (subject) =>
      (sources === undefined
        ? anyDomain || subject.principal?.foreign !== true
        : sources.some((test) => test(subject))) &&
      (operations === undefined || operations.some((test) => test(subject))) &&
      conditions.every((test) => test(subject)),
  };
}

/** Whether a principal is among the sources of a rule, whatever it does and wherever it is. */
export const namesCaller = ({ action, from }: AuthorizationRule, principal: Principal | undefined): boolean =>
  from?.some((source) => callerFits(source, principal, action === "ALLOW" ? "differs" : "matches")) ?? true;

const asksPrincipal = ({ type, values }: Condition): boolean => type === "principal" && values !== undefined;

const asksPath = ({ paths, notPaths }: OperationMatch): boolean =>
  paths !== undefined || notPaths !== undefined;

function callerFits(source: SourceMatch, principal: Principal | undefined, named: Doubt): boolean {
  const not = opposite(named);
  return (
    (source.principals === undefined || isAmong(source.principals, principal, "principal", named)) &&
    (source.notPrincipals === undefined || !isAmong(source.notPrincipals, principal, "principal", not)) &&
    (source.namespaces === undefined || isAmong(source.namespaces, principal, "namespace", named)) &&
    (source.notNamespaces === undefined || !isAmong(source.notNamespaces, principal, "namespace", not))
  );
}

type Attribute = "principal" | "namespace" | "evidence";

/**
 * Whether a caller is in a list. One of another trust domain is in a list that lets somebody in only where its trust
 * domain is written there: `*`, the end of an ID and a namespace, which has no trust domain, mean callers of the mesh's
 * own. In a list that keeps somebody out it is as everybody else is.
 */
function isAmong(
  matches: readonly StringMatch[],
  principal: Principal | undefined,
  type: Attribute,
  doubt: Doubt,
): boolean {
  const value = attribute(principal, type);
  if (principal?.foreign !== true || doubt === "matches" || type === "evidence") return oneOf(matches, value);
  const domain = `spiffe://${principal.id.trustDomain}/`;
  return (
    type === "principal" &&
    matches.some((match) => "value" in match && match.value.startsWith(domain) && stringMatches(match, value))
  );
}

function sourceTest(source: SourceMatch, named: Doubt, anyDomain: boolean): Test {
  const { requestPrincipals, notRequestPrincipals } = source;
  const within = addressTest(source.ipBlocks, named);
  const without = addressTest(source.notIpBlocks, opposite(named));
  const names = anyDomain || source.principals !== undefined;
  return (subject) =>
    (names || subject.principal?.foreign !== true) &&
    callerFits(source, subject.principal, named) &&
    oneOf(requestPrincipals, subject.user?.principal ?? "") &&
    noneOf(notRequestPrincipals, subject.user?.principal ?? "") &&
    (within === undefined || within(subject)) &&
    (without === undefined || !without(subject));
}

/** An address that nobody knows is in doubt. */
function addressTest(written: readonly string[] | undefined, doubt: Doubt): Test | undefined {
  const blocks = written?.map(blockOf);
  return (
    blocks &&
    (({ address }) =>
      address === undefined ? doubt === "matches" : blocks.some((block) => inBlock(block, address)))
  );
}

function blockOf(written: string): Block {
  const block = parseBlock(written);
  if (!block.ok) throw new TypeError(`Cannot read a rule: a block must be ${block.reason}`);
  return block.value;
}

function operationTest(operation: OperationMatch, named: Doubt, patterns: ReadPattern[]): Test {
  const { hosts, notHosts, methods, notMethods } = operation;
  const paths = pathTest(operation.paths, named, patterns);
  const notPaths = pathTest(operation.notPaths, opposite(named), patterns);
  const asksHost = hosts !== undefined || notHosts !== undefined;
  return (subject) =>
    oneOf(methods, subject.method) &&
    noneOf(notMethods, subject.method) &&
    (!asksHost || (oneOf(hosts, subject.host) && noneOf(notHosts, subject.host))) &&
    (paths === undefined || paths(subject)) &&
    (notPaths === undefined || !notPaths(subject));
}

function pathTest(
  matches: readonly PathMatch[] | undefined,
  doubt: Doubt,
  patterns: ReadPattern[],
): Test | undefined {
  if (matches === undefined) return undefined;
  const own = matches.map((match) => new ReadPattern(match));
  patterns.push(...own);
  return ({ path }) => {
    if (path === undefined) return doubt === "matches";
    const fits = (reading: number): boolean => own.some((pattern) => pattern.fits(path, reading));
    return doubt === "matches" ? path.readings.some(fits) : path.readings.every(fits);
  };
}

function conditionTest(condition: Condition, named: Doubt): Test {
  const { values, notValues } = condition;
  if (isAboutUser(condition)) {
    const test = userTest(condition, named);
    return ({ user }) => test(user);
  }
  if (condition.type !== "header") {
    const { type } = condition;
    return ({ principal }) =>
      (values === undefined || isAmong(values, principal, type, named)) &&
      (notValues === undefined || !isAmong(notValues, principal, type, opposite(named)));
  }
  const { name } = condition;
  const among = (value: string, matches: readonly StringMatch[], doubt: Doubt): boolean =>
    headerReadings(value, doubt).some((one) => oneOf(matches, one));
  return ({ header }) => {
    const value = header(name);
    return (
      (values === undefined || among(value, values, named)) &&
      (notValues === undefined || !among(value, notValues, opposite(named)))
    );
  };
}

type AboutCaller = Extract<Condition, { readonly type: Attribute | "header" }>;

const isAboutUser = (condition: Condition): condition is Exclude<Condition, AboutCaller> =>
  condition.type === "requestPrincipal" ||
  condition.type === "audiences" ||
  condition.type === "presenter" ||
  condition.type === "claim";

function attribute(principal: Principal | undefined, type: Attribute): string {
  if (principal === undefined) return "";
  return type === "principal" ? principal.id.uri : principal[type];
}

/**
 * A header that stands in a message twice arrives as one value with a comma, and applications read the
 * first, the last or the whole. A list that keeps somebody out holds for each of them; one that lets
 * somebody in is for the whole, because commas stand in honest values too.
 */
const headerReadings = (value: string, doubt: Doubt): readonly string[] =>
  doubt === "matches" && value.includes(",")
    ? [value, ...value.split(",").map((item) => item.trim())]
    : [value];
