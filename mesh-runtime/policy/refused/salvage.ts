import * as v from "valibot";
import type { DocumentOf, PolicyDocument, Written } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { experimentalVersions, label, meshVersions, subdomain } from "../schema/metadata.ts";
import { leftOfAuthorization, leftOfUnknown } from "./access.ts";
import { leftOfGateway } from "./gateway.ts";
import { leftOfRoute } from "./route.ts";
import { leftOfService } from "./service.ts";
import { listOf, objectOf, readValue } from "./values.ts";
import type { Refused, RefusedListeners, RefusedRules, Salvaged, Unreadable } from "./words.ts";

/**
 * What becomes of a document in force that this version of Tulle refuses. Nothing that it kept out is let in by it,
 * and what it let in may be refused: deny is the answer to doubt.
 */
export function salvaged(unreadable: Unreadable): Salvaged {
  const { kind, namespace, name, issues } = unreadable;
  const base = { document: `${kind}/${namespace}/${name}`, issues };
  const without = (meanwhile: string): Salvaged => ({ refused: { ...base, meanwhile } });
  if (isPlaced(kind) && !hasName(unreadable))
    return without("Nothing can have this name here, and nothing of it holds.");
  switch (kind) {
    case "HTTPRoute": {
      const { document, route } = leftOfRoute(unreadable);
      return { refused: { ...base, meanwhile: routeWords(route), route }, written: written(document) };
    }
    case "Gateway": {
      const { document, gateway } = leftOfGateway(unreadable);
      return { refused: { ...base, meanwhile: gatewayWords(gateway), gateway }, written: written(document) };
    }
    case "Service": {
      const { document, service, meanwhile } = leftOfService(unreadable);
      return { refused: { ...base, meanwhile, service }, written: written(document) };
    }
    case "AuthorizationPolicy": {
      const { document, meanwhile } = leftOfAuthorization(unreadable);
      const refused: Refused = { ...base, meanwhile };
      return document === undefined ? { refused } : { refused, written: written(document) };
    }
    case "ReferenceGrant":
      return without("It grants nothing.");
    case "Namespace":
      return without("No selector of a listener selects it.");
    case "MeshConfig":
      return leavesSessions(unreadable)
        ? without("The defaults hold in its place.")
        : {
            refused: {
              ...base,
              meanwhile: "The defaults hold in its place, but for sessions: each request is signed.",
            },
            written: written(withoutSessions(unreadable)),
          };
    case "TrafficPolicy":
    case "Telemetry":
      return without("The defaults hold in its place.");
    case "XBackendTrafficPolicy":
      return { ...without("The defaults hold in its place."), ...shownPolicy(unreadable) };
    default: {
      const { document, meanwhile } = leftOfUnknown(unreadable);
      return { refused: { ...base, meanwhile }, written: written(document) };
    }
  }
}

/** Whether something of this kind would stand where it stood. */
const isPlaced = (kind: string): boolean => ["HTTPRoute", "Gateway", "Service"].includes(kind);

const hasName = ({ kind, namespace, name }: Unreadable): boolean =>
  v.is(label(), namespace) && v.is(kind === "Service" ? label() : subdomain(), name);

/** Whether a MeshConfig can be read as far as sessions go, and has nothing against them. Its other defaults are the strict ones. */
function leavesSessions({ value }: Unreadable): boolean {
  const { spec } = objectOf(value);
  const { sessionProofs } = objectOf(objectOf(spec).defaults);
  return objectOf(spec) === spec && (sessionProofs === undefined || sessionProofs === "allowed");
}

const withoutSessions = ({ namespace, name }: Unreadable): DocumentOf<"MeshConfig"> => ({
  apiVersion: meshVersions[0],
  kind: "MeshConfig",
  metadata: { namespace, name },
  spec: { defaults: { sessionProofs: "refused" } },
});

/** Places in it are told as those of the document that it stands for. */
const written = (document: PolicyDocument): Written => ({
  document,
  origin: { source: "", within: [], locate: () => ({ line: 1, column: 1 }) },
});

/** A policy with its targets alone: its status says of each that it does not hold there. */
function shownPolicy({ namespace, name, value }: Unreadable): Pick<Salvaged, "shown"> {
  const { targetRefs } = objectOf(objectOf(value).spec);
  const names = new Set(listOf(targetRefs).map((ref) => objectOf(ref).name));
  const read = readValue({
    apiVersion: experimentalVersions[0],
    kind: "XBackendTrafficPolicy",
    metadata: { namespace, name },
    spec: { targetRefs: [...names].map((target) => ({ group: "", kind: "Service", name: target })) },
  });
  const [found] = read.written;
  return found === undefined ? {} : { shown: found.document };
}

function routeWords({ whole, rules }: RefusedRules): string {
  if (whole !== undefined) return "Every request that its matches take is answered with 500.";
  return `What ${rulesWords([...rules.keys()])} would take is answered with 500; the others hold.`;
}

/** `rule 1`, `rules 1 and 3`: by index, as paths count. */
export const rulesWords = (indexes: readonly number[]): string =>
  `${indexes.length === 1 ? "rule" : "rules"} ${indexes.join(", ").replace(/, (\d+)$/, " and $1")}`;

function gatewayWords({ whole, listeners }: RefusedListeners): string {
  if (whole !== undefined) return "No listener of it takes routes.";
  return `Nothing is served at ${listeners.map(({ name }) => name).join(", ")}; the others work.`;
}

/** What whoever applies anything is told of a document that is refused. */
export function warningOf({ document, issues, meanwhile }: Refused): Issue {
  const [first, ...more] = issues;
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  return {
    ...(first ?? { source: document, line: 1, column: 1, path: "", expected: "", found: "" }),
    severity: "warning",
    document,
    message: `${document} is in force, and this version of Tulle refuses it: ${first?.message ?? ""}${others} ${meanwhile} Mend it and apply it, or delete it.`,
  };
}
