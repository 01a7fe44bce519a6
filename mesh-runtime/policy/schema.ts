import * as v from "valibot";
import { nameOf, type PolicyDocument, type Written } from "./documents.ts";
import type { Issue } from "./issue.ts";
import { narrowed } from "./narrowed.ts";
import { didYouMean } from "./nearest.ts";
import { parseDocuments } from "./parse.ts";
import { authorizationPolicy } from "./schema/authorization-policy.ts";
import { backendTrafficPolicy } from "./schema/backend-traffic-policy.ts";
import { type Entries, missingMember, unknownMember } from "./schema/fields.ts";
import { gateway } from "./schema/gateway.ts";
import { httpRoute } from "./schema/http-route.ts";
import { withoutAbsent } from "./schema/members.ts";
import { meshConfig } from "./schema/mesh-config.ts";
import { coreVersions, experimentalVersions, gatewayVersions, meshVersions } from "./schema/metadata.ts";
import { namespace } from "./schema/namespace.ts";
import { referenceGrant } from "./schema/reference-grant.ts";
import { requestAuthentication } from "./schema/request-authentication.ts";
import { service } from "./schema/service.ts";
import { telemetry } from "./schema/telemetry.ts";
import { trafficPolicy } from "./schema/traffic-policy.ts";
import { type Finding, issueAt, type Parsed, type Path, pathText, type Source, shown } from "./source.ts";

/** Every kind that a document can be, with its versions. */
export const kinds = {
  HTTPRoute: { versions: gatewayVersions, schema: httpRoute },
  Gateway: { versions: gatewayVersions, schema: gateway },
  ReferenceGrant: { versions: gatewayVersions, schema: referenceGrant },
  Service: { versions: meshVersions, schema: service },
  TrafficPolicy: { versions: meshVersions, schema: trafficPolicy },
  XBackendTrafficPolicy: { versions: experimentalVersions, schema: backendTrafficPolicy },
  AuthorizationPolicy: { versions: meshVersions, schema: authorizationPolicy },
  RequestAuthentication: { versions: meshVersions, schema: requestAuthentication },
  Telemetry: { versions: meshVersions, schema: telemetry },
  MeshConfig: { versions: meshVersions, schema: meshConfig },
  Namespace: { versions: coreVersions, schema: namespace },
} as const;

/** Kinds that people bring from elsewhere, and what to write here. */
const foreign: Readonly<Record<string, string>> = {
  GRPCRoute: "not supported yet; use HTTPRoute",
  TLSRoute: "not supported: a worker sees no connections",
  TCPRoute: "not supported: a worker sees no connections",
  UDPRoute: "not supported: a worker sees no packets",
  ListenerSet: "not supported yet; write the listeners into the Gateway",
  BackendTLSPolicy: "not supported: calls inside the mesh are signed",
  BackendTrafficPolicy:
    "not read; write XBackendTrafficPolicy of gateway.networking.x-k8s.io/v1alpha1, as Gateway API's CRD is called (Envoy Gateway's kind of this name says other things)",
  BackendLBPolicy: "not read; write XBackendTrafficPolicy",
  GatewayClass: "not needed: the class is called tulle",
  VirtualService: "not read; write HTTPRoute",
  DestinationRule: "not read; write TrafficPolicy",
  PeerAuthentication: "not read; write mode in the Service",
  Rollout: "not supported yet",
  ServiceEntry: "not read; write a Service with endpoint.url",
  Deployment: "not read: workers are deployed by wrangler; write a Service",
  List: "only read at the top of a text, and with items",
};

/** What could be read of some sources, and all that is wrong with the rest. */
export interface ReadDocuments {
  readonly written: readonly Written[];
  readonly issues: readonly Issue[];
}

/**
 * Reads documents: parse, then schema. Every document that is right is returned even if others are not;
 * whoever applies them refuses all as long as there is an issue of severity `error`.
 */
export function readDocuments(sources: readonly Source[]): ReadDocuments {
  const { parsed, issues } = parseDocuments(sources);
  const read = parsed.map(readApplied);
  return {
    written: read.flatMap(({ written }) => written),
    issues: [...issues, ...read.flatMap((one) => inOrder(one.issues))],
  };
}

/**
 * Reads one document that somebody applies. Beyond {@link readDocument} it refuses what could be understood and is
 * refused by Gateway API's CRDs and Kubernetes.
 */
export function readApplied(parsed: Parsed): ReadDocuments {
  const read = readDocument(parsed);
  const issues = read.written.flatMap(({ document, origin }) =>
    [...narrowed(document)].map(({ message, ...finding }) =>
      issueAt(origin, nameOf(document), { ...finding, message: `${pathText(finding.path)}: ${message}.` }),
    ),
  );
  return issues.length > 0 ? { written: [], issues: inOrder(issues) } : read;
}

/**
 * Reads one parsed document as far as it can be understood, as one in force is read; reports all issues, each with
 * path, line, what was expected and found.
 */
export function readDocument(parsed: Parsed): ReadDocuments {
  const { value, origin } = parsed;
  const refused = (findings: readonly Finding[]): ReadDocuments => ({
    written: [],
    issues: findings.map((finding) => issueAt(origin, roughName(value), finding)),
  });

  if (!isObject(value)) {
    const expected = "an object with apiVersion, kind, metadata and spec";
    const message = `A document must be ${expected}, found ${shown(value)}.`;
    return refused([{ path: [], expected, found: shown(value), message }]);
  }
  const { kind } = value;
  if (typeof kind !== "string" || !Object.hasOwn(kinds, kind)) return refused([unknownKind(kind)]);
  const { versions, schema } = kinds[kind as keyof typeof kinds];
  // Kinds of the mesh stay strict: nobody should be let in by a `from:` that nothing follows.
  const said = versions === meshVersions ? value : withoutAbsent(schema, value);
  const result = v.safeParse(schema as v.GenericSchema<unknown, PolicyDocument>, said);
  if (!result.success) return refused(result.issues.map(finding));
  return { written: [{ document: result.output, origin }], issues: [] };
}

function unknownKind(kind: unknown): Finding {
  const expected = `one of ${Object.keys(kinds).join(", ")}`;
  const found = shown(kind);
  const reason = typeof kind === "string" && Object.hasOwn(foreign, kind) ? foreign[kind] : undefined;
  const message =
    reason !== undefined
      ? `The kind ${kind} is ${reason}.`
      : kind === undefined
        ? `A document must say its kind: ${expected}.`
        : `The kind ${found} is not known${didYouMean(String(kind), Object.keys(kinds)) || `; write ${expected}`}`;
  return { path: ["kind"], expected, found, message: sentence(message) };
}

/** What valibot says, in the words of an issue. */
function finding(issue: v.GenericIssue): Finding {
  const path: Path = (issue.path ?? []).map(({ key }) => key as string | number);
  const where = pathText(path) || "The document";
  if (issue.type === unknownMember) {
    const names = issue.requirement as readonly string[];
    const name = String(path.at(-1));
    const message = sentence(
      `${where} is not a member that exists here${didYouMean(name, names) || "; remove it"}`,
    );
    return { path, expected: `one of ${names.join(", ")}`, found: JSON.stringify(name), message, at: "key" };
  }
  if (issue.type === missingMember && issue.expected?.startsWith('"')) {
    const expected = (issue.requirement as Entries)[String(path.at(-1))]?.expects ?? "a value";
    if (where === "metadata.name" && hasGenerateName(issue)) {
      const message = `${where} is missing, and no name is made from generateName here: a document is applied again under the name that it has; write ${expected}.`;
      return { path, expected, found: "generateName alone", message };
    }
    return { path, expected, found: "nothing", message: `${where} is missing; write ${expected}.` };
  }
  const expected = issue.expected ?? "another value";
  const found =
    issue.type === "raw_check" && issue.received !== shownByValibot(issue)
      ? issue.received
      : shown(issue.input);
  const message =
    issue.message === "" ? `${where} must be ${expected}, found ${found}` : `${where}: ${issue.message}`;
  return { path, expected, found, message: sentence(message) };
}

const hasGenerateName = ({ path }: v.GenericIssue): boolean => {
  const metadata = path?.at(-1)?.input;
  return isObject(metadata) && typeof metadata.generateName === "string" && metadata.generateName !== "";
};

/** A check that says itself what it found overrides what valibot would say. */
const shownByValibot = ({ input }: v.GenericIssue): string => v._stringify(input);

const sentence = (text: string): string => (/[.?]$/.test(text) ? text : `${text}.`);

/** As one reads: from the top of the document. */
const inOrder = (issues: readonly Issue[]): readonly Issue[] =>
  [...issues].sort((a, b) => a.line - b.line || a.column - b.column);

/** `kind/namespace/name` as far as a document that may be wrong says it. */
function roughName(value: unknown): string {
  if (!isObject(value)) return "";
  const metadata = isObject(value.metadata) ? value.metadata : {};
  const part = (given: unknown, otherwise: string): string =>
    typeof given === "string" ? given.slice(0, 253) : otherwise;
  return `${part(value.kind, "?")}/${part(metadata.namespace, "default")}/${part(metadata.name, "?")}`;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
