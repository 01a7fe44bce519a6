import * as v from "valibot";
import {
  defaultCircuit,
  defaultEvidence,
  defaultInbound,
  defaultMode,
  defaultRetry,
  defaultTelemetry,
  defaultTrustDomain,
  meshTraffic,
} from "./defaults.ts";
import type { Kind } from "./documents.ts";
import { leftOut } from "./schema/fields.ts";
import { entriesOf, itemOf } from "./schema/members.ts";
import { kinds } from "./schema.ts";

/** What each kind is for, and what its members cannot say by themselves. */
const introductions: Readonly<Record<Kind, string>> = {
  HTTPRoute:
    "Where requests go: matches, filters, weighted backends, timeouts, retries. Attached to a `Service` it speaks of calls inside the mesh (one in the Service's namespace for all callers, one in another namespace for callers of that namespace, and then only those); attached to a `Gateway` it speaks of requests from outside. A Service with a route answers only what a rule matches. Fields and meaning are Gateway API's.",
  Gateway:
    "What the gateway worker listens to. The worker is the Service that the annotation `mesh.tulle.dev/worker` names, or the one of the Gateway's own name in its namespace, or `gateway` there. Fields and meaning are Gateway API's.",
  ReferenceGrant:
    "Lets documents of one namespace refer to Services of another: routes of a Gateway to their backends, Gateways to their worker. Fields and meaning are Gateway API's.",
  Service: "A destination: its identity, where it is, what it demands of callers, and what it bears.",
  TrafficPolicy:
    "How callers treat a destination: how long they wait, what they try again, when they leave it alone.",
  XBackendTrafficPolicy:
    "What is special about a backend, whichever routes lead to it: how many of its requests may be retries, and whether sessions stay with one endpoint. Of two for one Service the older holds. Fields and meaning are Gateway API's (experimental channel).",
  AuthorizationPolicy:
    "Who may call what. `DENY` comes before `ALLOW`; in a `STRICT` Service what no `ALLOW` rule matches is denied. Fields and meaning are Istio's. Where any rule looks at paths, one whose segments can be read in two ways is denied; what else may be read otherwise is denied in every reading and allowed in none alone. A policy that names the Service of a Gateway judges what comes in from outside. [authorization.md](authorization.md) is the guide.",
  RequestAuthentication:
    "How tokens (JWTs) of end users are verified. A request without a token goes on, one with a token that no rule believes is answered 401; an AuthorizationPolicy may demand a token with `requestPrincipals`. Fields and meaning are Istio's. A document that names the Service of a Gateway speaks of what comes in from outside. [end-users.md](end-users.md) is the guide.",
  Telemetry:
    "What is recorded: of a Service, or of all Services of the namespace. Member by member, the nearest word counts.",
  MeshConfig: "What holds for the whole mesh. There is at most one.",
  Namespace:
    "Labels of a namespace, for listeners that select by them. Not needed otherwise: a namespace is there when a document names it. Kubernetes' own kind.",
};

/** What holds where a document is silent and no standard says what. */
const silent: Readonly<Record<string, unknown>> = {
  "Service.spec.mode": defaultMode,
  "Service.spec.evidence": defaultEvidence,
  "Service.spec.replay": "window",
  "Service.spec.responses": "unsigned",
  "Service.spec.sessionProofs": "allowed",
  "Service.spec.timeout": `${defaultInbound.timeoutMs}s`,
  "Service.spec.maxInFlight": defaultInbound.maxInFlight,
  "Service.spec.maxDigestBytes": defaultInbound.maxDigestBytes,
  "Service.spec.largeBody": defaultInbound.largeBody,
  "TrafficPolicy.spec.timeout": `${meshTraffic.timeoutMs}ms`,
  "TrafficPolicy.spec.maxInFlight": meshTraffic.maxInFlight,
  ...under("TrafficPolicy.spec.retry", defaultRetry),
  ...under("TrafficPolicy.spec.circuit", defaultCircuit),
  ...under("Telemetry.spec", defaultTelemetry),
  ...under("MeshConfig.spec.defaults", defaultTelemetry),
  "MeshConfig.spec.trustDomain": defaultTrustDomain,
  "MeshConfig.spec.defaults.mode": defaultMode,
  "MeshConfig.spec.defaults.evidence": defaultEvidence,
  "MeshConfig.spec.defaults.sessionProofs": "allowed",
};

/** Settings under the names that documents give them: without the unit, which the value then has. */
function under(path: string, settings: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, setting]) =>
      name.endsWith("Ms") ? [`${path}.${name.slice(0, -2)}`, `${setting}ms`] : [`${path}.${name}`, setting],
    ),
  );
}

/** Renders every kind with its members, values, defaults and meanings, as Markdown. Made of the schema, so it cannot say anything else. */
export function policyReference(): string {
  const sections = Object.entries(kinds).map(([kind, { versions, schema }]) => {
    const members = entriesOf(schema)?.spec;
    const rows = members === undefined ? [] : rowsOf(`${kind}.spec`, members);
    return [
      `## ${kind}`,
      introductions[kind as Kind],
      `\`apiVersion: ${versions[0]}\``,
      table(rows),
      refusals(rows),
    ];
  });
  const metadata = entriesOf(kinds.Service.schema)?.metadata;
  const common = metadata === undefined ? [] : rowsOf("*.metadata", metadata);
  return `${[
    "# Policy reference",
    "<!-- Made from the schema by test/support/policy-reference.ts; a test fails when it is stale. -->",
    "Every kind of document that the mesh reads, in YAML or JSON, one or many to a file. A member that is not listed here is refused, with its line.",
    "## What every document has",
    "`apiVersion`, `kind`, `metadata` and `spec`.",
    table(common),
    "Names of all kinds but `Service` may have dots in them, and 253 characters.",
    ...sections.flat(),
  ]
    .filter((part) => part !== "")
    .join("\n\n")}\n`;
}

interface Row {
  /** Below the kind, such as `spec.rules[].name`. */
  readonly path: string;
  readonly expects: string;
  readonly otherwise: string;
  readonly description: string;
  readonly refused: boolean;
}

/** A member and all below it, in the order of the schema. */
function rowsOf(path: string, schema: v.GenericSchema): readonly Row[] {
  const item = itemOf(schema);
  const below = entriesOf(item ?? schema);
  const row: Row = {
    path: path.slice(path.indexOf(".") + 1),
    expects: expectsOf(schema),
    otherwise: otherwise(path, schema),
    description: v.getDescription(schema) ?? "",
    refused: schema.expects === leftOut,
  };
  const suffix = item === undefined ? "" : "[]";
  const rows = Object.entries(below ?? {}).flatMap(([name, member]) =>
    rowsOf(`${path}${suffix}.${name}`, member as v.GenericSchema),
  );
  // The names of an object's members follow as rows of their own.
  return [below === undefined || item !== undefined ? row : { ...row, expects: "an object" }, ...rows];
}

function otherwise(path: string, schema: v.GenericSchema): string {
  if (Object.hasOwn(silent, path)) return JSON.stringify(silent[path]);
  if (schema.type !== "exact_optional" && schema.type !== "optional") return "required";
  const given: unknown = Reflect.get(schema, "default");
  return given === undefined ? "" : JSON.stringify(given);
}

/** valibot adds "| undefined" to what may be left out; the column beside says that better. */
function expectsOf(schema: v.GenericSchema): string {
  const wrapped: unknown = Reflect.get(schema, "wrapped");
  return schema.type === "optional" ? expectsOf(wrapped as v.GenericSchema) : schema.expects;
}

function table(rows: readonly Row[]): string {
  const lines = rows
    .filter(({ refused, path }) => !refused && path !== "spec" && path !== "metadata")
    .map(({ path, expects, otherwise: silence, description }) => {
      const code = silence === "" || silence === "required" ? silence : `\`${silence}\``;
      return `| ${[`\`${path}\``, expects, code, description].map(cell).join(" | ")} |`;
    });
  return ["| member | value | default | meaning |", "|---|---|---|---|", ...lines].join("\n");
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");

function refusals(rows: readonly Row[]): string {
  const names = rows
    .filter(({ refused, path }) => refused && path !== "status")
    .map(({ path }) => `\`${path}\``);
  return names.length === 0
    ? ""
    : `Refused with a reason, because they mean something elsewhere: ${names.join(", ")}.`;
}
